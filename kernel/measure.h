// The measurement: all live clocks sampled interleaved in one window, each enclosed, all combined.
#pragma once

#include "kernel/clock.h"
#include "lib/claim.h"
#include "lib/marks.h"
#include "lib/rate.h"
#include "lib/slice.h"
#include "lib/track.h"

#define CLOCKS_MAX    8
#define INCIDENTS_MAX 8
#define GAPS_MAX      4

enum measurement_status {
    MEASUREMENT_NONE,    // not sampled, or too little to bound the rate
    MEASUREMENT_OK,      // bounded, and in agreement with the others
    MEASUREMENT_ODD,     // bounded, but outvoted by the others
    MEASUREMENT_STEPPED, // this clock was proven to have stepped
    MEASUREMENT_EMPTY,   // its segments allow no common rate: it is not linear in the TSC
    MEASUREMENT_DERIVED, // bounded, but computed from the TSC: it has no vote
};
const char *measurement_status_word(enum measurement_status status); // "none", "ok", "odd", ...

// A tick of a slow clock, in cycles of the window.
struct slow_tick {
    uint64_t after, until; // between these two readings
    uint64_t value;        // that it brought
    uint64_t hidden;       // so long the TSC may have stood still in it
};

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
    uint64_t tick_cycles; // from one tick to the next, 0 while that is not known
    unsigned ticks_seen;
    struct slow_tick tick, tick_before; // the last one, and the one before that
    uint64_t last_value, last_before;   // of its last reading, and when that began
    // A jump ahead of the TSC that waits for the next tick; the tick before it, and its size:
    bool jumped;
    struct slow_tick from;
    uint64_t jumped_until;
    int64_t ahead_low, ahead_high;

    enum measurement_status result;
    struct rate_interval raw;     // TSC rate at the nominal rate of this clock
    struct rate_interval widened; // with the uncertainty of that nominal rate
    uint64_t limit_ppb; // narrowest bracket / window: no half-width can be proven below it
    uint64_t defect_ns; // how far the readings were from fitting one line
    bool stepped;       // it, and nothing else, was proven to have stepped

    struct slice slice;             // with duration=: the current window
    struct marks marks;             // and a reading from the end of each, since its count is sure
    uint64_t defect_kept_millitick; // the largest contradiction in the windows before

    struct track track; // last: it is large, and track_reset clears it when it is needed
};

// Something happened between two readings: no line fits the readings on both sides.
struct incident {
    uint64_t after_cycles, before_cycles; // when, in cycles of the window
    uint64_t found_cycles;                // the reading that showed it, or the last one that did
    unsigned seen;                        // bit i: the readings of clock i showed it
    unsigned changed; // bit i: against clock i the rates before and after it exclude each other
    size_t first;     // the clock that showed it first
    bool merged;      // more than one break came before the first was sized
    bool sized;       // the offsets were taken, and the conclusion holds
    uint64_t window;  // in which it was found
    uint64_t window_began; // the cycle at which that began
    uint64_t window_at_ns; // and the time
    struct {
        bool known;
        // Offset of the clock's line after against before, in TSC cycles.
        int64_t least_cycles, most_cycles;
    } offsets[CLOCKS_MAX];
    uint64_t back_cycles; // the TSC read lower than before, by this much; else 0
    bool is_jump;         // of a slow clock, whose ticks told all: nothing is left to attribute
    // It may have been a pause: sized once the next tick of a wall clock bears witness, or not
    // after all. Which clock, plus 1, its tick before, and how long it is waited for.
    size_t witness;
    struct slow_tick witness_from;
    uint64_t witness_until;
    uint64_t gap_cycles;   // time without a reading next to it
    uint64_t quiet_before; // and when that ended
    // The conclusion:
    bool is_step;             // proven: some clock's offset excludes 0. Else a change of rate
    bool tsc_possible;        // the TSC may be the one that stepped
    unsigned clocks_possible; // bit i: clock i may be the one
    int64_t low_cycles, high_cycles; // signed size of the step of the TSC or of the clock
    bool wall_only; // the host's time of day stepped, or may have: no other clock did for certain
    bool is_pause;  // the machine stood still, which explains it
};

