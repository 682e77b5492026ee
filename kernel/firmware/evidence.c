// Reads what lib/evidence.h weighs and no table holds.
#include "kernel/firmware/firmware.h"

#include <machine.h>

#include "kernel/vmware.h"
#include "lib/text.h"

#define LEAF_TDX        0x21u       // Intel TDX module specification, "CPUID virtualization"
#define HYPERV_CPU_ROOT (1u << 12)  // EBX, CpuManagement: the root partition only (TLFS 2.4.4)
#define LEAF_SEV        0x8000001fu // AMD APM vol. 3, E.4.17
#define SEV_SUPPORTED   (1u << 1)   // EAX
#define MSR_SEV_STATUS  0xc0010131u // AMD APM vol. 2, 15.34.10
#define SEV_STATUS_MASK 7u

// The signature's order is that of leaf 0: EBX, EDX, ECX.
bool is_tdx(const struct platform *platform)
{
    if (platform->scan.max_basic < LEAF_TDX || platform->scan.max_basic >= CPUID_HYPERVISOR_BASE)
        return false;
    struct cpuid_words words = cpuid_read(&platform->cpuid, LEAF_TDX, 0);
    uint32_t text[3] = {words.ebx, words.edx, words.ecx};
    return memcmp(text, "IntelTDX    ", sizeof(text)) == 0;
}

static bool has_sev(const struct platform *platform)
{
    uint32_t max = cpuid_read(&platform->cpuid, CPUID_EXTENDED, 0).eax;

    // Below 0x80000000 it is an echo, far above it something else that is no answer.
    return max >= LEAF_SEV && max <= (CPUID_EXTENDED | 0xffff) &&
           cpuid_read(&platform->cpuid, LEAF_SEV, 0).eax & SEV_SUPPORTED;
}

static bool is_hyperv_root(const struct platform *platform)
{
    const struct block *block = scan_main_block(&platform->scan);

    return block && block->known && text_equal(block->known->vendor, "Hyper-V") &&
           block->last_leaf >= CPUID_HYPERV_FEATURES &&
           cpuid_read(&platform->cpuid, CPUID_HYPERV_FEATURES, 0).ebx & HYPERV_CPU_ROOT;
}

void evidence_gather(struct platform *platform)
{
    uint64_t status = 0;
    struct evidence_facts facts = {
        .scan = &platform->scan,
        .acpi = &platform->acpi,
        .smbios = &platform->smbios,
        .fw_cfg = platform->fw_cfg.present,
        .vmware_port = vmware_port_answers(platform),
        .hyperv_root = is_hyperv_root(platform),
        .tdx = is_tdx(platform),
        .sev_leaf = has_sev(platform),
    };

    vmi_find(&facts.vmi, platform->phys);
    if (facts.sev_leaf && machine_rdmsr(MSR_SEV_STATUS, &status))
        facts.sev_status = (uint32_t)status & SEV_STATUS_MASK;
    evidence_weigh(&platform->evidence, &facts);
}
