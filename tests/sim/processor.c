// CPUID and the model-specific registers.
#include "tests/sim/model.h"

#define CPUID_1_EDX_APIC       (1u << 9)
#define CPUID_1_ECX_X2APIC     (1u << 21)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)

#define MSR_PVCLOCK_OLD     0x12
#define MSR_TSC             0x10
#define MSR_APIC_BASE       0x1b
#define MSR_REFERENCE_COUNT 0x40000020
#define MSR_X2APIC_FIRST    0x800
#define MSR_X2APIC_LAST     0x8ff
#define MSR_DEADLINE        0x6e0
#define MSR_TSC_ADJUST      0x3b
#define MSR_X2APIC_ICR      0x830

static const struct cpuid_words *lookup(uint32_t leaf, uint32_t subleaf)
{
    const struct sim_cpuid *cpuid = &sim.config->cpuid;

    for (size_t i = 0; i < cpuid->count; i++)
        if (cpuid->entries[i].leaf == leaf &&
            (cpuid->entries[i].subleaf == subleaf || cpuid->entries[i].subleaf == SIM_SUBLEAF_ANY))
            return &cpuid->entries[i].words;
    return NULL;
}

// The highest basic leaf, with the sub-leaf asked for.
static struct cpuid_words echo(uint32_t subleaf)
{
    struct cpuid_words none = {0, 0, 0, 0};
    const struct cpuid_words *basic = lookup(0, 0);
    const struct cpuid_words *words = basic ? lookup(basic->eax, subleaf) : NULL;

    return words ? *words : none;
}

// Up to its max leaf a block that is there answers with zeros where it has nothing.
static bool in_class(uint32_t leaf)
{
    const struct cpuid_words *base = lookup(leaf & 0xffffff00, 0);

    return leaf >> 28 == 4 && base && leaf <= base->eax;
}

// The highest hypervisor leaf that has an entry; its base has one.
static struct cpuid_words clamp(void)
{
    struct cpuid_words none = {0, 0, 0, 0};
    const struct cpuid_words *base = lookup(0x40000000, 0);
    const struct cpuid_words *highest = base ? lookup(base->eax, 0) : NULL;

    return highest ? *highest : none;
}

static struct cpuid_words fall_back(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_words none = {0, 0, 0, 0};

    switch (sim.config->cpuid.fallback) {
    case SIM_ECHO: {
        const struct cpuid_words *basic = lookup(0, 0);
        bool in_basic = basic && leaf <= basic->eax;
        return in_basic || in_class(leaf) ? none : echo(subleaf);
    }
    case SIM_CLAMP:
        return leaf >= 0x40000000 && leaf <= 0x7fffffff ? clamp() : none;
    case SIM_PASS_THROUGH:
        return sim.config->cpuid.pass_through;
    case SIM_ZEROS:
        break;
    }
    return none;
}

struct cpuid_words cpuid_answer(uint32_t leaf, uint32_t subleaf)
{
    const struct cpuid_words *entry = lookup(leaf, subleaf);
    struct cpuid_words words = entry ? *entry : fall_back(leaf, subleaf);
    const struct sim_cpuid *cpuid = &sim.config->cpuid;

    if (cpuid->change_at_ns && leaf == cpuid->change_leaf &&
        sim.now_fs / FS_PER_NS >= cpuid->change_at_ns)
        words = cpuid->changed;
    if (leaf == 1) {
        const struct sim_lapic *lapic = &sim.config->lapic;
        words.edx &= ~CPUID_1_EDX_APIC;
        words.ecx &= ~(CPUID_1_ECX_X2APIC | CPUID_1_ECX_HYPERVISOR);
        if (lapic->clock.fault != SIM_ABSENT)
            words.edx |= CPUID_1_EDX_APIC;
        if (lapic->x2apic)
            words.ecx |= CPUID_1_ECX_X2APIC;
        if (sim.config->cpuid.hypervisor_bit)
            words.ecx |= CPUID_1_ECX_HYPERVISOR;
        words.ebx = (words.ebx & 0x00ffffff) | vcpus_apic_id(vcpus_current()) << 24;
    }
    if (leaf == 0xb && sim.config->lapic.x2apic) {
        words.ebx = 1;
        words.edx = vcpus_apic_id(vcpus_current());
    }
    if (leaf && vcpus_current() && sim.config->vcpus[vcpus_current()].odd_leaf == leaf)
        words.eax ^= 1;
    return words;
}

