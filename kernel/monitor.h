// The monitor: with duration=, windows that follow one another, told of as they end.
#pragma once

#include "kernel/judge.h"
#include "kernel/measure.h"
#include "lib/allan.h"

// What one window told.
struct monitor_window {
    uint64_t number, at_ns,
        window_ns; // at_ns: from the beginning of measuring to that of the window
    uint64_t samples;
    bool decided;
    struct rate_interval rate; // widened
    bool change_known;
    int64_t change_ppb; // of the estimate, against the window before
    bool apart;         // the enclosures of this window and the one before have nothing in common
    unsigned odd;       // bit i: clock i contradicts the majority
    unsigned incidents, gaps; // that were told in it
};

// Who is told, while it runs.
struct monitor_listener {
    // After measure_conclude_slice.
    void (*window)(const struct measurement *measurement, const struct monitor_window *window);
    void (*incident)(const struct measurement *measurement, const struct incident *incident,
                     uint64_t number);
    void (*gap)(const struct measurement *measurement, const struct gap *gap);
    // The claims were read again. Once for each that changed, or, with NULL, if none did.
    void (*reread)(const struct measurement *measurement, const struct claim *old,
                   const struct claim *now);
};

struct monitor {
    uint64_t windows;
    uint64_t duration_ns; // by the final rate
    bool decided;         // rate, raw_known and raw hold
    bool raw_known;
    // The TSC's rate at every time of the run lies in here. The estimate is its mean.
    struct rate_interval rate, raw;
    uint64_t stretches; // of constant rate, as far as can be told

    uint64_t incidents; // that were told, of any kind
    uint64_t unlisted;  // and those that there was no room for
    uint64_t steps, pauses, rate_changes, gaps, longest_gap_ns;
    bool step_known;       // a step was sized:
    int64_t step_ns;       // the largest, its proven least size with the sign
    struct incident step;  // and what it was
    bool unclear;          // a step was the TSC's, or the time of day's
    struct incident grave; // the first one that fails the run; is_step: there was one
    bool monotonic;        // no clock went back

    // The TSC's drift, in ppb an hour, against the clock that tells it best; proven.
    const char *drift_clock; // NULL: not known
    int64_t drift_low_ppb, drift_high_ppb;
    // Its frequency in each window against one clock.
    struct allan allan;
    const char *allan_clock; // NULL: none yet

    // While it runs:
    uint64_t rate_ns; // time that `mean` is about
    uint128 mean;     // millihertz times ns
    bool previous_known;
    struct rate_interval previous; // window
    unsigned window_incidents, window_gaps;
    size_t allan_index;
    uint64_t allan_millihertz; // of the first window
    bool reread;               // something happened after which the claims may be others
    bool window_hull_known;    // the rate in each window since the stretch began lies in here:
    struct rate_interval window_hull;
    // The judgement of each claim, since it was last found to be another one, in the stretches
    // before the last one.
    struct {
        bool known;
        uint64_t window_ns; // of the stretch that it is from
        struct judgement judgement;
    } judged[CLAIMS_MAX];
};

// Measures until the duration is used up, and concludes: `measurement` then is about the time since
// the rate changed last, or the whole run.
void monitor_run(struct monitor *monitor, struct measurement *measurement,
                 const struct platform *platform, struct claim *claims, size_t claim_count,
                 const struct monitor_listener *listener);

// What the earlier stretches make of the judgement of claim `index` in the last one: off in one is
// off, and one that could tell counts more than one that could not. `reason` becomes "" then.
void monitor_judgement(const struct monitor *monitor, size_t index, struct judgement *judgement,
                       const char **reason);
