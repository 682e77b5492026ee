// The ACPI power management timer: a free-running 24- or 32-bit counter at 315/88 MHz.
// ACPI 6.5, 4.8.3.3 "Power Management Timer"; found through the FADT (5.2.9), never guessed.
#include "kernel/clock.h"

static uint16_t port;

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    const struct acpi_tables *acpi = &platform->acpi;

    if (!acpi->has_fadt || !acpi->pm_timer_port) {
        text_print(reason, reason_size, "%s",
                   acpi->has_fadt ? "the FADT names no PM timer port"
                   : acpi->found  ? "no FADT among the ACPI tables"
                                  : "no ACPI tables");
        return CLOCK_ABSENT;
    }
    port = acpi->pm_timer_port;
    if (machine_in32(port) == UINT32_MAX && machine_in32(port) == UINT32_MAX) {
        text_print(reason, reason_size, "port 0x%x reads as all ones", port);
        return CLOCK_DEAD;
    }
    // 315/88 MHz. Every implementation that we know of rounds it to 3579545 Hz, 0.127 ppm less.
    info->nominal = (struct hertz){315000000, 88};
    info->rate_source = "315/88 MHz, ACPI 6.5 4.8.3.3";
    info->below_ppb = 128;
    info->above_ppb = 0;
    info->bits = acpi->pm_timer_bits;
    // Only the low 24 bits are used: QEMU's counter has 24 whatever the FADT says.
    info->modulus = 1u << 24;
    info->wraps = true;
    text_print(info->detail, sizeof(info->detail), "port 0x%x", port);
    return CLOCK_LIVE;
}

static void read(struct bracket *bracket)
{
    machine_bracket_in32(port, bracket);
    bracket->value &= 0xffffff;
}

const struct reference_clock clock_pmtimer = {
    .name = "pmtimer",
    .probe = probe,
    .read = read,
};
