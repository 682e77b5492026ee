// How the machine is left, with the outcome where the way can carry it.
#pragma once

#include "kernel/platform.h"

enum outcome { OUTCOME_PASS, OUTCOME_INCONCLUSIVE, OUTCOME_FAIL }; // the more severe, the greater

// Leaves by the way that exit= asks for; exit=auto takes the best that there is evidence for. Where
// a way does not work the next is tried, and at last the CPU is halted. `platform` NULL: nothing is
// known but the outcome (an exception came too early).
_Noreturn void machine_leave(enum outcome outcome, const struct platform *platform);
