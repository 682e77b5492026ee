// The 8254 at ports 0x40 to 0x43, and the part of port 0x61 that belongs to it.
// Intel 8254 data sheet, order number 231164.
#include "tests/sim/model.h"

#define PORT_COMMAND 0x43
#define PORT_SYSTEM  0x61
#define GATE_2       0x01

void pit_reset(void)
{
    oscillator_start(&sim.pit_clock, &sim.config->pit.clock);
    sim.port_61 = 0;
    for (unsigned i = 0; i < 3; i++)
        sim.channels[i] = (struct pit_channel){.access = 3, .mode = 3, .counting = true};
    sim.channels[0].initial = 0x10000; // firmware's tick, 18.2 times a second
}

static uint128 phase(void)
{
    return oscillator_phase(&sim.pit_clock, sim.now_fs);
}

static bool reloads(const struct pit_channel *channel)
{
    return channel->mode == 2 || channel->mode == 3;
}

// Ticks since the channel stood at its initial count. A late channel 0 begins each period some time
// after the last one ended.
static uint64_t elapsed(struct pit_channel *channel)
{
    const struct sim_pit *config = &sim.config->pit;

    if (!channel->counting)
        return (uint64_t)(channel->held >> 64);
    uint128 since = phase() - channel->started;
    if (config->channel_0_late_ns && channel == &sim.channels[0] && reloads(channel)) {
        uint128 period = (uint128)channel->initial << 64;
        while (since >= period && since >> 127 == 0) {
            uint64_t late_ns = sim_exponential(config->channel_0_late_ns);
            // Nominal ticks will do for a random delay.
            uint128 late = ((uint128)late_ns << 64) / 1000000 * 1193182 / 1000;
            channel->started += period + late;
            since = phase() - channel->started;
        }
        if (since >> 127) // the delay is not over yet
            return channel->initial - 1;
    }
    return (uint64_t)(since >> 64);
}

static uint16_t count(struct pit_channel *channel)
{
    const struct sim_pit *config = &sim.config->pit;
    uint32_t initial = channel->initial;

    if (config->clock.fault == SIM_DEAD_ONES)
        return UINT16_MAX;
    if (config->clock.fault == SIM_DEAD_ZEROS || !initial)
        return 0;
    if (channel == &sim.channels[2] && config->channel_2_stuck)
        return (uint16_t)initial;
    uint64_t ticks = elapsed(channel);
    switch (channel->mode) {
    case 2:
        return (uint16_t)(initial - ticks % initial);
    case 3: // by twos, the period's two halves alike
        return (uint16_t)(initial - 2 * ticks % initial);
    default:
        if (config->mode_0 == SIM_MODE_0_CLAMPS)
            return (uint16_t)(ticks < initial ? initial - ticks : 0);
        if (config->mode_0 == SIM_MODE_0_STARTS)
            return (uint16_t)(initial - ticks % initial);
        return (uint16_t)(initial - ticks);
    }
}

static bool out(struct pit_channel *channel)
{
    if (!channel->initial)
        return channel->mode != 0;
    uint64_t ticks = elapsed(channel);
    switch (channel->mode) {
    case 2:
        return ticks % channel->initial != channel->initial - 1;
    case 3:
        return ticks % channel->initial < (channel->initial + 1) / 2;
    default:
        return ticks >= channel->initial;
    }
}

static void latch_count(struct pit_channel *channel)
{
    // A count that is latched already stays (data sheet, "Counter Latch Command").
    if (channel->count_latched)
        return;
    channel->latch = count(channel);
    channel->count_latched = true;
}

static void load(struct pit_channel *channel, uint16_t value)
{
    channel->initial = value ? value : sim.config->pit.zero_is_65535 ? 0xffff : 0x10000;
    channel->started = phase();
    channel->held = 0;
    channel->counting =
        channel != &sim.channels[2] || sim.config->pit.gate_ignored || sim.port_61 & GATE_2;
}

static void command(uint8_t value)
{
    unsigned index = value >> 6;

    if (index == 3) { // read-back: bit 5 clear latches the count, bit 4 clear the status
        for (unsigned i = 0; i < 3; i++) {
            struct pit_channel *channel = &sim.channels[i];
            if (!(value >> (i + 1) & 1))
                continue;
            if (!(value & 0x20))
                latch_count(channel);
            if (!(value & 0x10) && !channel->status_latched) {
                channel->status =
                    (uint8_t)(out(channel) << 7 | channel->access << 4 | channel->mode << 1);
                channel->status_latched = true;
            }
        }
        return;
    }
    struct pit_channel *channel = &sim.channels[index];
    uint8_t access = value >> 4 & 3;
    if (access == 0) {
        latch_count(channel);
        return;
    }
    channel->access = access;
    channel->mode = value >> 1 & 7;
    if (channel->mode >= 6) // the data sheet's modes 2 and 3 have a bit that does not matter
        channel->mode -= 4;
    channel->initial = 0;
    channel->high_next_read = channel->high_next_write = false;
    channel->count_latched = channel->status_latched = false;
}

static void write_count(struct pit_channel *channel, uint8_t value)
{
    if (channel->access == 3 && !channel->high_next_write) {
        channel->loading = value;
        channel->high_next_write = true;
        return;
    }
    channel->high_next_write = false;
    if (channel->access == 3)
        load(channel, (uint16_t)(channel->loading | value << 8));
    else
        load(channel, (uint16_t)(channel->access == 1 ? value : value << 8));
}

static uint8_t read_count(struct pit_channel *channel)
{
    if (channel->status_latched) {
        channel->status_latched = false;
        return channel->status;
    }
    uint16_t value = channel->count_latched ? channel->latch : count(channel);
    bool high = channel->access == 2 || (channel->access == 3 && channel->high_next_read);
    if (channel->access == 3)
        channel->high_next_read = !channel->high_next_read;
    if (channel->access != 3 || high)
        channel->count_latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

static uint8_t read_system(void)
{
    enum sim_out kind = sim.config->pit.out_2;
    bool high = kind == SIM_OUT_HIGH || (kind == SIM_OUT_REAL && out(&sim.channels[2]));
    // Bit 4 toggles with the memory refresh, every 15 us.
    unsigned refresh = sim.now_fs / (15000ull * FS_PER_NS) & 1;

    return (uint8_t)(sim.port_61 | refresh << 4 | high << 5);
}

static void write_system(uint8_t value)
{
    struct pit_channel *channel = &sim.channels[2];
    bool gate = value & GATE_2;
    bool was = sim.port_61 & GATE_2;

    sim.port_61 = value & 0x0f;
    if (sim.config->pit.gate_ignored || gate == was)
        return;
    if (!gate) {
        channel->held = phase() - channel->started;
    } else if (reloads(channel)) { // a rising gate starts the count again
        channel->started = phase();
    } else {
        channel->started = phase() - channel->held;
    }
    channel->counting = gate;
}

uint8_t pit_read(uint16_t port)
{
    if (port == PORT_SYSTEM)
        return read_system();
    if (port == PORT_COMMAND)
        return 0xff; // write-only
    return read_count(&sim.channels[port & 3]);
}

void pit_write(uint16_t port, uint8_t value)
{
    if (port == PORT_SYSTEM)
        write_system(value);
    else if (port == PORT_COMMAND)
        command(value);
    else
        write_count(&sim.channels[port & 3], value);
}
