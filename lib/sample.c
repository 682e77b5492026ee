#include "lib/sample.h"

void sample_sort(uint64_t *values, size_t count)
{
    // Shell's sort with Ciura's gaps (2001).
    static const uint16_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};

    for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
        size_t gap = gaps[g];
        for (size_t i = gap; i < count; i++) {
            uint64_t value = values[i];
            size_t at = i;
            for (; at >= gap && values[at - gap] > value; at -= gap)
                values[at] = values[at - gap];
            values[at] = value;
        }
    }
}

uint64_t sample_quantile(const uint64_t *sorted, size_t count, unsigned permille)
{
    size_t rank = (count * permille + 999) / 1000;

    return sorted[rank ? rank - 1 : 0];
}

uint64_t sample_gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t remainder = a % b;
        a = b;
        b = remainder;
    }
    return a;
}
