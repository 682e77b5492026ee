// The scale of Hyper-V's reference TSC page.
#include "kernel/claims/claims.h"
#include "kernel/hyperv.h"

#define PAGE_SOURCE "hyperv-tsc-page"

static size_t collect_hyperv_tsc_page(const struct platform *platform, struct claim *out,
                                      size_t max)
{
    char reason[CLAIM_RANGE_SIZE];
    struct cpuid_words features;
    struct hyperv_page page;
    uint64_t rate, granularity;

    if (!hyperv_features(platform, &features, reason, sizeof(reason)))
        return claim_foreign(out, max, PAGE_SOURCE, false, reason);
    if (max < 1)
        return 0;
    if (!hyperv_page_enable(platform, reason, sizeof(reason))) {
        claim_absent(out, PAGE_SOURCE, CLAIM_TSC, false, "%s", reason);
        return 1;
    }
    bool valid = hyperv_page_snapshot(&page);
    hyperv_page_restore();
    if (!valid) {
        claim_absent(out, PAGE_SOURCE, CLAIM_TSC, false, "%s",
                     page.sequence ? "its sequence number changes without end"
                                   : "its sequence number is 0: it does not hold");
        return 1;
    }
    rate = hyperv_page_millihertz(page.scale, &granularity);
    claim_stated(out, PAGE_SOURCE, CLAIM_TSC, false, rate, granularity, "scale 0x%llx",
                 (unsigned long long)page.scale);
    return 1;
}

const struct claim_source claim_hyperv_tsc_page = {.name = PAGE_SOURCE,
                                                   .collect = collect_hyperv_tsc_page};
