// Interrupts of CPU 0: by the LAPIC timer, and by PIT channel 0 through the first of two 8259A.
#include "tests/sim/model.h"

#define PIC_1           0x20
#define PIC_2           0xa0
#define PIC_INIT        0x11
#define PIC_END         0x20
#define WORDS           4
#define PIT_PERIODIC    2
#define HALT_STEP_NS    1000
#define HALT_LONGEST_NS 2000000000u

void interrupts_reset(void)
{
    for (unsigned i = 0; i < 2; i++) {
        sim.pics[i].mask = 0; // as after a reset, with IRQ 0 at the vector of an exception
        sim.pics[i].words = 0;
        sim.pics[i].in_service = false;
    }
    sim.pit_delivered = sim.lapic_delivered = sim.deadline = 0;
    sim.tsc_lost = 0;
    sim.lapic_in_service = sim.halted = false;
}

uint32_t pic_read(uint16_t port)
{
    return port & 1 ? sim.pics[port >= PIC_2].mask : 0;
}

void pic_write(uint16_t port, uint32_t value)
{
    unsigned which = port >= PIC_2;

    if (port & 1 && sim.pics[which].words && sim.pics[which].words < WORDS) {
        if (++sim.pics[which].words == 2 && value < 32)
            sim_violation("a PIC's vectors are those of exceptions", port, value);
    } else if (port & 1) {
        sim.pics[which].mask = (uint8_t)value;
    } else if (value == PIC_INIT) {
        sim.pics[which].words = 1;
    } else if (value == PIC_END) {
        sim.pics[which].in_service = false;
    } else {
        sim_violation("a PIC command that the design does not use", port, value);
    }
}

// How often PIT channel 0 has reached its end.
static uint64_t pit_periods(void)
{
    const struct pit_channel *channel = &sim.channels[0];

    if (!channel->counting || channel->mode != PIT_PERIODIC || sim.config->pit.clock.fault)
        return 0;
    uint128 since = oscillator_phase(&sim.pit_clock, sim.now_fs) - channel->started;
    return (uint64_t)(since >> 64) / channel->initial;
}

static bool pit_pending(void)
{
    return sim.config->pic && !sim.config->pit_no_interrupt && !(sim.pics[0].mask & 1) &&
           pit_periods() > sim.pit_delivered;
}

static void deliver(void)
{
    if (lapic_pending()) {
        lapic_take();
        exception_interrupt();
    }
    if (pit_pending()) {
        if (sim.pics[0].words != WORDS || sim.pics[0].in_service)
            sim_violation("IRQ 0 before the PIC was set up, or not ended", PIC_1, 0);
        sim.pit_delivered = pit_periods();
        sim.pics[0].in_service = true;
        exception_interrupt();
    }
}

void machine_take_interrupts(void)
{
    sim_operation();
    sim_pass_ns(10);
    deliver();
}

// The TSC falls behind by so much of what it counted since `began`.
static void lose(uint128 began, int64_t ppb)
{
    uint128 counted = oscillator_phase(&sim.tsc, sim.now_fs) - began;

    sim.tsc_lost += (uint128)((int128)(counted >> 32) * ppb / 1000000000) << 32;
}

void machine_sleep(void)
{
    uint128 began = oscillator_phase(&sim.tsc, sim.now_fs);

    sim_operation();
    sim.halted = true;
    for (unsigned i = 0; !lapic_pending() && !pit_pending(); i++) {
        if (i > HALT_LONGEST_NS / HALT_STEP_NS) {
            sim_violation("HLT that no interrupt ends", 0, 0);
            sim_leave(SIM_HUNG, 0);
        }
        sim_pass_ns(HALT_STEP_NS);
    }
    lose(began, sim.config->tsc_halt_ppb);
    deliver();
    sim.halted = false;
}

void machine_work(uint32_t rounds)
{
    uint128 began = oscillator_phase(&sim.tsc, sim.now_fs);

    sim_operation();
    sim_pass_ns(rounds);
    lose(began, sim.config->tsc_load_ppb);
}
