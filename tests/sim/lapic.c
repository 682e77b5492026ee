// The local APIC, as far as its timer needs it. Intel SDM vol. 3A, chapter 10.
#include "tests/sim/model.h"

#define BASE_BSP     (1u << 8)
#define BASE_X2APIC  (1u << 10)
#define BASE_ENABLED (1u << 11)

#define ID            0x020
#define VERSION       0x030
#define SPURIOUS      0x0f0
#define END           0x0b0
#define LVT_TIMER     0x320
#define MODE(lvt)     ((lvt) >> 17 & 3)
#define MODE_PERIODIC 1
#define MODE_DEADLINE 2
#define INITIAL_COUNT 0x380
#define CURRENT_COUNT 0x390
#define DIVIDE        0x3e0
#define COMMAND_LOW   0x300
#define COMMAND_HIGH  0x310

void lapic_reset(void)
{
    const struct sim_lapic *config = &sim.config->lapic;

    oscillator_start(&sim.lapic_clock, &config->clock);
    sim.apic_base = config->address | BASE_BSP | (config->disabled ? 0 : BASE_ENABLED) |
                    (config->x2apic_on ? BASE_X2APIC : 0);
    sim.lapic_spurious = 0xff;
    sim.lapic_lvt_timer = 1u << 16;
    sim.lapic_divide = 0;
    sim.lapic_initial = 0;
    sim.lapic_started = 0;
}

bool lapic_is_x2apic(void)
{
    return sim.apic_base & BASE_X2APIC;
}

bool lapic_write_base(uint64_t value)
{
    const struct sim_lapic *config = &sim.config->lapic;
    bool enters = value & BASE_X2APIC;

    if (enters && (!config->x2apic || config->x2apic_faults))
        return false;
    // From x2APIC straight to xAPIC mode is no legal transition (10.12.5).
    if (!enters && lapic_is_x2apic())
        return false;
    if ((value ^ sim.apic_base) & ~(uint64_t)BASE_X2APIC)
        sim_violation("IA32_APIC_BASE changed beyond the x2APIC bit", 0x1b, value);
    sim.apic_base = value;
    return true;
}

static unsigned divisor(void)
{
    // Bits 3, 1 and 0: 2, 4, 8, ... 128, and 1.
    unsigned code = (sim.lapic_divide >> 1 & 4) | (sim.lapic_divide & 3);

    return code == 7 ? 1 : 2u << code;
}

static uint32_t current_count(void)
{
    const struct sim_lapic *config = &sim.config->lapic;
    unsigned mode = config->deadline_only ? MODE_DEADLINE : MODE(sim.lapic_lvt_timer);

    if (mode == MODE_DEADLINE || !sim.lapic_initial)
        return 0;
    uint128 since = oscillator_phase(&sim.lapic_clock, sim.now_fs) - sim.lapic_started;
    if (config->clock.fault == SIM_BACKWARDS) // `since` is negative
        return (uint32_t)(sim.lapic_initial + (uint64_t)((~since >> 64) / divisor()));
    uint64_t ticks = (uint64_t)((since >> 64) / divisor());
    if (mode == MODE_PERIODIC)
        return sim.lapic_initial - (uint32_t)(ticks % sim.lapic_initial);
    return ticks < sim.lapic_initial ? sim.lapic_initial - (uint32_t)ticks : 0;
}

uint32_t lapic_read(uint32_t offset)
{
    enum sim_fault fault = sim.config->lapic.clock.fault;

    if (fault == SIM_DEAD_ONES)
        return UINT32_MAX;
    if (fault == SIM_DEAD_ZEROS)
        return 0;
    switch (offset) {
    case ID:
        return 0;
    case VERSION:
        return sim.config->lapic.version;
    case SPURIOUS:
        return sim.lapic_spurious;
    case LVT_TIMER:
        return sim.lapic_lvt_timer;
    case INITIAL_COUNT:
        return sim.lapic_initial;
    case CURRENT_COUNT:
        return current_count();
    case DIVIDE:
        return sim.lapic_divide;
    case COMMAND_LOW:
        return 0; // not pending
    default:
        sim_violation("read of a LAPIC register that the design does not use", offset, 0);
        return 0;
    }
}

void lapic_write(uint32_t offset, uint32_t value)
{
    switch (offset) {
    case SPURIOUS:
        sim.lapic_spurious = value;
        break;
    case LVT_TIMER:
        sim.lapic_lvt_timer = value;
        break;
    case INITIAL_COUNT:
        sim.lapic_initial = value;
        sim.lapic_delivered = 0;
        sim.lapic_started = oscillator_phase(&sim.lapic_clock, sim.now_fs);
        break;
    case DIVIDE:
        sim.lapic_divide = value;
        break;
    case END:
        sim.lapic_in_service = false;
        break;
    case COMMAND_HIGH:
        sim.lapic_command_high = value;
        break;
    case COMMAND_LOW:
        vcpus_command(sim.lapic_command_high >> 24, value);
        break;
    default:
        sim_violation("write to a LAPIC register that the design does not use", offset, value);
    }
}

// How often the timer has reached its end since it was started.
static uint64_t periods(void)
{
    uint128 since = oscillator_phase(&sim.lapic_clock, sim.now_fs) - sim.lapic_started;

    if (!sim.lapic_initial || sim.config->lapic.clock.fault)
        return 0;
    uint64_t count = (uint64_t)((since >> 64) / divisor()) / sim.lapic_initial;
    return MODE(sim.lapic_lvt_timer) == MODE_PERIODIC || !count ? count : 1;
}

bool lapic_pending(void)
{
    const struct sim_lapic *config = &sim.config->lapic;

    if (sim.lapic_lvt_timer >> 16 & 1 || config->no_interrupt || (config->halts && sim.halted))
        return false;
    if (MODE(sim.lapic_lvt_timer) == MODE_DEADLINE)
        return sim.deadline && sim_tsc() + (config->early ? 100000 : 0) >= sim.deadline;
    return !config->deadline_only && periods() > sim.lapic_delivered;
}

void lapic_take(void)
{
    if ((sim.lapic_lvt_timer & 0xff) < 32)
        sim_violation("an interrupt with the vector of an exception", 0x320, sim.lapic_lvt_timer);
    if (sim.lapic_in_service)
        sim_violation("the LAPIC's interrupt was not ended", 0xb0, 0);
    if (MODE(sim.lapic_lvt_timer) == MODE_DEADLINE)
        sim.deadline = 0;
    else
        sim.lapic_delivered = periods();
    sim.lapic_in_service = true;
}
