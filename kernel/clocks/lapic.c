// The local APIC's timer: a 32-bit one-shot count down. Intel SDM vol. 3A, chapter 10 "APIC".
//
// It has no nominal rate of its own: on hardware it counts the bus or crystal clock that the bus
// claims are about. Two implementations, KVM and QEMU, emulate it at 1 GHz unless told otherwise;
// there it serves as a reference clock too, and the report says what that rests on.
#include "kernel/clock.h"

#include "lib/text.h"

#define MSR_APIC_BASE      0x1b // SDM vol. 4, table 2-2
#define BASE_X2APIC        (1u << 10)
#define BASE_ENABLED       (1u << 11)
#define BASE_ADDRESS       0x000ffffffffff000ull
#define CPUID_1_ECX_X2APIC (1u << 21)
#define CPUID_1_EDX_APIC   (1u << 9)

// Register offsets, table 10-1; the x2APIC MSR is 0x800 + offset / 16 (10.12.1.2).
#define APIC_VERSION       0x030
#define APIC_SPURIOUS      0x0f0
#define SPURIOUS_ENABLE    (1u << 8)
#define SPURIOUS_VECTOR    0xffu
#define APIC_LVT_TIMER     0x320
#define LVT_MASKED         (1u << 16)
#define APIC_INITIAL_COUNT 0x380
#define APIC_CURRENT_COUNT 0x390
#define APIC_DIVIDE        0x3e0
#define DIVIDE_BY_1        0xbu
#define X2APIC_MSR(offset) (0x800u + (offset) / 16)

#define INITIAL_COUNT       0xffffffffu
#define KNOWN_RATE_HZ       1000000000u
#define DEVICE_WINDOW_START 0xc0000000u

static bool x2apic;
static uint64_t base;

static bool register_read(uint32_t offset, uint32_t *value)
{
    uint64_t wide;

    if (!x2apic) {
        *value = machine_mmio_read32(base + offset);
        return true;
    }
    if (!machine_rdmsr(X2APIC_MSR(offset), &wide))
        return false;
    *value = (uint32_t)wide;
    return true;
}

static bool register_write(uint32_t offset, uint32_t value)
{
    if (x2apic)
        return machine_wrmsr(X2APIC_MSR(offset), value);
    machine_mmio_write32(base + offset, value);
    return true;
}

static void restart(void)
{
    register_write(APIC_INITIAL_COUNT, INITIAL_COUNT);
}

static void read(struct bracket *bracket)
{
    if (x2apic)
        machine_bracket_msr(X2APIC_MSR(APIC_CURRENT_COUNT), bracket);
    else
        machine_bracket_mmio32(base + APIC_CURRENT_COUNT, bracket);
    bracket->value = INITIAL_COUNT - (uint32_t)bracket->value;
}

// Finds the register window, in x2APIC mode where the CPU has it: an MSR read is a shorter exit
// than a memory access that must be decoded.
static enum clock_status find(const struct platform *platform, char *reason, size_t reason_size)
{
    struct cpuid_words features = cpuid_read(&platform->cpuid, 1, 0);
    uint64_t apic_base;

    if (!(features.edx & CPUID_1_EDX_APIC)) {
        text_print(reason, reason_size, "CPUID 1 EDX bit 9 says: no local APIC");
        return CLOCK_ABSENT;
    }
    if (!machine_rdmsr(MSR_APIC_BASE, &apic_base)) {
        text_print(reason, reason_size, "reading IA32_APIC_BASE raises #GP");
        return CLOCK_ABSENT;
    }
    if (!(apic_base & BASE_ENABLED)) {
        text_print(reason, reason_size, "IA32_APIC_BASE is 0x%llx: globally disabled",
                   (unsigned long long)apic_base);
        return CLOCK_DISABLED;
    }
    x2apic = apic_base & BASE_X2APIC;
    if (!x2apic && features.ecx & CPUID_1_ECX_X2APIC)
        x2apic = machine_wrmsr(MSR_APIC_BASE, apic_base | BASE_X2APIC);
    base = apic_base & BASE_ADDRESS;
    if (!x2apic && (base < DEVICE_WINDOW_START || base > UINT32_MAX)) {
        text_print(reason, reason_size, "its window is at 0x%llx, expected 0xc0000000 to 4 GiB",
                   (unsigned long long)base);
        return CLOCK_ABSENT;
    }
    return CLOCK_LIVE;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    enum clock_status status = find(platform, reason, reason_size);
    uint32_t version;

    if (status != CLOCK_LIVE)
        return status;
    if (!register_read(APIC_VERSION, &version) || version == UINT32_MAX || version == 0) {
        text_print(reason, reason_size, "its version register does not answer");
        return CLOCK_DEAD;
    }
    if (!register_write(APIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR) ||
        !register_write(APIC_LVT_TIMER, LVT_MASKED | SPURIOUS_VECTOR) ||
        !register_write(APIC_DIVIDE, DIVIDE_BY_1) ||
        !register_write(APIC_INITIAL_COUNT, INITIAL_COUNT) ||
        !register_read(APIC_CURRENT_COUNT, &version)) {
        text_print(reason, reason_size, "a timer register raises #GP");
        return CLOCK_DISABLED;
    }
    const struct signature *vendor = scan_vendor(&platform->scan);
    if (vendor && (text_equal(vendor->vendor, "KVM") || text_equal(vendor->vendor, "QEMU TCG"))) {
        info->nominal = (struct hertz){KNOWN_RATE_HZ, 1};
        info->rate_source = "KVM and QEMU emulate it at 1 GHz";
    } else {
        info->rate_source = "no rate is known for this implementation";
    }
    info->bits = 32;
    info->modulus = INITIAL_COUNT;
    info->wraps = false;
    info->sticks = true;
    text_print(info->detail, sizeof(info->detail), "%s, one-shot, divide by 1",
               x2apic ? "x2APIC" : "xAPIC");
    return CLOCK_LIVE;
}

const struct reference_clock clock_lapic = {
    .name = "lapic",
    .probe = probe,
    .read = read,
    .restart = restart,
};
