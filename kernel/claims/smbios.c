// What firmware says about the processor: SMBIOS type 4. DMTF DSP0134 3.7, 7.5.
#include "kernel/claims/claims.h"

#define SMBIOS_SOURCE "smbios"

static size_t collect_smbios(const struct platform *platform, struct claim *out, size_t max)
{
    const struct smbios *smbios = &platform->smbios;
    unsigned current = smbios->processors[0].current_mhz;
    unsigned external = smbios->processors[0].external_clock_mhz;

    if (max < 2)
        return 0;
    if (!smbios->found || !smbios->processor_count) {
        claim_absent(out, SMBIOS_SOURCE, CLAIM_TSC, true, "%s",
                     smbios->found ? "no processor in the SMBIOS tables" : "no SMBIOS tables");
        return 1;
    }
    if (current)
        claim_stated(&out[0], SMBIOS_SOURCE, CLAIM_TSC, true,
                     (uint64_t)current * MILLIHERTZ_PER_MHZ, MILLIHERTZ_PER_MHZ,
                     "type 4: current speed; at most %u MHz", smbios->processors[0].max_mhz);
    else
        claim_absent(&out[0], SMBIOS_SOURCE, CLAIM_TSC, true,
                     "type 4: the current speed is unknown");
    if (external)
        claim_stated(&out[1], SMBIOS_SOURCE, CLAIM_BCLK, true,
                     (uint64_t)external * MILLIHERTZ_PER_MHZ, MILLIHERTZ_PER_MHZ,
                     "type 4: external clock");
    else
        claim_absent(&out[1], SMBIOS_SOURCE, CLAIM_BCLK, true,
                     "type 4: the external clock is unknown");
    return 2;
}

const struct claim_source claim_smbios = {.name = SMBIOS_SOURCE, .collect = collect_smbios};
