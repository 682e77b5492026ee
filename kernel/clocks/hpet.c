// The High Precision Event Timer's main counter. IA-PC HPET Specification 1.0a.
#include "kernel/clock.h"

// Registers, section 2.3.
#define HPET_CAPABILITIES  0x00 // low half
#define CAP_REVISION(low)  ((low)&0xff)
#define CAP_COUNTER_64     (1u << 13)
#define CAP_VENDOR(low)    ((low) >> 16)
#define HPET_PERIOD        0x04       // high half of the capabilities: femtoseconds a tick
#define PERIOD_MAX_FS      100000000u // 2.3.4: at least 10 MHz
#define PERIOD_MIN_FS      100000u    // 10 GHz: nothing faster is believed
#define HPET_CONFIGURATION 0x10
#define CONFIG_ENABLE      (1u << 0)
#define HPET_COUNTER_LOW   0xf0
#define HPET_COUNTER_HIGH  0xf4

// Where chipsets have put it since the ICH5, for machines whose tables do not say.
#define HPET_DEFAULT_ADDRESS 0xfed00000u
// Device memory: mapped uncached. An address elsewhere comes from a table that lies.

static uint64_t base;
static bool is_64_bit;

static enum clock_status absent(char *reason, size_t size, bool tabled, const char *why,
                                uint32_t value)
{
    text_print(reason, size, "%s 0x%llx%s: %s (0x%x)", tabled ? "the ACPI table names" : "tried",
               (unsigned long long)base, tabled ? "" : " without a table", why, value);
    return CLOCK_ABSENT;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    bool tabled = platform->acpi.has_hpet;

    base = tabled ? platform->acpi.hpet_address : HPET_DEFAULT_ADDRESS;
    if (base < DEVICE_WINDOW_START || base > 0xfffffc00u || base % 8) {
        text_print(reason, reason_size,
                   "ACPI names 0x%llx, expected an address from 0xc0000000 to 4 GiB",
                   (unsigned long long)base);
        return CLOCK_ABSENT;
    }
    uint32_t capabilities = machine_mmio_read32(base + HPET_CAPABILITIES);
    uint32_t period_fs = machine_mmio_read32(base + HPET_PERIOD);
    if (capabilities == 0 || capabilities == UINT32_MAX)
        return absent(reason, reason_size, tabled, "nothing answers there", capabilities);
    if (CAP_REVISION(capabilities) == 0)
        return absent(reason, reason_size, tabled, "its revision is 0", capabilities);
    if (period_fs < PERIOD_MIN_FS || period_fs > PERIOD_MAX_FS) {
        text_print(reason, reason_size, "its period is %u fs, expected %u to %u", period_fs,
                   PERIOD_MIN_FS, PERIOD_MAX_FS);
        return CLOCK_ABSENT;
    }
    // Firmware often leaves the counter off.
    uint32_t configuration = machine_mmio_read32(base + HPET_CONFIGURATION);
    if (!(configuration & CONFIG_ENABLE)) {
        machine_mmio_write32(base + HPET_CONFIGURATION, configuration | CONFIG_ENABLE);
        if (!(machine_mmio_read32(base + HPET_CONFIGURATION) & CONFIG_ENABLE)) {
            text_print(reason, reason_size, "its enable bit cannot be set");
            return CLOCK_DISABLED;
        }
    }
    is_64_bit = capabilities & CAP_COUNTER_64;
    info->nominal = (struct hertz){1000000000000000u, period_fs};
    info->rate_source = "its period register";
    // The register holds whole femtoseconds, rounded by some and truncated by others: the real
    // period lies from half a femtosecond below to one above.
    info->below_ppb = 1000000000u / period_fs + 1;
    info->above_ppb = 500000000u / period_fs + 1;
    info->bits = is_64_bit ? 64 : 32;
    // The low half is read alone: a 64-bit read is split by some implementations, and a 32-bit
    // counter is what bhyve and AMD have.
    info->modulus = 1ull << 32;
    info->wraps = true;
    info->whole = is_64_bit;
    text_print(info->detail, sizeof(info->detail), "0x%llx, vendor 0x%04x, period %u fs",
               (unsigned long long)base, CAP_VENDOR(capabilities), period_fs);
    return CLOCK_LIVE;
}

static void read(struct bracket *bracket)
{
    machine_bracket_mmio32(base + HPET_COUNTER_LOW, bracket);
}

static uint64_t read_whole(void)
{
    uint32_t high = machine_mmio_read32(base + HPET_COUNTER_HIGH);
    uint32_t low = machine_mmio_read32(base + HPET_COUNTER_LOW);

    uint32_t again = machine_mmio_read32(base + HPET_COUNTER_HIGH);

    // The high half must not have changed between the reads. It cannot change twice: that takes
    // 0.4 s at the fastest period that is accepted.
    if (again != high)
        low = machine_mmio_read32(base + HPET_COUNTER_LOW);
    return (uint64_t)again << 32 | low;
}

const struct reference_clock clock_hpet = {
    .name = "hpet",
    .probe = probe,
    .read = read,
    .read_whole = read_whole,
};
