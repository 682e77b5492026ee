// The measurement: all live clocks sampled interleaved in one window, each enclosed, all combined.
#pragma once

#include "kernel/clock.h"
#include "lib/claim.h"
#include "lib/rate.h"
#include "lib/track.h"

#define CLOCKS_MAX    8
#define INCIDENTS_MAX 8

enum measurement_status {
    MEASUREMENT_NONE,    // not sampled, or too little to bound the rate
    MEASUREMENT_OK,      // bounded, and in agreement with the others
    MEASUREMENT_ODD,     // bounded, but outvoted by the others
    MEASUREMENT_STEPPED, // this clock was proven to have stepped
    MEASUREMENT_EMPTY,   // its segments allow no common rate: it is not linear in the TSC
    MEASUREMENT_DERIVED, // bounded, but computed from the TSC: it has no vote
};
const char *measurement_status_word(enum measurement_status status); // "none", "ok", "odd", ...

struct clock_run {
    const struct reference_clock *clock;
    enum clock_status status;
    char reason[128];
    struct clock_info info;
    uint64_t step_ticks; // granularity that the examination found, 1 for a good clock
    struct slope probe_low, probe_high; // its slope as the examination enclosed it
    bool sampled;                       // takes part in the window
    uint64_t first_cycles, last_cycles; // of its readings
    uint64_t last_narrow_cycles;        // of its last bracket within 5/4 of the narrowest

    // Of a slow clock (kernel/slow.c), in cycles of the window:
    uint64_t tick_cycles;            // from one tick to the next, 0 while that is not known
    uint64_t tick_after, tick_until; // between these two readings its last tick was
    unsigned ticks_seen;
    uint64_t last_value;
    bool tick_sound;      // the last tick came when it was due: no more than tick_hidden cycles
    uint64_t tick_hidden; // passed in it without being counted by the TSC
    // A jump ahead of the TSC that waits for the next tick; the tick before it, and its size:
    bool jumped;
    uint64_t from_value, from_after, from_until, from_hidden, jumped_until;
    int64_t ahead_low, ahead_high;

    enum measurement_status result;
    struct rate_interval raw;     // TSC rate at the nominal rate of this clock
    struct rate_interval widened; // with the uncertainty of that nominal rate
    uint64_t limit_ppb; // narrowest bracket / window: no half-width can be proven below it
    uint64_t defect_ns; // how far the readings were from fitting one line

    struct track track; // last: it is large, and track_reset clears it when it is needed
};

// Something happened between two readings: no line fits the readings on both sides.
struct incident {
    uint64_t after_cycles, before_cycles; // when, in cycles of the window
    unsigned seen;                        // bit i: the readings of clock i showed it
    size_t first;                         // the clock that showed it first
    bool merged;                          // more than one break came before the first was sized
    struct {
        bool known;
        // Offset of the clock's line after against before, in TSC cycles.
        int64_t least_cycles, most_cycles;
    } offsets[CLOCKS_MAX];
    uint64_t back_cycles; // the TSC read lower than before, by this much; else 0
    bool is_jump;         // of a slow clock, whose ticks told all: nothing is left to attribute
    // The conclusion:
    bool is_step;             // proven: some clock's offset excludes 0. Else a change of rate
    bool tsc_possible;        // the TSC may be the one that stepped
    unsigned clocks_possible; // bit i: clock i may be the one
    int64_t low_cycles, high_cycles; // signed size of the step of the TSC or of the clock
    bool wall_only; // the host's time of day stepped, or may have: no other clock did for certain
};

// Can the step be that of the TSC or of one clock alone?
static inline bool incident_suspects(const struct incident *incident)
{
    return incident->tsc_possible || incident->clocks_possible;
}

struct measurement {
    uint64_t start_tsc;    // when the run began
    uint64_t began_cycles; // from then to the beginning of the window
    bool tsc_advances;
    uint64_t tsc_step_cycles; // greatest common divisor of its differences
    const char *window_clock; // the clock that times the window, NULL: nothing could be measured
    uint64_t window_ns;       // by the final estimate
    uint64_t samples;
    uint64_t skew_ns;       // skew=: a smaller step does not fail the run
    const char *stopped_by; // "precision", "verdict", "window", "bound", in words