static bool is_x2apic_msr(uint32_t msr)
{
    return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST;
}

enum sim_access msr_access(uint32_t msr)
{
    return is_x2apic_msr(msr) ? SIM_LAPIC : SIM_MSR;
}

bool msr_read(uint32_t msr, uint64_t *value)
{
    bool has_lapic = sim.config->lapic.clock.fault != SIM_ABSENT;

    if (msr == MSR_TSC) {
        *value = sim_tsc();
        return true;
    }
    if (vcpus_current() && msr && sim.config->vcpus[vcpus_current()].msr.index == msr) {
        *value = sim.config->vcpus[vcpus_current()].msr.value;
        return true;
    }
    if (msr == MSR_TSC_ADJUST && vcpus_current()) {
        *value = sim.config->vcpus[vcpus_current()].tsc_adjust;
        return true;
    }
    if (msr == MSR_APIC_BASE && has_lapic) {
        *value = sim.apic_base;
        return true;
    }
    if (msr == MSR_REFERENCE_COUNT && sim.config->refcount.fault != SIM_ABSENT) {
        *value = (uint64_t)(oscillator_phase(&sim.refcount_clock, sim.now_fs) >> 64);
        return true;
    }
    if (is_x2apic_msr(msr)) {
        if (!has_lapic || !lapic_is_x2apic())
            return false;
        *value = lapic_read((msr - MSR_X2APIC_FIRST) * 16);
        return true;
    }
    if (paravirt_read_msr(msr, value))
        return true;
    for (size_t i = 0; i < sim.config->msr_count; i++) {
        if (sim.config->msrs[i].index == msr) {
            *value = sim.config->msrs[i].value;
            return true;
        }
    }
    return sim.config->unknown_msrs_read_zero;
}

// KVM writes a pair at each write of the old MSR, and with the master clock the first one again and
// again. The structure is the kernel's own memory, so its address is one of this process.
static void write_pair(uint64_t value)
{
    struct {
        uint32_t version, unused;
        uint64_t tsc_timestamp, system_time;
        uint32_t mul;
        int8_t shift;
        uint8_t flags, pad[2];
    } *pair = (void *)(uintptr_t)(value & ~3ull); // NOLINT(performance-no-int-to-ptr)

    if (!(value & 1) || (sim.config->pvclock_stable && sim.pvclock_written))
        return;
    sim.pvclock_written = true;
    pair->version += 2;
    pair->tsc_timestamp = sim_tsc();
    pair->system_time = (uint64_t)(oscillator_phase(&sim.pvclock, sim.now_fs) >> 64);
    pair->flags = sim.config->pvclock_stable;
}

bool msr_write(uint32_t msr, uint64_t value)
{
    bool has_lapic = sim.config->lapic.clock.fault != SIM_ABSENT;
    bool ok;

    if (msr == MSR_APIC_BASE && has_lapic)
        return lapic_write_base(value);
    if (msr == MSR_PVCLOCK_OLD && sim.config->pvclock.fault != SIM_ABSENT) {
        write_pair(value);
        return true;
    }
    if (msr == MSR_DEADLINE && has_lapic) {
        sim.deadline = value;
        return true;
    }
    if (paravirt_write_msr(msr, value, &ok))
        return ok;
    if (msr == MSR_X2APIC_ICR && has_lapic && lapic_is_x2apic()) {
        vcpus_command((uint32_t)(value >> 32), (uint32_t)value);
        return true;
    }
    if (is_x2apic_msr(msr) && has_lapic && lapic_is_x2apic()) {
        lapic_write((msr - MSR_X2APIC_FIRST) * 16, (uint32_t)value);
        return true;
    }
    sim_violation("write to an MSR that the design does not write", msr, value);
    return false;
}
