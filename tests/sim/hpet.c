// The HPET's window of 1 KiB. IA-PC HPET Specification 1.0a, section 2.3.
#include "tests/sim/model.h"

#define CAPABILITIES  0x00
#define PERIOD        0x04
#define CONFIGURATION 0x10
#define ENABLE        1u
#define STATUS        0x20
#define COUNTER_LOW   0xf0
#define COUNTER_HIGH  0xf4

void hpet_reset(void)
{
    oscillator_start(&sim.hpet_clock, &sim.config->hpet.clock);
    sim.hpet_counting = sim.config->hpet.enabled;
    sim.hpet_phase = sim.hpet_counting ? 0 : (uint128)sim.config->hpet.clock.start_ticks << 64;
}

static uint128 phase(void)
{
    return oscillator_phase(&sim.hpet_clock, sim.now_fs);
}

static uint64_t counter(void)
{
    enum sim_fault fault = sim.config->hpet.clock.fault;

    if (fault == SIM_DEAD_ONES)
        return UINT64_MAX;
    if (fault == SIM_DEAD_ZEROS)
        return 0;
    uint64_t value = (uint64_t)((sim.hpet_phase + (sim.hpet_counting ? phase() : 0)) >> 64);
    return sim.config->hpet.is_64_bit ? value : (uint32_t)value;
}

uint32_t hpet_read(uint32_t offset)
{
    const struct sim_hpet *config = &sim.config->hpet;

    switch (offset) {
    case CAPABILITIES: // revision 1, three comparators, legacy routing
        return 0x01u | 2u << 8 | 1u << 15 | (uint32_t)config->is_64_bit << 13 |
               (uint32_t)config->vendor << 16;
    case PERIOD:
        return config->period_fs;
    case CONFIGURATION:
        return sim.hpet_counting ? ENABLE : 0;
    case CONFIGURATION + 4:
    case STATUS:
    case STATUS + 4:
        return 0;
    case COUNTER_LOW:
        return (uint32_t)counter();
    case COUNTER_HIGH:
        return (uint32_t)(counter() >> 32);
    default:
        sim_violation("read of an HPET register that the design does not use", offset, 0);
        return 0;
    }
}

void hpet_write(uint32_t offset, uint32_t value)
{
    bool enable = value & ENABLE;

    if (offset != CONFIGURATION) {
        sim_violation("write to an HPET register other than its configuration", offset, value);
        return;
    }
    if (value & ~ENABLE)
        sim_violation("HPET interrupt routing changed", offset, value);
    if (sim.config->hpet.locked || enable == sim.hpet_counting)
        return;
    if (enable)
        sim.hpet_phase -= phase();
    else
        sim.hpet_phase += phase();
    sim.hpet_counting = enable;
}
