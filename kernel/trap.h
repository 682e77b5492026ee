// CPU exceptions: recovered where a fixup says how, else told to every sink, and the run ends.
#pragma once

#include "lib/types.h"

// Has `on_fault` called, once, when an exception has ended the run and the text sinks have been
// told. It ends the report for everybody else and leaves the machine. `summary` is one sentence.
void trap_set_report(void (*on_fault)(const char *summary));

// What the CPU and boot/traps.asm push.
struct trap_frame;

// The `exception` record of a vCPU, and its registers as text. `address` is its CR2.
void trap_report(const struct trap_frame *frame, uint64_t address, size_t vcpu);
