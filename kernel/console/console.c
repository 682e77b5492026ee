#include "kernel/console/console.h"

#include "lib/text.h"

// The table of contents: every sink there is, in the order of docs/options.md.
static const struct sink_device *const devices[] = {
    &console_com1,
    &console_com2,
    &console_debugcon,
    &console_screen,
};

enum state { STATE_OFF, STATE_ABSENT, STATE_OPEN, STATE_STOPPED };

static struct {
    enum state state;
    unsigned formats; // SINK_* bits that it gets
    uint64_t bytes;   // that it took
} sinks[ARRAY_SIZE(devices)];

static void open_sink(size_t index, unsigned formats)
{
    sinks[index].formats = formats;
    sinks[index].bytes = 0;
    if (!formats)
        sinks[index].state = STATE_OFF;
    else
        sinks[index].state = devices[index]->open() ? STATE_OPEN : STATE_ABSENT;
}

void console_open(const struct options *options)
{
    const unsigned formats[] = {options->com1, options->com2, options->debugcon, options->screen};

    _Static_assert(ARRAY_SIZE(formats) == ARRAY_SIZE(devices), "one option for each sink");
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        open_sink(i, formats[i]);
    // A machine without UART and screen, a Xen PVH guest for one, is not to be mute by default.
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i] == &console_debugcon && !console_wants(SINK_TEXT | SINK_JSON | SINK_TAP))
            open_sink(i, SINK_TEXT);
}

void console_open_fallback(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (sinks[i].state == STATE_OPEN)
            return;
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i] == &console_com1 || devices[i] == &console_screen)
            open_sink(i, SINK_TEXT);
}

void console_write(unsigned formats, const char *bytes, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (sinks[i].state != STATE_OPEN || !(sinks[i].formats & formats))
            continue;
        if (devices[i]->write(bytes, length))
            sinks[i].bytes += length;
        else
            sinks[i].state = STATE_STOPPED;
    }
}

bool console_wants(unsigned formats)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (sinks[i].state == STATE_OPEN && sinks[i].formats & formats)
            return true;
    return false;
}

const char *console_describe(size_t index)
{
    static char description[64];

    if (index >= ARRAY_SIZE(devices))
        return NULL;
    unsigned formats = sinks[index].formats;
    const char *what = formats == (SINK_TEXT | SINK_JSON) ? "text+json"
                       : formats == SINK_TEXT             ? "text"
                       : formats == SINK_JSON             ? "json"
                       : formats == SINK_TAP              ? "tap"
                                                          : "off";
    switch (sinks[index].state) {
    case STATE_OFF:
    case STATE_OPEN:
        text_print(description, sizeof(description), "%s %s", devices[index]->name, what);
        break;
    case STATE_ABSENT:
        text_print(description, sizeof(description), "%s absent", devices[index]->name);
        break;
    case STATE_STOPPED:
        text_print(description, sizeof(description), "%s stopped after %llu bytes",
                   devices[index]->name, (unsigned long long)sinks[index].bytes);
        break;
    }
    return description;
}
