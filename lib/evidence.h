// Who runs this guest: everything that points to somebody, and what it adds up to.
//
// CPUID signatures name an interface rather than a program: Firecracker, Cloud Hypervisor, crosvm
// and Amazon's Nitro all say KVM, and KVM, Xen and VirtualBox can all say Hyper-V. Firmware tables
// tell more. docs/identity.md lists what is looked at, with the source of each.
#pragma once

#include "lib/acpi.h"
#include "lib/scan.h"
#include "lib/smbios.h"
#include "lib/vmi.h"

// What was found. The pointers must not be NULL.
struct evidence_facts {
    const struct scan *scan;
    const struct acpi_tables *acpi;
    const struct smbios *smbios;
    struct vmi_rom vmi;
    bool fw_cfg;         // QEMU's fw_cfg device answers
    bool vmware_port;    // VMware's port 0x5658 answers GETVERSION
    bool hyperv_root;    // leaf 0x40000003 EBX bit 12: the partition that manages the CPUs
    bool tdx;            // leaf 0x21 says "IntelTDX    "
    bool sev_leaf;       // leaf 0x8000001F EAX bit 1: the CPU has SEV
    uint32_t sev_status; // MSR 0xC0010131: bit 0 SEV, bit 1 SEV-ES, bit 2 SEV-SNP in force
};

// Evidence of one group has one author; only different groups confirm each other.
enum evidence_group {
    EVIDENCE_SIGNATURE,
    EVIDENCE_FADT,
    EVIDENCE_ACPI,
    EVIDENCE_SMBIOS,
    EVIDENCE_DEVICE,
    EVIDENCE_GROUPS
};

struct evidence_item {
    const char *source; // stable word: "signature", "fadt", "smbios-product", ...
    enum evidence_group group;
    char finding[80];
    const char *points_to; // a name as people write it; NULL: to nobody in particular
};

#define EVIDENCE_MAX 24

enum confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };
const char *confidence_word(enum confidence confidence); // "low", "medium", "high"

struct evidence {
    struct evidence_item items[EVIDENCE_MAX];
    size_t count;
    size_t dropped;         // found but no room
    const char *hypervisor; // whose signature it is, NULL: none is known
    const char *platform;   // the program or cloud around it, NULL: not known
    char conclusion[96];    // in words
    enum confidence confidence;
    char against[96];        // what does not fit the conclusion, "": all fits
    char impersonation[160]; // who shows whose interface, "": nobody another's
};

// Gathers the items and draws the conclusion.
void evidence_weigh(struct evidence *evidence, const struct evidence_facts *facts);
