// A reference clock: a counter of known nominal rate that can be read.
//
// Adding one: a file in kernel/clocks/ that ends in a `const struct reference_clock`, and a line in
// kernel/clocks/table.c. docs/adding-a-clock.md walks through it.
#pragma once

#include <machine.h>

#include "kernel/platform.h"
#include "lib/rate.h"

enum clock_status {
    CLOCK_LIVE,
    CLOCK_COARSE, // counts, but in steps of several ticks: used, with its steps taken into account
    CLOCK_ABSENT, // no such device
    CLOCK_DEAD,   // reads as all ones or all zeros
    CLOCK_STUCK,  // reads as one other value
    CLOCK_BACKWARDS, // counted the wrong way
    CLOCK_DISABLED,  // there, but it cannot be switched on
    CLOCK_SLOW,      // its ticks are too far apart for the window that was asked for
    CLOCK_UNUSED,    // left out by clocks=
};
const char *clock_status_word(enum clock_status status); // "live", "coarse", ...

// A clock computed from the TSC, by a rate that the platform states: it repeats that claim and
// cannot test it, so it has no say about the TSC's rate.
#define CLOCK_DERIVED "tsc-derived"

// The host's time of day. It goes on while a virtual machine stands still, and it may be set: its
// steps are no fault of the machine's clocks.
#define CLOCK_WALL "host-wall-clock"

// The value of a reading that told nothing: it is left out.
#define CLOCK_NO_READING UINT64_MAX

// What a driver's probe finds out about its device.
struct clock_info {
    struct hertz nominal;
    const char *rate_source; // what the nominal rate rests on: "1/10000000 fs, its period register"
    // The real rate may differ from the nominal one by -below to +above parts per billion, since
    // implementations round the constant differently. The enclosure is widened by this.
    uint32_t below_ppb, above_ppb;
    unsigned bits;    // width of the counter
    uint64_t modulus; // ticks until readings repeat; readings count up and lie in [0, modulus)
    bool wraps;  // the count starts again at 0 after modulus - 1; false: it is restarted before
    bool sticks; // the count stays at modulus once it got there, so no gap is ambiguous
    bool whole;  // the driver's read_whole has more bits than a reading
    // A gap between two readings as long as so many ticks may hide some. 0: half the modulus.
    uint64_t gap_ticks;
    // Its ticks are so far apart that the examination, of some milliseconds, would see none.
    bool slow;
    // The host takes the readings and posts them, one about every so many ms; 0: it is read. It is
    // not examined, and its readings are good to posted_ticks.
    uint32_t posted_ms, posted_ticks;
    // What it shares its time base with: clocks of one class are one witness. Preset to
    // "host-timebase" or, where they are the hardware's own, "hardware"; docs/clocks.md has the
    // others.
    const char *independence;
    char detail[64]; // where it is: "port 0x608", "0xfed00000, Intel 0x8086"
};

struct reference_clock {
    const char *name; // stable word: "pit", "hpet", "pmtimer", "lapic", ...
    // Finds the device and starts it. CLOCK_LIVE, or CLOCK_ABSENT, CLOCK_DEAD, CLOCK_DISABLED with
    // the reason in words. Bounded; touches nothing that was not found first.
    enum clock_status (*probe)(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size);
    // One reading; `value` counts up, or is CLOCK_NO_READING. Only after a successful
    // probe.
    void (*read)(struct bracket *bracket);
    // Starts the count again at 0, for a clock that does not wrap; else NULL.
    void (*restart)(void);
    // The whole count of a clock that has more bits than a reading takes, in the same direction;
    // else NULL. With it no gap between two readings is ambiguous.
    uint64_t (*read_whole)(void);
    // Where the examination found the clock coarse: switches to another, slower way of counting it
    // and describes that one. False: there is none (any more). NULL: never.
    bool (*fall_back)(struct clock_info *info);
    // Of a posted clock: why less than two readings came in the whole window. `read` gives each
    // reading once, with the TSC at which the host took it, so before the call.
    void (*explain)(char *reason, size_t reason_size);
};

// The table of contents: every clock there is, NULL-terminated, in the order of reports.
extern const struct reference_clock *const clock_table[];

// Their names, NULL-terminated, for clocks=.
extern const char *const clock_names[];
