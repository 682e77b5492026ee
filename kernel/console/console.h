// Sinks: where a report goes. One file per device; every write is bounded and none can hang.
#pragma once

#include "lib/options.h"

struct sink_device {
    const char *name; // "com1", "com2", "debugcon", "screen"
    // Finds and sets up the device; false if it is not there.
    bool (*open)(void);
    // Writes all bytes; false if the device stopped taking them, after a bounded wait. '\n' ends a
    // line; the device adds what it needs (a carriage return).
    bool (*write)(const char *bytes, size_t length);
};

extern const struct sink_device console_com1, console_com2, console_debugcon, console_screen;

// Opens the sinks that the options ask for; where none of them is there, the debug console for
// text. A sink whose device is absent, or stops taking bytes later, is closed, and console_describe
// tells.
void console_open(const struct options *options);

// Writes to every open sink that gets any of `formats` (SINK_* bits).
void console_write(unsigned formats, const char *bytes, size_t length);

// Is any sink open that gets any of `formats`?
bool console_wants(unsigned formats);

// For an exception before, or instead of, console_open: opens COM1 and the screen for text if
// nothing is open.
void console_open_fallback(void);

// The state of sink `index` in words ("com1 text", "com2 absent", "com1 stopped after 312 bytes");
// NULL past the last one. The string is valid until the next call.
const char *console_describe(size_t index);