// Can the step be that of the TSC or of one clock alone?
static inline bool incident_suspects(const struct incident *incident)
{
    return incident->tsc_possible || incident->clocks_possible;
}
// A time in which no clock was read, since the guest did not run.
struct gap {
    uint64_t after_cycles, before_cycles;
    uint64_t window, window_began, window_at_ns; // in which it began, as in an incident
    unsigned lost; // bit i: how far clock i counted in it is not known
    bool whole;    // every clock was read again since
};

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
    uint64_t timing_millihertz; // the TSC's rate as the windows are timed by, 0: not known yet
    uint64_t round_cycles;      // the narrowest brackets of the warm-up, together

    // With duration=, see measure_slice:
    bool repeats;
    uint64_t window;           // its number, from 0
    uint64_t window_began;     // cycles
    uint64_t window_at_ns;     // the windows before took so long, each by its own rate
    uint64_t window_cycles;    // how long it is to be
    uint64_t window_samples;   // `samples` when it began
    uint64_t began;            // cycle at which what `all` rests on began
    uint64_t gap_limit_cycles; // a longer time without a reading is a gap; 0: not looked for
    struct gap gaps[GAPS_MAX]; // that were not told yet
    size_t gap_count;          // may exceed GAPS_MAX
    // The last time without a reading of a fiftieth of that, or longer; the longest of late.
    uint64_t quiet_after, quiet_before;
    bool busy; // a report was written since the last reading

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

// The same in parts, for windows that follow one another (kernel/monitor.h).
//
// Chooses what is sampled, and warms up. False where nothing can be measured; `undecided` says why.
bool measure_begin(struct measurement *measurement, const struct options *options);
// One more window, without a gap to the one before: the last reading of each clock in that is its
// first one in this. `look` is called after every round in which `incidents` or `gaps` got one that
// is ready. False if the TSC stopped.
bool measure_slice(struct measurement *measurement, const struct options *options,
                   void (*look)(void *context), void *context);
// Between two windows, after something that took time: reads all clocks once, so that the stream
// has no gap.
void measure_keep(struct measurement *measurement);
// Begins the next one, where the last one ended.
void measure_next(struct measurement *measurement);
// What the current window tells, in `all` and the clocks' results; and what was proven before the
// last break, and not yet forgotten. measure_conclude then turns them back into what the whole
// stream tells since measure_forget was called last.
void measure_conclude_slice(struct measurement *measurement);
void measure_conclude_closed(struct measurement *measurement);
// The rate changed: what was proven of it so far holds no longer.
void measure_forget(struct measurement *measurement);
// The end of the last window.
void measure_end(struct measurement *measurement);

// From here: the parts of the above, one file each. kernel/window.c has what ends a window and goes
// on to the next one, kernel/measure.c what goes before:
//
// Reads every clock that is due, and the one that times the window, and tells the tracks.
void measure_round(struct measurement *measurement);
// From now on windows are timed by this rate of the TSC; 0: it is not known.
void measure_time_by(struct measurement *measurement, const struct options *options,
                     uint64_t tsc_millihertz);
// And by that rate it is told what is a gap.
void measure_limit_gaps(struct measurement *measurement);
// The last reading, in cycles of the window.
static inline uint64_t measure_now(const struct measurement *measurement)
{
    return measurement->last_tsc - measurement->base;
}

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
// Does it show the host's time of day, and is its tick known in cycles?
bool slow_is_wall(const struct clock_run *run);
// How far a wall clock went ahead of the TSC from one of its ticks to this reading of it, in which
// it ticked: *low to *high cycles.
void slow_ahead(const struct clock_run *run, const struct slow_tick *from,
                const struct reading *reading, int64_t *low, int64_t *high);
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
// Called once a round; sizes and attributes the pending incident when enough readings have
// followed.
void incident_round(struct measurement *measurement);
// Does so with what is still pending, or waits for a witness.
void incident_conclude(struct measurement *measurement);
// What the offsets prove: the incident is sized, or waits for a witness.
void incident_attribute(struct measurement *measurement, struct incident *incident);

// kernel/pause.c: does a machine that stood still explain it?
bool incident_is_pause(const struct measurement *measurement, const struct incident *incident);
// Could a wall clock tell, by its next tick? Then it is waited for; asked once.
bool incident_needs_witness(const struct measurement *measurement, struct incident *incident);
// Before slow_note: a reading of clock `index`, for the incidents that wait for it.
void incident_tick(struct measurement *measurement, size_t index, const struct reading *reading);
// Sizes those that have waited for too long at this cycle.
void incident_forgo(struct measurement *measurement, uint64_t cycles);
// Is it a step that fails the run? Not one that is only seen on the host's time of day, and not one
// below skew=: to stop and to continue a guest, a hypervisor reads its clocks one after the other.
bool incident_is_grave(const struct measurement *measurement, const struct incident *incident);

// kernel/conclude.c: enclosures, vote, combined rate, bus rate from what the tracks hold now.
void measure_conclude(struct measurement *measurement);

// The judgement of a claim against what was measured; `reason` is set where it is inconclusive.
struct judgement measure_judge(const struct measurement *measurement, const struct claim *claim,
                               uint64_t tolerance_ppb, const char **reason);
