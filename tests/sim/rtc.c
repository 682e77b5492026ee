// The CMOS real-time clock at ports 0x70 and 0x71. Motorola MC146818A data sheet.
#include "tests/sim/model.h"

#define REGISTER_A 0x0a
#define REGISTER_B 0x0b
#define REGISTER_C 0x0c
#define UIP        0x80
#define PERIODIC   0x40
#define HERTZ      32768u
#define UIP_TICKS  8 // 244 us before the update

void rtc_reset(void)
{
    oscillator_start(&sim.rtc_clock, &sim.config->rtc.clock);
    sim.rtc_index = 0;
    sim.rtc_periods = 0;
}

static uint64_t ticks(void)
{
    return (uint64_t)(oscillator_phase(&sim.rtc_clock, sim.now_fs) >> 64);
}

static uint8_t encode(unsigned value)
{
    return (uint8_t)(sim.config->rtc.binary ? value : value / 10 << 4 | value % 10);
}

static uint8_t encode_hours(unsigned hours)
{
    if (!sim.config->rtc.hours_12)
        return encode(hours);
    return (uint8_t)(encode(hours % 12 ? hours % 12 : 12) | (hours >= 12 ? 0x80 : 0));
}

static uint8_t register_a(void)
{
    const struct sim_rtc *config = &sim.config->rtc;
    bool updating = ticks() % HERTZ >= HERTZ - UIP_TICKS;

    if (config->uip != SIM_UIP_REAL)
        updating = config->uip == SIM_UIP_STUCK;
    return (uint8_t)(0x20 | config->rate | (updating ? UIP : 0));
}

// Reading clears the flags.
static uint8_t register_c(void)
{
    const struct sim_rtc *config = &sim.config->rtc;

    if (!config->flag_works || !config->rate)
        return 0;
    uint64_t late = config->flag_late_ticks ? sim_random(&sim.random) % config->flag_late_ticks : 0;
    uint64_t periods = (ticks() - late) >> (config->rate - 1);
    bool set = periods > sim.rtc_periods;
    if (set)
        sim.rtc_periods = periods;
    return set ? PERIODIC : 0;
}

uint8_t rtc_read(void)
{
    const struct sim_rtc *config = &sim.config->rtc;
    uint64_t seconds = ticks() / HERTZ;

    if (config->clock.fault == SIM_DEAD_ONES)
        return 0xff;
    if (config->clock.fault == SIM_DEAD_ZEROS)
        return 0;
    switch (sim.rtc_index) {
    case 0:
        return encode(seconds % 60);
    case 2:
        return encode(seconds / 60 % 60);
    case 4:
        return encode_hours(seconds / 3600 % 24);
    case 7:
        return encode(19);
    case 8:
        return encode(11);
    case REGISTER_A:
        return register_a();
    case REGISTER_B:
        return (uint8_t)((config->halted ? 0x80 : 0) | (config->binary ? 4 : 0) |
                         (config->hours_12 ? 0 : 2));
    case REGISTER_C:
        return register_c();
    default:
        sim_violation("read of a CMOS byte that the design does not use", sim.rtc_index, 0);
        return 0;
    }
}
