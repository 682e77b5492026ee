// Device memory: the HPET, the LAPIC, the VGA text page.
#include "tests/sim/model.h"

#include <string.h>

#define HPET_WINDOW  0x400
#define LAPIC_WINDOW 0x1000
#define LAPIC_MASK   0x000ffffffffff000u
#define SCREEN       0xb8000u

static bool in_hpet(uint64_t address)
{
    const struct sim_hpet *config = &sim.config->hpet;

    return config->clock.fault != SIM_ABSENT && address - config->address < HPET_WINDOW;
}

static bool in_lapic(uint64_t address)
{
    return sim.config->lapic.clock.fault != SIM_ABSENT && !sim.config->lapic.disabled &&
           !lapic_is_x2apic() && address - (sim.apic_base & LAPIC_MASK) < LAPIC_WINDOW;
}

static bool in_screen(uint64_t address, unsigned size)
{
    return sim.config->screen && address >= SCREEN && address + size <= SCREEN + sizeof(sim.cells);
}

uint8_t sim_framebuffer[SIM_FRAMEBUFFER_MAX];

bool mmio_is_framebuffer(uint64_t address, uint64_t length)
{
    const struct framebuffer *config = &sim.config->framebuffer;
    uint64_t size = (uint64_t)config->pitch * config->height, offset = address - config->address;

    if (size > SIM_FRAMEBUFFER_MAX)
        size = SIM_FRAMEBUFFER_MAX;
    return !sim.config->framebuffer_missing && config->address && offset <= size &&
           length <= size - offset;
}

void mmio_fill(uint64_t address, uint32_t value, uint64_t count)
{
    if (!mmio_is_framebuffer(address, count * 4)) {
        sim_violation("a fill of what is no framebuffer", address, count * 4);
        return;
    }
    for (uint8_t *to = sim_framebuffer + (address - sim.config->framebuffer.address); count--;
         to += 4)
        memcpy(to, &value, 4);
}

enum sim_access mmio_access(uint64_t address)
{
    return in_hpet(address) ? SIM_HPET : in_lapic(address) ? SIM_LAPIC : SIM_MMIO;
}

static void check_alignment(uint64_t address, unsigned size)
{
    if (address % size)
        sim_violation("unaligned access to device memory", address, size);
}

uint32_t mmio_read(uint64_t address)
{
    uint32_t value;

    // Plain memory, in which nothing needs to be aligned.
    if (mmio_is_framebuffer(address, 4)) {
        memcpy(&value, sim_framebuffer + (address - sim.config->framebuffer.address), 4);
        return value;
    }
    check_alignment(address, 4);
    if (in_hpet(address))
        return hpet_read((uint32_t)(address - sim.config->hpet.address));
    if (in_lapic(address))
        return lapic_read((uint32_t)(address % LAPIC_WINDOW));
    if (in_screen(address, 4)) {
        size_t cell = (address - SCREEN) / 2;
        return sim.cells[cell] | (uint32_t)sim.cells[cell + 1] << 16;
    }
    policy_check(SPACE_MMIO, address, false, 0);
    return sim_open_bus();
}

// The registers of reduced hardware. ACPI 6.5, 4.8.3.7.
static void write_acpi(uint64_t address, unsigned size, uint32_t value)
{
    const struct sim_acpi *acpi = &sim.config->acpi;

    if (!acpi->present || size != 1)
        return;
    if (acpi->sleep_address && address == acpi->sleep_address && acpi->has_s5 &&
        value == (5u << 2 | 1u << 5))
        sim_leave(SIM_S5, value);
    if (acpi->reset_address && address == acpi->reset_address && value == acpi->reset_value)
        sim_leave(SIM_RESET, (uint32_t)address);
}

void mmio_write(uint64_t address, unsigned size, uint32_t value)
{
    if (mmio_is_framebuffer(address, size)) {
        memcpy(sim_framebuffer + (address - sim.config->framebuffer.address), &value, size);
        return;
    }
    check_alignment(address, size);
    write_acpi(address, size, value);
    if (in_screen(address, size)) {
        size_t cell = (address - SCREEN) / 2;
        sim.cells[cell] = (uint16_t)value;
        if (size == 4)
            sim.cells[cell + 1] = (uint16_t)(value >> 16);
    } else if (size == 4 && in_hpet(address)) {
        hpet_write((uint32_t)(address - sim.config->hpet.address), value);
    } else if (size == 4 && in_lapic(address)) {
        lapic_write((uint32_t)(address % LAPIC_WINDOW), value);
    } else {
        policy_check(SPACE_MMIO, address, true, value);
    }
}
