// The truth: the rate of the host's TSC per second of its CLOCK_MONOTONIC.
//
//   truth SECONDS    measures for that long
//   truth            measures until its standard input ends: for as long as whoever started it
//   likes,
//                    and never longer than that lives
//
// Prints "LOW HIGH HZ WANDER": the rate lies in [LOW, HIGH], proven by a bracket at either end; HZ
// is the middle. WANDER is by how many ppb the rate of any ten seconds in between is proven to have
// been outside: 0 where one constant rate explains everything, more where the host's clock was
// slewed meanwhile. QEMU's clock devices run on CLOCK_MONOTONIC and, under TCG, its TSC is the
// host's, so this is the rate that a guest has to find.
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define BRACKETS   200
#define BILLION    1000000000
#define POINTS_MAX 100000 // one a second: more than a day
#define STRETCH    10     // points, and so about as many seconds

struct instant {
    uint64_t before, after; // TSC
    uint64_t ns;            // CLOCK_MONOTONIC, read in between
};

struct rate {
    double low_hz, high_hz;
};

// The narrowest of many readings of the clock, each between two readings of the TSC.
static struct instant narrowest(void)
{
    struct instant best = {0, UINT64_MAX, 0};

    for (int i = 0; i < BRACKETS; i++) {
        struct timespec now;

        _mm_lfence();
        uint64_t before = __rdtsc();
        _mm_lfence();
        clock_gettime(CLOCK_MONOTONIC, &now);
        _mm_lfence();
        uint64_t after = __rdtsc();
        _mm_lfence();
        if (after - before < best.after - best.before)
            best = (struct instant){before, after,
                                    (uint64_t)now.tv_sec * BILLION + (uint64_t)now.tv_nsec};
    }
    return best;
}

// The clock's nanoseconds are whole, so the time between two of them is known to one.
static struct rate between(const struct instant *start, const struct instant *end)
{
    double ns = (double)(end->ns - start->ns);

    return (struct rate){(double)(end->before - start->after) / (ns + 1) * BILLION,
                         (double)(end->after - start->before) / (ns - 1) * BILLION};
}

static double wander_ppb(const struct instant *points, size_t count, struct rate all)
{
    double worst_hz = 0;

    for (size_t i = 0; i + STRETCH < count; i++) {
        struct rate part = between(&points[i], &points[i + STRETCH]);
        if (part.low_hz - all.high_hz > worst_hz)
            worst_hz = part.low_hz - all.high_hz;
        if (all.low_hz - part.high_hz > worst_hz)
            worst_hz = all.low_hz - part.high_hz;
    }
    return worst_hz / all.low_hz * BILLION;
}

// Waits a second, or until standard input ends. Did it end?
static bool input_ended(void)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char ignored[64];

    return poll(&input, 1, 1000) > 0 && read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0;
}

int main(int argc, char **argv)
{
    static struct instant points[POINTS_MAX];
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    size_t count = 1;

    if (argc > 2 || (argc == 2 && seconds < 1)) {
        fprintf(stderr, "usage: truth [SECONDS]\n");
        return 2;
    }
    narrowest(); // the first pass through code costs more
    points[0] = narrowest();
    for (bool ended = false; !ended && count < POINTS_MAX;) {
        if (argc == 2) {
            sleep(1);
            ended = --seconds == 0;
        } else {
            ended = input_ended();
        }
        points[count++] = narrowest();
    }
    struct rate all = between(&points[0], &points[count - 1]);
    printf("%.3f %.3f %.3f %.3f\n", all.low_hz, all.high_hz, (all.low_hz + all.high_hz) / 2,
           wander_ppb(points, count, all));
    return 0;
}
