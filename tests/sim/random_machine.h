// Machines made from a seed, for property tests, and what must be true of every run on them.
#pragma once

#include "tests/sim/sim.h"

enum { RANDOM_PIT, RANDOM_HPET, RANDOM_PMTIMER, RANDOM_LAPIC, RANDOM_CLOCKS };
extern const char *const random_clock_names[RANDOM_CLOCKS]; // as in records

struct random_machine {
    struct sim_config config;
    // The statuses that a clock's record may show, separated by spaces: "live", "dead stuck". NULL:
    // any.
    const char *statuses[RANDOM_CLOCKS];
    bool lapic_rated; // this implementation's LAPIC rate is known to the kernel
    uint64_t window_ns;
    char options[64];
};

enum random_kind {
    RANDOM_ANY,   // clocks may be absent, dead, stuck, backwards or coarse; there are interruptions
    RANDOM_SOUND, // all clocks are there, their counts smooth, and nothing interrupts
    // As sound ones, but readings are short and far apart: the enclosures get so narrow, and the
    // window so long, that a wrong constant, wrap or rounding shows.
    RANDOM_SHARP,
};

// Makes the machine of this seed. Every clock that is not at fault runs at a rate inside what the
// kernel states of it. `window_ms` is the greatest window.
void random_machine(struct random_machine *machine, uint64_t seed, unsigned window_ms,
                    enum random_kind kind);

// The same with the machines of the field, in turn: the devices, rates and CPUID leaves that such a
// machine has, and no others, with another TSC, other latencies, and interruptions.
void random_field_machine(struct random_machine *machine, uint64_t seed, unsigned window_ms);

// Gives it another window.
void random_set_window(struct random_machine *machine, unsigned ms);

// The seeds of a property test: SIM_RUNS of them, or SIM_SEED alone. `check` is called for each,
// with `loud` set in the latter case; a seed for which it is false is printed. Gives how many
// failed.
size_t random_seeds(size_t runs, bool (*check)(uint64_t seed, bool loud));

// A sentence about what is wrong with a run in any case, or NULL: it hung, broke a rule of the
// machine, took too long, wrote an unsound record, gave a clock the wrong status, or the truth lies
// outside of an enclosure.
const char *random_check(const struct random_machine *machine, const struct sim_result *result);
// The part of it that is about the combined enclosure and the bus rate.
const char *random_check_combined(const struct random_machine *machine,
                                  const struct sim_result *result);
