#include "lib/hyperv_page.h"

#include "lib/wide.h"

#define TRIES               1000
#define MILLIHERTZ_OF_100NS 10000000000u // 10^7 a second, and 10^3 mHz
#define compiler_barrier()  __asm__ volatile("" ::: "memory")

bool hyperv_page_copy(const volatile struct hyperv_page *page, struct hyperv_page *out)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t sequence = page->sequence;
        compiler_barrier();
        out->scale = page->scale;
        out->offset = page->offset;
        compiler_barrier();
        out->sequence = page->sequence;
        if (sequence && sequence == out->sequence)
            return true;
    }
    return false;
}

uint64_t hyperv_page_millihertz(uint64_t scale, uint64_t *granularity)
{
    *granularity = 0;
    if (scale == 0)
        return 0;
    // At most 2^98.
    uint64_t rate = wide_quotient(((uint128)MILLIHERTZ_OF_100NS << 64) + scale / 2, scale);
    *granularity = rate / scale + 1;
    return rate;
}
