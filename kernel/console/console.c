#include "kernel/console/console.h"

// The table of contents: every sink there is, in the order of docs/options.md.
static const struct sink_device *const devices[] = {
    &console_com1,      &console_com2,     &console_com3,   &console_com4,
    &console_pciserial, &console_debugcon, &console_screen,
};

enum state { STATE_OFF, STATE_ABSENT, STATE_OPEN, STATE_STOPPED };

static struct {
    enum state state;
    unsigned formats; // SINK_* bits that it gets
    uint64_t bytes;   // that it took
    struct sink_account account;
} sinks[ARRAY_SIZE(devices)];

static void open_sink(size_t index, unsigned formats, const struct platform *platform)
{
    const struct sink_device *device = devices[index];

    memset(&sinks[index], 0, sizeof(sinks[index]));
    sinks[index].formats = formats;
    if (!(formats & ~SINK_AUTO))
        return;
    if (device == &console_screen && formats & SINK_TEXT)
        sinks[index].formats |= SINK_PAGE;
    sinks[index].state =
        device->open(device->unit, platform, &sinks[index].account) ? STATE_OPEN : STATE_ABSENT;
}

static bool is_serial(const struct sink_device *device)
{
    return device != &console_debugcon && device != &console_screen;
}

// A machine without the usual sinks is not to be mute by default: a PCI card replaces the COM
// ports, and the debug console, that of a Xen PVH guest for one, everything.
static void open_auto(size_t index, const struct platform *platform)
{
    bool other = false;

    if (!(sinks[index].formats & SINK_AUTO))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        other |=
            sinks[i].state == STATE_OPEN && (is_serial(devices[i]) || !is_serial(devices[index]));
    open_sink(index, other ? 0 : SINK_TEXT, platform);
}

void console_open(const struct platform *platform)
{
    const struct options *options = &platform->options;
    const unsigned formats[] = {
        options->com1,      options->com2,     options->com3,   options->com4,
        options->pciserial, options->debugcon, options->screen,
    };

    _Static_assert(ARRAY_SIZE(formats) == ARRAY_SIZE(devices), "one option for each sink");
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        open_sink(i, formats[i], platform);
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        open_auto(i, platform);
}

void console_open_fallback(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (sinks[i].state == STATE_OPEN)
            return;
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i] == &console_com1 || devices[i] == &console_screen)
            open_sink(i, SINK_TEXT, NULL);
}

void console_write(unsigned formats, const char *bytes, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (sinks[i].state != STATE_OPEN || !(sinks[i].formats & formats))
            continue;
        if (devices[i]->write(devices[i]->unit, bytes, length))
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

bool console_screen_alone(void)
{
    bool alone = false;

    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        if (sinks[i].state != STATE_OPEN && sinks[i].state != STATE_STOPPED)
            continue;
        if (devices[i] != &console_screen)
            return false;
        alone = true;
    }
    return alone;
}

bool console_state(size_t index, struct sink_state *state)
{
    static const char *const words[] = {
        [STATE_OFF] = "off",
        [STATE_ABSENT] = "absent",
        [STATE_OPEN] = "open",
        [STATE_STOPPED] = "stopped",
    };

    if (index >= ARRAY_SIZE(devices))
        return false;
    unsigned formats = sinks[index].formats & (SINK_TEXT | SINK_JSON | SINK_TAP);
    *state = (struct sink_state){
        .name = devices[index]->name,
        .status = words[sinks[index].state],
        .gets = formats == (SINK_TEXT | SINK_JSON) ? "text+json"
                : formats == SINK_TEXT             ? "text"
                : formats == SINK_JSON             ? "json"
                : formats == SINK_TAP              ? "tap"
                                                   : "off",
        .account = &sinks[index].account,
        .bytes = sinks[index].bytes,
    };
    return true;
}
