// Sinks: where a report goes. One file per kind of device; every write is bounded and none can
// hang.
#pragma once

#include "kernel/platform.h"

// What a driver tells about its device.
struct sink_account {
    char where[80];   // where it is and what; why it is absent
    char problem[96]; // what was wrong on the way, for a warning in the report; "": nothing
};

struct sink_device {
    const char *name; // "com1", "screen"
    unsigned unit;    // tells apart the devices of one driver
    // Finds and sets up the device; false if it is not there. Bounded, and touches nothing that was
    // not found first. `platform` is NULL before anything is known of the machine, else its boot,
    // phys and options are there.
    bool (*open)(unsigned unit, const struct platform *platform, struct sink_account *account);
    // Writes all bytes; false if the device stopped taking them, after a bounded wait. '\n' ends a
    // line; the device adds what it needs (a carriage return).
    bool (*write)(unsigned unit, const char *bytes, size_t length);
};

extern const struct sink_device console_com1, console_com2, console_com3, console_com4,
    console_pciserial, console_debugcon, console_screen;

// Opens the sinks that the options ask for: those left to themselves (SINK_AUTO) for text where
// there is no COM port, or for the debug console no other sink. A sink whose device is absent, or
// stops taking bytes later, is closed, and console_state tells.
void console_open(const struct platform *platform);

// Writes to every open sink that gets any of `formats` (SINK_* bits).
void console_write(unsigned formats, const char *bytes, size_t length);

// Is any sink open that gets any of `formats`?
bool console_wants(unsigned formats);

// Is a screen the only sink that got anything? It shows nothing any more when the machine is off.
bool console_screen_alone(void);

// For an exception before, or instead of, console_open: opens COM1 and the screen for text if
// nothing is open.
void console_open_fallback(void);

// Sink `index` as it is now.
struct sink_state {
    const char *name;
    const char *status; // "open", "absent", "off", or "stopped": it takes no more bytes
    const char *gets;   // "text", "json", "text+json", "tap"; "off" where it gets nothing
    const struct sink_account *account;
    uint64_t bytes; // that it took
};
// False past the last one.
bool console_state(size_t index, struct sink_state *state);
