// What should be the same on every vCPU: CPUID, and MSRs that state a rate.
#include <machine.h>

#include "kernel/hyperv.h"
#include "kernel/smp.h"

#include "lib/cpu_rate.h"
#include "lib/text.h"

#define ROWS_MAX       96
#define HYPERVISOR_MAX 0x20u // leaves of its block
#define EXTENDED_MAX   0x80000028u
#define BASIC_MAX      0x28u
#define HYPERV         "Hv#1" // leaf 0x40000001 EAX: TLFS, "Hypervisor CPUID leaf range"

static struct vcpu_row rows[ROWS_MAX];
static size_t row_count;

// Leaves that have sub-leaves, and how many of them are looked at: Intel SDM vol. 2A, CPUID; AMD
// APM vol. 3, appendix E.
static unsigned subleaves(uint32_t leaf)
{
    return leaf == 0x4 || leaf == 0x8000001d           ? 4
           : leaf == 0x7 || leaf == 0xb || leaf == 0xd ? 2
                                                       : 1;
}

// Leaves some of whose words belong to the vCPU, and the bits that do not. Sources as above, and
// Xen's public/arch-x86/cpuid.h.
static const struct {
    uint32_t leaf;
    struct cpuid_words same;
} partly[] = {
    {0x1, {~0u, 0x00ffffff, ~0u, ~0u}},    // EBX 31-24: initial APIC id
    {0xb, {~0u, ~0u, ~0u, 0}},             // EDX: x2APIC id
    {0x1f, {~0u, ~0u, ~0u, 0}},            // the same
    {0xd, {~0u, 0, ~0u, ~0u}},             // EBX: size for the features in XCR0
    {0x19, {0, 0, 0, 0}},                  // Key Locker: what this vCPU has loaded
    {0x1b, {0, 0, 0, 0}},                  // PCONFIG
    {0x40000004, {~0u, 0, 0, ~0u}},        // Xen: EBX vCPU id, ECX domain id
    {0x8000001e, {0, 0xffffff00, 0, ~0u}}, // EAX APIC id, EBX core id, ECX node id
    {0x80000026, {~0u, ~0u, ~0u, 0}},      // EDX: x2APIC id
};

static bool has_tsc_adjust;

// Reads the row on this vCPU; what belongs to the vCPU is left out.
static struct vcpu_row read_row(const struct vcpu_row *row)
{
    struct vcpu_row here = *row;
    uint64_t value = 0;

    if (row->msr) {
        here.readable = machine_rdmsr(row->leaf, &value);
        here.words = (struct cpuid_words){(uint32_t)value, 0, 0, (uint32_t)(value >> 32)};
        return here;
    }
    here.words = machine_cpuid(row->leaf, row->subleaf);
    for (size_t i = 0; i < ARRAY_SIZE(partly); i++) {
        if (partly[i].leaf != row->leaf)
            continue;
        here.words.eax &= partly[i].same.eax;
        here.words.ebx &= partly[i].same.ebx;
        here.words.ecx &= partly[i].same.ecx;
        here.words.edx &= partly[i].same.edx;
    }
    return here;
}

static void add(uint32_t leaf, uint32_t subleaf, bool msr)
{
    struct vcpu_row row = {.leaf = leaf, .subleaf = subleaf, .msr = msr, .readable = true};

    if (row_count < ROWS_MAX)
        rows[row_count++] = read_row(&row);
}

static void add_range(uint32_t first, uint32_t last)
{
    for (uint32_t leaf = first; leaf <= last; leaf++)
        for (unsigned subleaf = 0; subleaf < subleaves(leaf); subleaf++)
            add(leaf, subleaf, false);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

size_t smp_rows_collect(const struct platform *platform)
{
    const struct block *block = scan_main_block(&platform->scan);
    uint32_t basic = platform->scan.max_basic;
    uint32_t extended = machine_cpuid(CPUID_EXTENDED, 0).eax;

    row_count = 0;
    add_range(0, least(basic, BASIC_MAX));
    // An unknown block is not touched beyond leaf + 1.
    if (block)
        add_range(CPUID_HYPERVISOR_BASE,
                  least(block->known ? block->last_leaf : CPUID_HYPERVISOR_BASE + 1,
                        CPUID_HYPERVISOR_BASE + HYPERVISOR_MAX));
    if (extended >= CPUID_EXTENDED && extended <= CPUID_EXTENDED + 0xffff)
        add_range(CPUID_EXTENDED, least(extended, EXTENDED_MAX));
    add(INTEL_MSR_PLATFORM_INFO, 0, true);
    if (text_equal(platform->scan.interface_signature, HYPERV)) {
        add(HYPERV_MSR_TSC_FREQUENCY, 0, true);
        add(HYPERV_MSR_APIC_FREQUENCY, 0, true);
    }
    has_tsc_adjust = basic >= 7 && machine_cpuid(7, 0).ebx & CPUID_7_EBX_TSC_ADJUST;
    return row_count;
}

static void keep_msr(struct vcpu *vcpu, const struct vcpu_row *row)
{
    uint64_t value = (uint64_t)row->words.edx << 32 | row->words.eax;

    if (row->leaf == INTEL_MSR_PLATFORM_INFO) {
        vcpu->has_platform_info = true;
        vcpu->platform_info = value;
    } else if (row->leaf == HYPERV_MSR_TSC_FREQUENCY && value <= CLAIM_MILLIHERTZ_MAX / 1000) {
        vcpu->stated[VCPU_HYPERV_MSR].millihertz = value * 1000;
        vcpu->stated[VCPU_HYPERV_MSR].granularity_millihertz = 1000;
    }
}

void smp_rows_compare(struct vcpu *vcpu)
{
    vcpu->has_tsc_adjust = has_tsc_adjust && machine_rdmsr(MSR_TSC_ADJUST, &vcpu->tsc_adjust);
    for (size_t i = 0; i < row_count; i++) {
        struct vcpu_row here = read_row(&rows[i]);
        if (here.msr && here.readable)
            keep_msr(vcpu, &here);
        if (here.readable == rows[i].readable && cpuid_equal(here.words, rows[i].words))
            continue;
        if (!vcpu->differences++)
            vcpu->difference = here;
    }
}
