#include "kernel/states.h"

#include <machine.h>

#include "lib/text.h"
#include "lib/wide.h"

#define STATE_NS    20000000u
#define READINGS    16     // of which the narrowest counts, at both ends
#define TRIES       3      // of a state in which the vCPU was stopped for too long
#define PASSES_MOST 100000 // of a state: the clock, too, may stop
#define HALTS_MOST  64     // 320 ms where one source works
#define PAUSES      256    // a pass
#define WORK_ROUNDS 4096

const char *state_word(enum state state)
{
    static const char *const words[] = {"pause", "load", "halt"};

    return words[state];
}

const char *state_verdict_word(enum state_verdict verdict)
{
    static const char *const words[] = {"none", "same", "differs", "stops"};

    return words[verdict];
}

// --- The reference clock

// The time until its count repeats.
static uint64_t range_ns(const struct clock_info *info)
{
    return wide_mul_div(info->modulus, info->nominal.denominator * 1000000000,
                        info->nominal.numerator);
}

// The LAPIC timer is left out, since it is to interrupt, and a clock whose every tick must be seen.
static const struct clock_run *choose(const struct measurement *measurement)
{
    const struct clock_run *best = NULL;

    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        const struct clock_info *info = &run->info;
        if ((run->status != CLOCK_LIVE && run->status != CLOCK_COARSE) || info->slow ||
            info->gap_ticks || !info->nominal.numerator || run->result != MEASUREMENT_OK ||
            text_equal(run->clock->name, "lapic"))
            continue;
        if (range_ns(info) > STATE_NS && (!best || range_ns(info) > range_ns(&best->info)))
            best = run;
    }
    return best;
}

static void read_narrow(const struct clock_run *run, struct bracket *best)
{
    uint64_t width = UINT64_MAX;

    for (unsigned i = 0; i < READINGS; i++) {
        struct bracket bracket;
        run->clock->read(&bracket);
        if (bracket.value == CLOCK_NO_READING || bracket.after - bracket.before >= width)
            continue;
        width = bracket.after - bracket.before;
        *best = bracket;
    }
    if (width == UINT64_MAX)
        best->value = CLOCK_NO_READING;
}

// --- States

static void pass(enum state state)
{
    if (state == STATE_HALT)
        wake_sleep();
    else if (state == STATE_LOAD)
        machine_work(WORK_ROUNDS);
    else
        for (unsigned i = 0; i < PAUSES; i++)
            machine_pause();
}

// Spends STATE_NS in the state. False, with the reason, if that proves nothing.
static bool enclose(enum state state, struct state_rate *rate, const struct clock_run *run,
                    uint64_t tsc_millihertz)
{
    const struct clock_info *info = &run->info;
    uint64_t wanted =
        wide_mul_div(STATE_NS, info->nominal.numerator, info->nominal.denominator * 1000000000);
    uint64_t passes_most = state == STATE_HALT ? HALTS_MOST : PASSES_MOST;
    struct bracket first, last;
    uint64_t ticks = 0;

    if (run->clock->restart)
        run->clock->restart();
    read_narrow(run, &first);
    last = first;
    for (rate->passes = 0; ticks < wanted && rate->passes < passes_most; rate->passes++) {
        pass(state);
        run->clock->read(&last);
        if (last.value != CLOCK_NO_READING)
            ticks = (last.value + info->modulus - first.value) % info->modulus;
    }
    read_narrow(run, &last);
    rate->reason = "the clock could not be read, or the TSC went back";
    if (first.value == CLOCK_NO_READING || last.value == CLOCK_NO_READING ||
        last.after < first.before)
        return false;
    ticks = (last.value + info->modulus - first.value) % info->modulus;
    rate->reason = "the clock stood still";
    if (ticks < wanted)
        return false;
    rate->cycles = last.after - first.before;
    rate->reason = "the vCPU was stopped for longer than the clock can count";
    if (rate_cycles_to_ns(rate->cycles, tsc_millihertz) > range_ns(info))
        return false;
    rate->reason = "";
    rate->ns = wide_mul_div(ticks, info->nominal.denominator * 1000000000, info->nominal.numerator);
    uint64_t inner = last.before > first.after ? last.before - first.after : 1;
    rate->rate =
        rate_from_slopes(info->nominal, (struct slope){ticks - run->step_ticks, rate->cycles},
                         (struct slope){ticks + run->step_ticks, inner});
    return true;
}

static void measure(struct states *states, enum state state, const struct clock_run *run,
                    uint64_t tsc_millihertz)
{
    struct state_rate *rate = &states->rates[state];
    const struct rate_interval *here = &rate->rate, *pause = &states->rates[STATE_PAUSE].rate;
    bool known = false;

    for (unsigned i = 0; i < TRIES && !known; i++)
        known = enclose(state, rate, run, tsc_millihertz);
    if (!known)
        return;
    rate->verdict = STATE_SAME;
    if (!pause->low || (here->low <= pause->high && pause->low <= here->high))
        return;
    rate->verdict = here->high < pause->low / 2 ? STATE_STOPS : STATE_DIFFERS;
    states->broken = state == STATE_LOAD            ? "its rate is another one under load"
                     : rate->verdict == STATE_STOPS ? "it stops in HLT"
                                                    : "its rate is another one in HLT";
}

void states_measure(struct states *states, const struct platform *platform,
                    const struct measurement *measurement)
{
    unsigned sections = platform->options.sections;
    uint64_t tsc_millihertz = measurement->tsc_millihertz;
    bool halt = sections & SECTION_HALT;

    memset(states, 0, sizeof(*states));
    states->ran = sections & (SECTION_HALT | SECTION_LOAD);
    if (!states->ran)
        return;
    const struct clock_run *run = measurement->tsc_advances ? choose(measurement) : NULL;
    states->clock = run ? run->clock->name : NULL;
    for (size_t i = 0; i < STATES; i++) {
        states->rates[i].asked =
            i == STATE_PAUSE || (i == STATE_HALT ? halt : sections & SECTION_LOAD);
        states->rates[i].reason = "no reference clock fits";
    }
    if (!run)
        return;
    measure(states, STATE_PAUSE, run, tsc_millihertz);
    if (sections & SECTION_LOAD)
        measure(states, STATE_LOAD, run, tsc_millihertz);
    if (!halt)
        return;
    wake_prove(platform, tsc_millihertz, !text_equal(states->clock, "pit"), states->wakes);
    states->rates[STATE_HALT].reason = "no interrupt arrived that would end it";
    if (wake_start(states->wakes))
        measure(states, STATE_HALT, run, tsc_millihertz);
    wake_end();
}
