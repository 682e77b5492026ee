#include "kernel/apic.h"

#include "lib/text.h"

#define MSR_APIC_BASE      0x1b // SDM vol. 4, table 2-2
#define BASE_X2APIC        (1u << 10)
#define BASE_ENABLED       (1u << 11)
#define BASE_ADDRESS       0x000ffffffffff000ull
#define CPUID_1_ECX_X2APIC (1u << 21)
#define CPUID_1_EDX_APIC   (1u << 9)

#define COMMAND_LOW  0x300
#define COMMAND_HIGH 0x310
#define PENDING      (1u << 12)
#define BROADCAST_ID 0xff // in xAPIC mode
#define SEND_POLLS   1000 // an IPI leaves in well under a microsecond, a poll takes 50 ns or more

bool apic_read(const struct apic *apic, uint32_t offset, uint32_t *value)
{
    uint64_t wide;

    if (!apic->x2apic) {
        *value = machine_mmio_read32(apic->base + offset);
        return true;
    }
    if (!machine_rdmsr(APIC_X2APIC_MSR(offset), &wide))
        return false;
    *value = (uint32_t)wide;
    return true;
}

bool apic_write(const struct apic *apic, uint32_t offset, uint32_t value)
{
    if (apic->x2apic)
        return machine_wrmsr(APIC_X2APIC_MSR(offset), value);
    machine_mmio_write32(apic->base + offset, value);
    return true;
}

enum clock_status apic_find(struct apic *apic, const struct platform *platform, char *reason,
                            size_t reason_size)
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
    apic->x2apic = apic_base & BASE_X2APIC;
    if (!apic->x2apic && features.ecx & CPUID_1_ECX_X2APIC)
        apic->x2apic = machine_wrmsr(MSR_APIC_BASE, apic_base | BASE_X2APIC);
    apic->base = apic_base & BASE_ADDRESS;
    if (!apic->x2apic && (apic->base < DEVICE_WINDOW_START || apic->base > UINT32_MAX)) {
        text_print(reason, reason_size, "its window is at 0x%llx, expected 0xc0000000 to 4 GiB",
                   (unsigned long long)apic->base);
        return CLOCK_ABSENT;
    }
    return CLOCK_LIVE;
}

bool apic_send(const struct apic *apic, uint32_t apic_id, uint32_t command)
{
    uint32_t status = PENDING;

    if (apic->x2apic)
        return machine_wrmsr(APIC_X2APIC_MSR(COMMAND_LOW), (uint64_t)apic_id << 32 | command);
    if (apic_id >= BROADCAST_ID)
        return false;
    for (unsigned i = 0; i < SEND_POLLS && status & PENDING; i++)
        apic_read(apic, COMMAND_LOW, &status);
    if (status & PENDING)
        return false;
    apic_write(apic, COMMAND_HIGH, apic_id << 24);
    apic_write(apic, COMMAND_LOW, command);
    return true;
}

uint32_t apic_id_here(void)
{
    struct cpuid_words words = {0, 0, 0, 0};

    if (machine_cpuid(0, 0).eax >= 0xb)
        words = machine_cpuid(0xb, 0);
    return words.ebx ? words.edx : machine_cpuid(1, 0).ebx >> 24;
}
