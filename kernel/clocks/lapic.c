// The local APIC's timer: a 32-bit one-shot count down. Intel SDM vol. 3A, chapter 10 "APIC".
//
// It has no nominal rate of its own: on hardware it counts the bus or crystal clock that the bus
// claims are about. Two implementations, KVM and QEMU, emulate it at 1 GHz unless told otherwise;
// there it serves as a reference clock too, and the report says what that rests on. KVM can be told
// otherwise (KVM_CAP_X86_APIC_BUS_CYCLES_NS, Linux 6.11), and is for TDX, whose crystal is 25 MHz.
#include "kernel/apic.h"
#include "kernel/firmware/firmware.h"

#include "lib/text.h"

#define INITIAL_COUNT 0xffffffffu
#define KNOWN_RATE_HZ 1000000000u
#define HZ_PER_KHZ    1000u

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

// What its rate rests on; *known is set where it has one.
static const char *rate_source(const struct platform *platform, bool *known)
{
    const struct scan *scan = &platform->scan;
    const struct signature *vendor = scan_vendor(scan);

    *known = false;
    if (!vendor || !(text_equal(vendor->vendor, "KVM") || text_equal(vendor->vendor, "QEMU TCG")))
        return "no rate is known for this implementation";
    // What is stated makes the rate doubtful, and is no rate to measure by: it is to be measured.
    if (scan->timing_in_range && scan->timing_answer == ANSWER_DATA &&
        scan->timing.ebx >= TIMING_BUS_KHZ_MIN && scan->timing.ebx != KNOWN_RATE_HZ / HZ_PER_KHZ)
        return "leaf 0x40000010 states another rate than KVM's usual 1 GHz";
    if (is_tdx(platform))
        return "KVM has no usual rate in a TDX trust domain";
    *known = true;
    return "KVM and QEMU emulate it at 1 GHz";
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    enum clock_status status = apic_find(&apic, platform, reason, reason_size);
    uint32_t version;
    bool known;

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
    info->rate_source = rate_source(platform, &known);
    if (known)
        info->nominal = (struct hertz){KNOWN_RATE_HZ, 1};
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
