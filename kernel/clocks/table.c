#include "kernel/measure.h"

extern const struct reference_clock clock_pit, clock_hpet, clock_pmtimer, clock_lapic, clock_rtc,
    clock_hyperv_refcount, clock_pvclock, clock_xen_time;

const struct reference_clock *const clock_table[] = {
    &clock_pit,     // 1.193182 MHz, ports 0x40 to 0x43
    &clock_hpet,    // 10 MHz and more, memory-mapped
    &clock_pmtimer, // 3.579545 MHz, a port that the FADT names
    &clock_lapic,   // the local APIC's timer, at a rate that is known for some hypervisors only
    &clock_rtc,     // the CMOS clock: 1 Hz, or the rate of its periodic flag
    &clock_hyperv_refcount, // 10 MHz, a model-specific register
    &clock_pvclock,         // KVM's own readings of the host's clock, in ns
    &clock_xen_time,        // Xen's readings of its platform timer, in ns, where it makes any
    NULL,
};

const char *const clock_names[] = {
    "pit", "hpet", "pmtimer", "lapic", "rtc", "hyperv-refcount", "pvclock", "xen-time", NULL};

_Static_assert(ARRAY_SIZE(clock_table) - 1 <= CLOCKS_MAX, "kernel/measure.h has too little room");
_Static_assert(ARRAY_SIZE(clock_names) == ARRAY_SIZE(clock_table), "a clock lacks its name");

const char *clock_status_word(enum clock_status status)
{
    static const char *const words[] = {
        [CLOCK_LIVE] = "live",         [CLOCK_COARSE] = "coarse", [CLOCK_ABSENT] = "absent",
        [CLOCK_DEAD] = "dead",         [CLOCK_STUCK] = "stuck",   [CLOCK_BACKWARDS] = "backwards",
        [CLOCK_DISABLED] = "disabled", [CLOCK_SLOW] = "slow",     [CLOCK_UNUSED] = "unused",
    };

    return words[status];
}