    struct incident incidents[INCIDENTS_MAX];
    size_t incident_count; // may exceed INCIDENTS_MAX; the rest were cut at, but not described

    uint64_t tsc_millihertz;  // the best rate to turn cycles into time, decided or not; 0: none
    bool decided;             // `all` holds
    struct rate_interval all; // the combined enclosure of the TSC rate, widened
    bool raw_known;           // the raw enclosures of those that agree have a common part
    struct rate_interval raw; // that part
    uint64_t limit_ppb;
    uint64_t half_width_ppb;
    const char *undecided; // why not, in words

    bool bus_known;           // the LAPIC timer was measured against other clocks
    struct rate_interval bus; // its rate
    char bus_against[48];     // their names
    char bus_reason[96];      // why it is not known

    // While sampling:
    uint64_t base; // TSC value that counts as cycle 0
    uint64_t last_tsc;
    size_t pending; // incident that waits for readings after it, or SIZE_MAX
    unsigned pending_rounds;
    uint32_t random;
    uint64_t round_cycles; // the narrowest brackets of the warm-up, together

    size_t count;
    struct clock_run clocks[CLOCKS_MAX]; // last, for the same reason as their tracks
};

// Probes and examines every clock of clock_table that `clocks=` lets pass. Bounded.
void measure_probe(struct measurement *measurement, const struct platform *platform);

// Samples until the precision or the verdicts are proven, or the window is over, and concludes.
// `progress` is called about 64 times a window with the share done in percent; may be NULL.
void measure_window(struct measurement *measurement, const struct options *options,
                    const struct claim *claims, size_t claim_count,
                    void (*progress)(unsigned percent));

// From here: the parts of the above, one file each.

// kernel/examine.c: is this clock fit to be a reference? Sets status, reason, step_ticks, probe
// slopes.
void clock_examine(struct clock_run *run, uint64_t tsc_step_cycles);

// kernel/slow.c: clocks of so few ticks that each must be met.
//
// At the start of the window, and again when the TSC rate is known better; 0: not known yet.
void slow_expect(struct clock_run *run, uint64_t tsc_millihertz);
// Is a reading worth its time at this cycle of the window? True for every clock that is not slow.
bool slow_due(const struct clock_run *run, uint64_t cycles);
// After so many readings in a row that all showed one value: is another one wanted before the other
// clocks have their turn? `alone`: this clock times the window. False for a clock that is not slow.
bool slow_again(const struct clock_run *run, uint64_t cycles, bool alone, unsigned readings);
// Notes a reading of a slow clock.
void slow_note(struct clock_run *run, const struct reading *reading);
// Before that: does the host's time of day go ahead of the TSC with this reading? After a jump its
// next tick tells by how much exactly; run->ahead_low and ahead_high, in cycles, are what is known.
enum slow_jump { SLOW_SOUND, SLOW_JUMPED, SLOW_SIZED };
enum slow_jump slow_jump(struct clock_run *run, const struct reading *reading);
// After the window, which began at cycle 0: a clock that showed no tick in it is stuck.
void slow_conclude(struct clock_run *run, uint64_t tsc_millihertz, uint64_t cycles);

// kernel/incident.c: clock `index` met a contradiction at a reading that ended at `cycles`.
void incident_open(struct measurement *measurement, size_t index, uint64_t cycles);
// The jump of slow clock `index` is sized, or will not be any more.
void incident_jump(struct measurement *measurement, size_t index);
// The TSC went back by `cycles` at window cycle `at`.
void incident_backwards(struct measurement *measurement, uint64_t at, uint64_t cycles);
// Called once a round; closes the pending incident when enough readings have followed.
void incident_round(struct measurement *measurement);
// Closes what is pending and attributes every incident.
void incident_conclude(struct measurement *measurement);
// Is it a step that fails the run? Not one that is only seen on the host's time of day, and not one
// below skew=: to stop and to continue a guest, a hypervisor reads its clocks one after the other.
bool incident_is_grave(const struct measurement *measurement, const struct incident *incident);

// kernel/conclude.c: enclosures, vote, combined rate, bus rate from what the tracks hold now.
void measure_conclude(struct measurement *measurement);

// The judgement of a claim against what was measured; `reason` is set where it is inconclusive.
struct judgement measure_judge(const struct measurement *measurement, const struct claim *claim,
                               uint64_t tolerance_ppb, const char **reason);
