// The truth: the host's TSC rate, per second of its CLOCK_MONOTONIC, while a guest runs.
//
// Runs until standard input closes, then prints "LOW HIGH HZ": the rate is proven to lie in [LOW,
// HIGH] by brackets at both ends, and is estimated as HZ. QEMU's emulated clocks run on
// CLOCK_MONOTONIC and its TSC, under TCG, on the host's, so this is what the guest should find.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define BRACKETS 2000
#define BILLION  1000000000

struct instant {
    uint64_t before, after; // TSC
    uint64_t ns;
};

// The narrowest of many brackets of one clock reading by two TSC readings.
static struct instant narrowest(void)
{
    struct instant best = {0, UINT64_MAX, 0};

    for (int i = 0; i < BRACKETS; i++) {
        struct timespec time;
        _mm_lfence();
        uint64_t before = __rdtsc();
        _mm_lfence();
        clock_gettime(CLOCK_MONOTONIC, &time);
        _mm_lfence();
        uint64_t after = __rdtsc();
        _mm_lfence();
        if (after - before < best.after - best.before)
            best = (struct instant){before, after,
                                    (uint64_t)time.tv_sec * BILLION + (uint64_t)time.tv_nsec};
    }
    return best;
}

int main(void)
{
    struct instant start = narrowest();
    char byte;

    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    struct instant end = narrowest();
    double seconds = (double)(end.ns - start.ns) / BILLION;
    double low = (double)(end.before - start.after) / (seconds + 1e-9);
    double high = (double)(end.after - start.before) / (seconds - 1e-9);
    printf("%.3f %.3f %.3f\n", low, high, (low + high) / 2);
    return 0;
}
