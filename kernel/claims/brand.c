// The rate in the processor brand string, leaves 0x80000002 to 0x80000004. Intel SDM vol. 2A,
// CPUID, "Brand String"; AMD APM vol. 3, E.4.
#include "kernel/claims/claims.h"
#include "lib/cpu_rate.h"
#include "lib/text.h"

#define BRAND_SOURCE   "brand"
#define BRAND_LEAF     0x80000002u
#define BRAND_LEAVES   3
#define EXTENDED_LIMIT 0x80010000u // a highest leaf beyond is none

// The string without the spaces around it, and with '?' for what is not printable.
static void show(const char brand[BRAND_SIZE], char out[BRAND_SIZE + 1])
{
    struct text text;

    text_init(&text, out, BRAND_SIZE + 1);
    for (size_t i = 0; i < BRAND_SIZE && brand[i]; i++)
        if (brand[i] != ' ' || text.used)
            text_char(&text, (char)(brand[i] < ' ' || brand[i] > '~' ? '?' : brand[i]));
    while (text.used && out[text.used - 1] == ' ')
        out[--text.used] = '\0';
}

static size_t collect_brand(const struct platform *platform, struct claim *out, size_t max)
{
    uint32_t highest = cpuid_read(&platform->cpuid, CPUID_EXTENDED, 0).eax;
    char brand[BRAND_SIZE], shown[BRAND_SIZE + 1];
    uint64_t rate, granularity;

    if (max < 1)
        return 0;
    if (highest < BRAND_LEAF + BRAND_LEAVES - 1 || highest >= EXTENDED_LIMIT) {
        claim_absent(out, BRAND_SOURCE, CLAIM_TSC, true, "max extended leaf 0x%08x: no string",
                     highest);
        return 1;
    }
    for (unsigned i = 0; i < BRAND_LEAVES; i++) {
        struct cpuid_words words = cpuid_read(&platform->cpuid, BRAND_LEAF + i, 0);
        memcpy(brand + i * sizeof(words), &words, sizeof(words));
    }
    show(brand, shown);
    rate = brand_millihertz(brand, &granularity);
    if (!rate)
        claim_absent(out, BRAND_SOURCE, CLAIM_TSC, true, "no MHz or GHz in \"%s\"", shown);
    else
        claim_stated(out, BRAND_SOURCE, CLAIM_TSC, true, rate, granularity, "\"%s\"", shown);
    return 1;
}

const struct claim_source claim_brand = {.name = BRAND_SOURCE, .collect = collect_brand};
