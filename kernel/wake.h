// Interrupts that end a HLT. The image runs with interrupts off; here they are let in one by one,
// and nothing is slept on that was not seen to arrive before. docs/costs.md.
#pragma once

#include "kernel/platform.h"
#include "lib/types.h"

enum wake_source { WAKE_LAPIC, WAKE_PIT, WAKE_DEADLINE, WAKE_SOURCES };
const char *wake_source_word(enum wake_source source); // "lapic", "pit", "deadline"

enum wake_result {
    WAKE_ABSENT, // there is none, or it was not to be used
    WAKE_SILENT, // its interrupt did not come
    WAKE_EARLY,  // it came before its time
    WAKE_WORKS,
};
const char *wake_result_word(enum wake_result result); // "absent", "silent", "early", "works"

// Finds out which ones work, `use_pit` or not: masks the PICs, gives them vectors of their own, and
// waits for two interrupts of each source, awake, for 20 ms and 1000
// turns of a loop. Writes one result a source.
// What the LAPIC timer and PIT channel 0 were programmed to is lost.
void wake_prove(const struct platform *platform, uint64_t tsc_millihertz, bool use_pit,
                enum wake_result results[WAKE_SOURCES]);

// Has the LAPIC timer and the PIT, those that work, interrupt every 5 ms. False: there is none.
bool wake_start(const enum wake_result results[WAKE_SOURCES]);

// Halts until one of them does.
void wake_sleep(void);

// No more interrupts from now on.
void wake_end(void);

// For the trap handler, on a vector that is no exception: is it one of ours? It may clear the
// interrupt flag in `rflags`, which are those of the interrupted code.
bool wake_take(uint64_t *rflags);
