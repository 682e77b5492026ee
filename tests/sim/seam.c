// The functions of machine.h: each counts as one operation, takes its time, and acts in between.
#include "tests/sim/model.h"

struct cpuid_words machine_cpuid(uint32_t leaf, uint32_t subleaf)
{
    sim_operation();
    sim_before(SIM_CPUID);
    struct cpuid_words words = cpuid_answer(leaf, subleaf);
    sim_after(SIM_CPUID);
    return words;
}

uint64_t machine_tsc(void)
{
    sim_operation();
    sim_before(SIM_TSC);
    uint64_t value = sim_tsc();
    sim_after(SIM_TSC);
    return value;
}

void machine_pause(void)
{
    sim_operation();
    sim_before(SIM_PAUSE);
    sim_after(SIM_PAUSE);
}

static uint32_t port_read(uint16_t port, unsigned size)
{
    enum sim_access access = ports_access(port);

    sim_operation();
    sim_before(access);
    uint32_t value = ports_read(port, size);
    sim_after(access);
    return value;
}

static void port_write(uint16_t port, unsigned size, uint32_t value)
{
    enum sim_access access = ports_access(port);

    sim_operation();
    sim_before(access);
    ports_write(port, size, value);
    sim_after(access);
}

uint8_t machine_in8(uint16_t port)
{
    return (uint8_t)port_read(port, 1);
}

uint16_t machine_in16(uint16_t port)
{
    return (uint16_t)port_read(port, 2);
}

uint32_t machine_in32(uint16_t port)
{
    return port_read(port, 4);
}

void machine_out8(uint16_t port, uint8_t value)
{
    port_write(port, 1, value);
}

void machine_out16(uint16_t port, uint16_t value)
{
    port_write(port, 2, value);
}

void machine_out32(uint16_t port, uint32_t value)
{
    port_write(port, 4, value);
}

uint32_t machine_mmio_read32(uint64_t address)
{
    enum sim_access access = mmio_access(address);

    sim_operation();
    sim_before(access);
    uint32_t value = mmio_read(address);
    sim_after(access);
    return value;
}

static void mmio_write_sized(uint64_t address, unsigned size, uint32_t value)
{
    enum sim_access access = mmio_access(address);

    sim_operation();
    sim_before(access);
    mmio_write(address, size, value);
    sim_after(access);
}

void machine_mmio_write32(uint64_t address, uint32_t value)
{
    mmio_write_sized(address, 4, value);
}

void machine_mmio_fill32(uint64_t address, uint32_t value, uint64_t count)
{
    sim_operation();
    sim_before(SIM_MMIO);
    mmio_fill(address, value, count);
    sim_after(SIM_MMIO);
}

void machine_mmio_write8(uint64_t address, uint8_t value)
{
    mmio_write_sized(address, 1, value);
}

bool machine_rdmsr(uint32_t msr, uint64_t *value)
{
    enum sim_access access = msr_access(msr);

    sim_operation();
    sim_before(access);
    *value = 0;
    bool ok = msr_read(msr, value);
    sim_after(access);
    return ok;
}

bool machine_wrmsr(uint32_t msr, uint64_t value)
{
    enum sim_access access = msr_access(msr);

    sim_operation();
    sim_before(access);
    bool ok = msr_write(msr, value);
    sim_after(access);
    return ok;
}

// --- Brackets: the TSC before, the sampling access, the TSC after.

static void open_bracket(enum sim_access access, struct bracket *out)
{
    sim_operation();
    sim_before(SIM_TSC);
    out->before = sim_tsc();
    sim_before(access);
}

static void close_bracket(enum sim_access access, struct bracket *out)
{
    sim_after(access);
    out->after = sim_tsc();
    sim_after(SIM_TSC);
    sim.result->last_bracket_ns = sim.now_fs / FS_PER_NS;
}

