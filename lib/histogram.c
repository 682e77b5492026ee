#include "lib/histogram.h"

void histogram_reset(struct histogram *histogram)
{
    histogram->count = 0;
    histogram->minimum = UINT64_MAX;
    histogram->maximum = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] = 0;
}

// Values below 16 have a bucket each; above, the top bit chooses the octave and the next four bits
// the step.
static size_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (size_t)value;
    unsigned octave = 63 - (unsigned)__builtin_clzll(value);
    return (size_t)(octave - 3) * HISTOGRAM_STEPS + (size_t)(value >> (octave - 4) & 15);
}

// The highest value that falls into `bucket`.
static uint64_t bucket_limit(size_t bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    unsigned octave = (unsigned)(bucket / HISTOGRAM_STEPS) + 3;
    uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((step + 1) << (octave - 4)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    uint32_t *bucket = &histogram->buckets[bucket_of(value)];

    if (*bucket != UINT32_MAX)
        ++*bucket;
    histogram->count++;
    if (value < histogram->minimum)
        histogram->minimum = value;
    if (value > histogram->maximum)
        histogram->maximum = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille)
{
    uint64_t seen = 0;
    // A count that would overflow here takes 200 days at a billion values a second.
    uint64_t wanted = (histogram->count * permille + 999) / 1000;

    if (histogram->count == 0)
        return 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted && seen) {
            uint64_t limit = bucket_limit(i);
            if (limit < histogram->minimum)
                return histogram->minimum;
            return limit > histogram->maximum ? histogram->maximum : limit;
        }
    }
    return histogram->maximum;
}
