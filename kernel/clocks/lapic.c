// The local APIC's timer: a 32-bit one-shot count down. Intel SDM vol. 3A, chapter 10 "APIC".
//
// It has no nominal rate of its own: on hardware it counts the bus or crystal clock that the bus
// claims are about. Two implementations, KVM and QEMU, emulate it at 1 GHz unless told otherwise;
// there it serves as a reference clock too, and the report says what that rests on.
#include "kernel/apic.h"

#include "lib/text.h"

#define INITIAL_COUNT 0xffffffffu
#define KNOWN_RATE_HZ 1000000000u

static struct apic apic;

static void restart(void)
{
    apic_write(&apic, APIC_INITIAL_COUNT, INITIAL_COUNT);
}

static void read(struct bracket *bracket)
{
    if (apic.x2apic)
        machine_bracket_msr(APIC_X2APIC_MSR(APIC_CURRENT_COUNT), bracket);
    else
        machine_bracket_mmio32(apic.base + APIC_CURRENT_COUNT, bracket);
    bracket->value = INITIAL_COUNT - (uint32_t)bracket->value;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    enum clock_status status = apic_find(&apic, platform, reason, reason_size);
    uint32_t version;

    if (status != CLOCK_LIVE)
        return status;
    if (!apic_read(&apic, APIC_VERSION, &version) || version == UINT32_MAX || version == 0) {
        text_print(reason, reason_size, "its version register does not answer");
        return CLOCK_DEAD;
    }
    if (!apic_write(&apic, APIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR) ||
        !apic_write(&apic, APIC_LVT_TIMER, LVT_MASKED | SPURIOUS_VECTOR) ||
        !apic_write(&apic, APIC_DIVIDE, DIVIDE_BY_1) ||
        !apic_write(&apic, APIC_INITIAL_COUNT, INITIAL_COUNT) ||
        !apic_read(&apic, APIC_CURRENT_COUNT, &version)) {
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
               apic.x2apic ? "x2APIC" : "xAPIC");
    return CLOCK_LIVE;
}

const struct reference_clock clock_lapic = {
    .name = "lapic",
    .probe = probe,
    .read = read,
    .restart = restart,
};
