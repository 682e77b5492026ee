// The 8254 programmable interval timer, at 105/88 MHz. Intel 8254 data sheet, order number 231164.
//
// Channel 2 in mode 2 with reload 0xffff, latched for each reading. Why so, and not otherwise:
//  - The latch command is one access that samples the counter; it is bracketed alone, and the two
//    data reads follow outside. So one VM exit lies inside the bracket, not three.
//  - Mode 2 counts down by one and wraps at the reload value everywhere. Mode 0 wraps at 65536 on
//    KVM and QEMU, at the initial count on bhyve, and stops at 0 on crosvm; mode 3 counts by twos.
//  - Reload 0xffff is 65535 everywhere; reload 0 is 65536, but 65535 on bhyve.
//  - Channel 0 raises interrupts, belongs to firmware, and is re-based at each delivered tick by
//  Xen
//    and crosvm. It is used only where channel 2 does not count, in mode 0 (no tick is delivered
//    while it counts), and never across its end.
//  - Neither port 0x61's OUT bit nor the read-back command is used: OUT is a constant on several
//    hypervisors, and read-back is wrong on several others. docs/clocks.md has the list.
#include "kernel/clock.h"

#define PIT_CHANNEL_0 0x40
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND   0x43
// Command byte: channel in bits 7:6, access (3: low byte, then high byte) in 5:4, mode in 3:1.
#define COMMAND_CHANNEL_0_MODE_0 0x30
#define COMMAND_CHANNEL_2_MODE_2 0xb4
#define COMMAND_LATCH_0          0x00
#define COMMAND_LATCH_2          0x80
#define SYSTEM_PORT              0x61
#define SYSTEM_GATE_2            0x01
#define SYSTEM_SPEAKER           0x02

#define RELOAD 0xffffu

static bool channel_0;

static uint16_t fetch(uint16_t port)
{
    uint16_t low = machine_in8(port);

    return (uint16_t)(low | (uint16_t)machine_in8(port) << 8);
}

static void start(uint8_t command, uint16_t port)
{
    machine_out8(PIT_COMMAND, command);
    machine_out8(port, RELOAD & 0xff);
    machine_out8(port, RELOAD >> 8);
}

static void restart(void)
{
    if (channel_0)
        start(COMMAND_CHANNEL_0_MODE_0, PIT_CHANNEL_0);
    else
        start(COMMAND_CHANNEL_2_MODE_2, PIT_CHANNEL_2);
}

static void read(struct bracket *bracket)
{
    uint16_t count;

    // Two calls, not one with a variable command: the command byte should be a constant in the
    // bracket.
    if (channel_0) {
        machine_bracket_out8(PIT_COMMAND, COMMAND_LATCH_0, bracket);
        count = fetch(PIT_CHANNEL_0);
    } else {
        machine_bracket_out8(PIT_COMMAND, COMMAND_LATCH_2, bracket);
        count = fetch(PIT_CHANNEL_2);
    }
    bracket->value = (uint16_t)(RELOAD - count);
}

// Does the channel that was started change its count within 256 readings, each of which takes
// longer than the tenth of a tick? All ones throughout means that nothing answers.
static bool counts(bool *all_ones)
{
    struct bracket first, next;

    read(&first);
    *all_ones = first.value == 0;
    for (int i = 0; i < 256; i++) {
        read(&next);
        *all_ones = *all_ones && next.value == 0;
        if (next.value != first.value)
            return true;
    }
    return false;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    bool ones_2, ones_0;

    (void)platform;
    uint8_t system = machine_in8(SYSTEM_PORT);
    if (system != 0xff)
        machine_out8(SYSTEM_PORT, (uint8_t)((system | SYSTEM_GATE_2) & ~SYSTEM_SPEAKER & 0x0f));

    info->nominal = (struct hertz){105000000, 88};
    info->rate_source = "105/88 MHz, the 8254's clock in a PC";
    // KVM and Bochs count at 1193181 Hz (-0.686 ppm), most others at 1193182 Hz (+0.152 ppm).
    info->below_ppb = 686;
    info->above_ppb = 153;
    info->bits = 16;

    channel_0 = false;
    restart();
    if (counts(&ones_2)) {
        info->modulus = RELOAD;
        info->wraps = true;
        text_print(info->detail, sizeof(info->detail), "channel 2, mode 2, reload 65535");
        return CLOCK_LIVE;
    }
    channel_0 = true;
    restart();
    if (counts(&ones_0)) {
        info->modulus = RELOAD + 1;
        info->wraps = false;
        text_print(info->detail, sizeof(info->detail), "channel 0, mode 0: channel 2 stands still");
        return CLOCK_LIVE;
    }
    if (ones_2 && ones_0) {
        text_print(reason, reason_size, "ports 0x40 to 0x43 read as all ones");
        return CLOCK_ABSENT;
    }
    text_print(reason, reason_size, "neither channel 2 nor channel 0 changes its count");
    return CLOCK_STUCK;
}

const struct reference_clock clock_pit = {
    .name = "pit",
    .probe = probe,
    .read = read,
    .restart = restart,
};
