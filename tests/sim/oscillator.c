#include "tests/sim/oscillator.h"

#include <assert.h>

#define FS_PER_NS 1000000u
#define BILLION   1000000000u

// numerator / denominator as multiplier / 2^shift, the multiplier having its top bit set. Rounded
// up, so that a moment at which the clock truly ticks does not fall just before the tick.
static struct oscillator_rate divide(uint128 numerator, uint128 denominator)
{
    struct oscillator_rate rate = {0, 0};

    assert(numerator > 0 && numerator < denominator && denominator < (uint128)1 << 127);
    while (!(rate.multiplier >> 63)) {
        numerator <<= 1;
        rate.multiplier <<= 1;
        rate.shift++;
        if (numerator >= denominator) {
            numerator -= denominator;
            rate.multiplier |= 1;
        }
    }
    if (numerator && rate.multiplier != UINT64_MAX)
        rate.multiplier++;
    return rate;
}

static struct oscillator_rate true_rate(const struct sim_clock *clock)
{
    // Ticks a femtosecond: hertz / 10^15. At most 10^15 * 2 * 10^9 over 10^14 * 10^9 * 10^15.
    assert(clock->hz_denominator > 0 && clock->hz_denominator < 100000000000000u);
    return divide((uint128)clock->hz_numerator * (uint64_t)(BILLION + clock->error_ppb),
                  (uint128)clock->hz_denominator * BILLION * 1000000000000000u);
}

static struct oscillator_rate scale(struct oscillator_rate rate, int64_t ppb)
{
    struct oscillator_rate none = {0, 64};

    if (ppb == 0)
        return none;
    uint128 product = (uint128)rate.multiplier * (uint64_t)ppb;
    struct oscillator_rate scaled = divide(product, (uint128)BILLION << 80);
    scaled.shift += rate.shift - 80;
    return scaled;
}

static uint128 ticks_in(struct oscillator_rate rate, uint64_t fs)
{
    return (uint128)fs * rate.multiplier >> (rate.shift - 64);
}

void oscillator_start(struct oscillator *oscillator, const struct sim_clock *clock)
{
    struct oscillator_rate rate = true_rate(clock);

    oscillator->fault = clock->fault;
    oscillator->quantum_fs = clock->quantum_ns * FS_PER_NS;
    oscillator->current = 0;
    oscillator->count = 1;
    oscillator->segments[0].from_fs = 0;
    oscillator->segments[0].phase = (uint128)clock->start_ticks << 64;
    oscillator->segments[0].rate = rate;
    for (size_t i = 0; i < clock->event_count; i++) {
        const struct sim_event *event = &clock->events[i];
        uint64_t at_fs = event->at_ns * FS_PER_NS;
        assert(at_fs >= oscillator->segments[i].from_fs);
        struct oscillator_rate before = oscillator->segments[i].rate;
        uint128 phase = oscillator->segments[i].phase +
                        ticks_in(before, at_fs - oscillator->segments[i].from_fs);
        if (event->kind == SIM_STEP)
            phase += (uint128)(uint64_t)event->amount << 64;
        oscillator->segments[i + 1].from_fs = at_fs;
        oscillator->segments[i + 1].phase = phase;
        oscillator->segments[i + 1].rate =
            event->kind == SIM_RATE ? scale(rate, event->amount) : before;
        oscillator->count = i + 2;
    }
}

uint128 oscillator_phase(struct oscillator *oscillator, uint64_t now_fs)
{
    size_t i = oscillator->current;
    uint128 start = oscillator->segments[0].phase;

    if (oscillator->fault == SIM_STUCK)
        return start;
    if (oscillator->quantum_fs)
        now_fs -= now_fs % oscillator->quantum_fs;
    while (i + 1 < oscillator->count && now_fs >= oscillator->segments[i + 1].from_fs)
        i++;
    oscillator->current = i;
    uint128 phase =
        oscillator->segments[i].phase +
        ticks_in(oscillator->segments[i].rate, now_fs - oscillator->segments[i].from_fs);
    return oscillator->fault == SIM_BACKWARDS ? 2 * start - phase : phase;
}
