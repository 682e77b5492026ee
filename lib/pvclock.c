#include "lib/pvclock.h"

#include "lib/wide.h"

#define TRIES              1000
#define SHIFT_LIMIT        32
#define MILLI_NS_PER_S     1000000000000u // 10^9 ns and 10^3 mHz
#define VERSION_BUSY       1u
#define compiler_barrier() __asm__ volatile("" ::: "memory")

bool pvclock_copy(const volatile struct pvclock_time *page, struct pvclock_time *out)
{
    for (unsigned i = 0; i < TRIES; i++) {
        // x86 neither reorders loads nor, by the barriers, does the compiler.
        uint32_t version = page->version;
        compiler_barrier();
        out->tsc_timestamp = page->tsc_timestamp;
        out->system_time = page->system_time;
        out->mul = page->mul;
        out->shift = page->shift;
        out->flags = page->flags;
        compiler_barrier();
        out->version = page->version;
        if (version && !(version & VERSION_BUSY) && version == out->version)
            return true;
    }
    return false;
}

uint64_t pvclock_ns(const struct pvclock_time *pair, uint64_t tsc)
{
    uint64_t cycles = tsc - pair->tsc_timestamp;

    cycles = pair->shift < 0 ? cycles >> (-pair->shift & 63) : cycles << (pair->shift & 63);
    return pair->system_time + (uint64_t)((uint128)cycles * pair->mul >> 32);
}

uint64_t pvclock_millihertz(uint32_t mul, int8_t shift, uint64_t *granularity)
{
    *granularity = 0;
    if (mul == 0 || shift < -SHIFT_LIMIT || shift >= SHIFT_LIMIT)
        return 0;
    // Up to 2^(40 + 64), in two factors: the image has no routine that shifts 128 bits.
    unsigned exponent = (unsigned)(SHIFT_LIMIT - shift);
    uint128 dividend =
        (uint128)MILLI_NS_PER_S * (1ull << exponent / 2) * (1ull << (exponent + 1) / 2);
    uint64_t rate = wide_quotient(dividend + mul / 2, mul);
    *granularity = rate / mul + 1;
    return rate;
}