void machine_bracket_mmio32(uint64_t address, struct bracket *out)
{
    enum sim_access access = mmio_access(address);

    open_bracket(access, out);
    out->value = mmio_read(address);
    close_bracket(access, out);
}

static void bracket_port(uint16_t port, unsigned size, struct bracket *out)
{
    enum sim_access access = ports_access(port);

    open_bracket(access, out);
    out->value = ports_read(port, size);
    close_bracket(access, out);
}

void machine_bracket_in8(uint16_t port, struct bracket *out)
{
    bracket_port(port, 1, out);
    out->value = (uint8_t)out->value;
}

void machine_bracket_in32(uint16_t port, struct bracket *out)
{
    bracket_port(port, 4, out);
}

void machine_bracket_out8(uint8_t port, uint8_t byte, struct bracket *out)
{
    enum sim_access access = ports_access(port);

    open_bracket(access, out);
    ports_write(port, 1, byte);
    out->value = 0;
    close_bracket(access, out);
}

void machine_bracket_msr(uint32_t msr, struct bracket *out)
{
    enum sim_access access = msr_access(msr);
    uint64_t value = 0;

    open_bracket(access, out);
    if (!msr_read(msr, &value))
        machine_raise_gp(); // in a bracket nothing recovers
    out->value = (uint32_t)value;
    close_bracket(access, out);
}

void machine_bracket_wrmsr(uint32_t msr, uint64_t written, struct bracket *out)
{
    enum sim_access access = msr_access(msr);

    open_bracket(access, out);
    if (!msr_write(msr, written))
        machine_raise_gp();
    out->value = 0;
    close_bracket(access, out);
}

void machine_bracket_backdoor(uint16_t port, uint32_t magic, uint32_t command, struct bracket *out)
{
    struct machine_registers registers = {.rax = magic, .rcx = command, .rdx = port};

    open_bracket(SIM_PORT, out);
    paravirt_call(CALL_PORT, &registers);
    out->value = 0;
    close_bracket(SIM_PORT, out);
}

// Two readings with `ns` between them.
static void bracket_tsc(uint32_t ns, struct bracket *out)
{
    sim_operation();
    sim_before(SIM_TSC);
    out->before = sim_tsc();
    sim_after(SIM_TSC);
    sim_pass_ns(ns);
    sim_before(SIM_TSC);
    out->after = sim_tsc();
    sim_after(SIM_TSC);
    out->value = 0;
}

void machine_bracket_nothing(struct bracket *out)
{
    bracket_tsc(0, out);
}

void machine_bracket_bare(struct bracket *out)
{
    bracket_tsc(0, out);
}

void machine_bracket_nops(struct bracket *out)
{
    bracket_tsc(MACHINE_NOPS * sim.config->nop_ns, out);
}

void machine_bracket_cpuid(uint32_t leaf, struct bracket *out)
{
    open_bracket(SIM_CPUID, out);
    cpuid_answer(leaf, 0);
    close_bracket(SIM_CPUID, out);
    out->value = 0;
}

bool machine_can_rdtscp(void)
{
    if (!(cpuid_answer(0x80000001, 0).edx >> 27 & 1))
        machine_raise_ud();
    return !sim.config->rdtscp_faults;
}

void machine_bracket_rdtscp(struct bracket *out)
{
    if (!machine_can_rdtscp())
        machine_raise_ud();
    open_bracket(SIM_TSC, out);
    out->value = sim_tsc() + (uint64_t)sim.config->rdtscp_offset;
    close_bracket(SIM_TSC, out);
}

// --- The rest

void machine_call_firmware(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    sim_operation();
    if (function != SIM_EFI_RESET_SYSTEM || a > 2 || b || c || d)
        sim_violation("firmware has no such function", function, a);
    if (sim.config->efi == SIM_EFI_SOUND)
        sim_leave(SIM_EFI_RESET, (uint32_t)a);
}

void machine_halt(void)
{
    if (vcpus_current())
        vcpus_stop();
    sim_leave(SIM_HALT, 0);
}
