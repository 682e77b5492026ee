// CPU exceptions: recovered where a fixup says how, else told to every sink, and the run ends.
#pragma once

// Has `on_fault` called, once, when an exception has ended the run and the text sinks have been
// told. It ends the report for everybody else and leaves the machine. `summary` is one sentence.
void trap_set_report(void (*on_fault)(const char *summary));
