// What report/measurement.c and report/monitor.c share.
#pragma once

#include "kernel/measure.h"

// A measurement record, whether of one clock or of all of them.
struct row {
    const char *clock, *status;
    uint64_t window_ns, samples;
    unsigned segments;
    const struct rate_interval *rate, *raw; // NULL: not known
    uint64_t limit_ppb, defect_ns;
    uint64_t began_ns;      // after the run began
    const uint64_t *window; // its number; NULL: it is about more than one window
    uint64_t at_ns;         // from the beginning of measuring to that of the window
};

// The row of all clocks together, as `measurement` was concluded last: of the current window, or of
// the whole.
struct row row_of_all(const struct measurement *measurement, bool slice);
void record_row(const struct row *row);

// Both ends of an interval, null where it is not known.
void record_interval(const char *low, const char *high, const struct rate_interval *rate);

// "tsc", "hpet", "tsc or hpet", ...
#define SUSPECTS_SIZE 64
void name_suspects(const struct measurement *measurement, const struct incident *incident,
                   char name[SUSPECTS_SIZE]);

// The record of a step, and its line of text.
void write_incident(const struct measurement *measurement, const struct incident *incident,
                    uint64_t number);
