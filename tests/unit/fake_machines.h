// The CPUID of known hypervisors, as far as detection and claims read it. Where a recording is
// named, its leaves 0xd and 0x4000xxxx are verbatim; all else is built from the sources named in
// docs/scan.md.
#pragma once

#include "tests/unit/fake_cpu.h"

#define AMD(max)   LEAF(0x0, max, 0x68747541, 0x444d4163, 0x69746e65)
#define INTEL(max) LEAF(0x0, max, 0x756e6547, 0x6c65746e, 0x49656e69)
#define GUEST      LEAF(0x1, 0x00800f12, 0, 0x80000000, 0) // the hypervisor-present bit set
#define BARE       LEAF(0x1, 0x00800f12, 0, 0, 0)

#define KVM_BYTES       0x4b4d564b, 0x564b4d56, 0x0000004d
#define HYPERV_BYTES    0x7263694d, 0x666f736f, 0x76482074
#define XEN_BYTES       0x566e6558, 0x65584d4d, 0x4d4d566e
#define TCG_BYTES       0x54474354, 0x43544743, 0x47435447
#define BHYVE_BYTES     0x76796862, 0x68622065, 0x20657679
#define JAILHOUSE_BYTES 0x6c69614a, 0x73756f68, 0x00000065
#define GENERIC_BYTES   0x656e6547, 0x56636972, 0x46494d4d // "GenericVMMIF"
#define UNKNOWN_BYTES   0x6e6b6e55, 0x566e776f, 0x32344d4d // "UnknownVMM42"

enum machine_name {
    TCG_MAX,
    TCG_NO_BIT,
    TCG_NO_SIGNATURE,
    KVM_PLAIN,
    KVM_TIMING,
    KVM_INTEL,
    KVM_INTEL_TIMING,
    KVM_OLD,
    KVM_OFF,
    KVM_UNDER_HYPERV,
    HYPERV_VS,
    XEN_PLAIN,
    XEN_VIRIDIAN,
    VMWARE,
    VIRTUALBOX_MINIMAL,
    VIRTUALBOX_HYPERV,
    EMPTY_NO_TIMING,
    BHYVE_OLD,
    BHYVE_2025,
    BHYVE_TIMING,
    HAXM,
    ACRN,
    JAILHOUSE,
    OPENBSD,
    EVMM,
    NVMM,
    NVMM_OLD,
    BARE_INTEL,
    BARE_AMD,
    BOCHS,
    HOST_LEAK,
    UNKNOWN_TIMING,
    UNKNOWN_LONG,
    UNKNOWN_ZERO,
    GENERIC_AT_20,
    GENERIC_AT_100,
    GENERIC_SHORT,
    UNKNOWN_ELSEWHERE,
    VENDOR_SPACE,
    MACHINE_COUNT,
};

// Recorded: qemu-tcg-max-local.txt.
static const struct fake_leaf tcg_max[] = {
    AMD(0xd),
    LEAF(0x1, 0x00060fb1, 0x800, 0xf6d8320b, 0x0fcbfbfd),
    LEAF(0xd, 0x21f, 0x240, 0xa88, 0),
    SUBLEAF(0xd, 1, 0x5, 0x3c8, 0, 0),
    LEAF(0x40000000, 0x40000001, TCG_BYTES),
    LEAF(0x40000001, 0, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf tcg_no_bit[] = {
    AMD(0xd),
    LEAF(0x1, 0x00060fb1, 0x800, 0x76d8320b, 0x0fcbfbfd),
    LEAF(0xd, 0x21f, 0x240, 0xa88, 0),
    SUBLEAF(0xd, 1, 0x5, 0x3c8, 0, 0),
    LEAF(0x40000000, 0x40000001, TCG_BYTES),
    LEAF(0x40000001, 0, 0, 0, 0),
    LEAVES_END,
};

// Recorded: qemu-tcg-max-nosig-local.txt.
static const struct fake_leaf tcg_no_signature[] = {
    AMD(0xd),
    LEAF(0x1, 0x00060fb1, 0x800, 0xf6d8320b, 0x0fcbfbfd),
    LEAF(0xd, 0x21f, 0x240, 0xa88, 0),
    SUBLEAF(0xd, 1, 0x5, 0x3c8, 0, 0),
    LEAF(0x40000000, 0, 0, 0, 0),
    LEAF(0x40000001, 0, 0, 0, 0),
    LEAVES_END,
};

// Recorded: kvm-qemu64-qemu72-local.txt.
static const struct fake_leaf kvm_plain[] = {
    AMD(0xd),
    GUEST,
    LEAF(0xd, 0xe7, 0x240, 0x980, 0),
    LEAF(0x40000000, 0x40000001, KVM_BYTES),
    LEAF(0x40000001, 0x0100007b, 0, 0, 0),
    LEAVES_END,
};

// Recorded: kvm-epyc-invtsc-qemu72-local.txt.
static const struct fake_leaf kvm_timing[] = {
    AMD(0xd),
    GUEST,
    LEAF(0xd, 0xe7, 0x240, 0x980, 0),
    LEAF(0x40000000, 0x40000010, KVM_BYTES),
    LEAF(0x40000001, 0x0100007b, 0, 0, 0),
    LEAF(0x40000010, 2596130, 1000000, 0, 0),
    LEAVES_END,
};

// Recorded: kvm-intelvendor-qemu72-local.txt.
static const struct fake_leaf kvm_intel[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0xd, 0xe7, 0x240, 0x980, 0),
    SUBLEAF(0xd, 1, 0x7, 0x240, 0, 0),
    LEAF(0x40000000, 0x40000001, KVM_BYTES),
    LEAF(0x40000001, 0x0100007b, 0, 0, 0),
    LEAVES_END,
};

// Leaf 0x16, the highest, reads as zeros here: the echo cannot be told from zeros.
static const struct fake_leaf kvm_intel_timing[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x40000000, 0x40000010, KVM_BYTES),
    LEAF(0x40000001, 0x0100007b, 0, 0, 0),
    LEAF(0x40000010, 2596130, 1000000, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf kvm_old[] = {
    AMD(0xd), GUEST, LEAF(0x40000000, 0, KVM_BYTES), LEAF(0x40000001, 0x7, 0, 0, 0), LEAVES_END,
};

static const struct fake_leaf kvm_off[] = {
    AMD(0xd),
    GUEST,
    LEAVES_END,
};

static const struct fake_leaf kvm_under_hyperv[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000005, HYPERV_BYTES),
    LEAF(0x40000001, 0x31237648, 0, 0, 0),
    LEAF(0x40000002, 0x3839, 0xa0000, 0, 0),
    LEAF(0x40000003, 0x262, 0, 0, 8),
    LEAF(0x40000100, 0x40000101, KVM_BYTES),
    LEAF(0x40000101, 0x0100007b, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf hyperv_vs[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x16, 0xbb8, 0xfa0, 0x64, 0),
    LEAF(0x40000000, 0x4000000b, HYPERV_BYTES),
    LEAF(0x40000001, 0x31237648, 0, 0, 0),
    LEAF(0x4000000b, 0x1234, 0, 0, 0),
    LEAF(0x40000080, 0x40000082, 0x7263694d, 0x666f736f, 0x53562074),
    LEAF(0x40000081, 0x31235356, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf xen_plain[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0xd, 0x7, 0x340, 0x340, 0),
    LEAF(0x40000000, 0x40000005, XEN_BYTES),
    LEAF(0x40000001, 0x4000b, 0, 0, 0),
    LEAF(0x40000002, 1, 0x40000000, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf xen_viridian[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000006, HYPERV_BYTES),
    LEAF(0x40000001, 0x31237648, 0, 0, 0),
    LEAF(0x40000100, 0x40000105, XEN_BYTES),
    LEAF(0x40000102, 1, 0x40000200, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf vmware[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0xd, 0x3, 0x240, 0x240, 0),
    LEAF(0x40000000, 0x40000010, 0x61774d56, 0x4d566572, 0x65726177),
    LEAF(0x40000001, 0, 0, 0, 0),
    LEAF(0x40000010, 2100000, 66000, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf virtualbox_minimal[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x16, 0xa28, 0xe74, 0x64, 0),
    LEAF(0x40000000, 0x40000010, 0, 0, 0),
    LEAF(0x40000010, 2591998, 1000000, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf virtualbox_hyperv[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x40000000, 0x40000006, 0x786f4256, 0x786f4256, 0x786f4256),
    LEAF(0x40000001, 0x31237648, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf empty_no_timing[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x40000000, 0x40000010, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf bhyve_old[] = {
    AMD(0xd),   GUEST, LEAF(0xd, 0x7, 0x340, 0x340, 0), LEAF(0x40000000, 0x40000000, BHYVE_BYTES),
    LEAVES_END,
};

static const struct fake_leaf bhyve_2025[] = {
    AMD(0xd),
    GUEST,
    LEAF(0xd, 0x7, 0x340, 0x340, 0),
    LEAF(0x40000000, 0x40000001, BHYVE_BYTES),
    LEAF(0x40000001, 1, 0, 0, 0),
    LEAVES_END,
};

// None does yet: the timing leaf would be what every later leaf is clamped to.
static const struct fake_leaf bhyve_timing[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000010, BHYVE_BYTES),
    LEAF(0x40000001, 1, 0, 0, 0),
    LEAF(0x40000010, 2000000, 128000, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf haxm[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000000, 0x4d584148, 0x4d584148, 0x4d584148),
    LEAVES_END,
};

static const struct fake_leaf acrn[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x16, 0x8fc, 0xc80, 0x64, 0),
    LEAF(0x40000000, 0x40000010, 0x4e524341, 0x4e524341, 0x4e524341),
    LEAF(0x40000001, 0, 0, 0, 0),
    LEAF(0x40000010, 2304000, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf jailhouse[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0xd, 0x7, 0x340, 0x340, 0),
    LEAF(0x40000000, 0x40000001, JAILHOUSE_BYTES),
    LEAF(0x40000001, 0, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf openbsd[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x40000000, 0, 0x6e65704f, 0x56445342, 0x38354d4d),
    LEAF(0x40000001, 0x01000008, 0, 0, 0),
    LEAF(0x40000100, 0x40000101, KVM_BYTES),
    LEAF(0x40000101, 0x01000008, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf evmm[] = {
    INTEL(0x16),
    GUEST,
    LEAF(0x16, 0x640, 0x960, 0x64, 0),
    LEAF(0x40000000, 0x16, 0x4d4d5645, 0x4d4d5645, 0x4d4d5645),
    LEAVES_END,
};

static const struct fake_leaf nvmm[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000000, 0x205f5f5f, 0x4d4d564e, 0x5f5f5f20),
    LEAVES_END,
};

static const struct fake_leaf nvmm_old[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0xd, 0x7, 0x340, 0x340, 0),
    LEAF(0x40000000, 0xdac, 0x205f5f5f, 0x4d4d564e, 0x5f5f5f20),
    LEAVES_END,
};

static const struct fake_leaf bare_intel[] = {
    INTEL(0x16), BARE, LEAF(0x15, 2, 342, 0, 0), LEAF(0x16, 0x1004, 0x12c0, 0x64, 0), LEAVES_END,
};

static const struct fake_leaf bare_amd[] = {
    AMD(0x10),
    BARE,
    LEAF(0xd, 0x7, 0x340, 0x340, 0),
    LEAVES_END,
};

static const struct fake_leaf bochs[] = {
    INTEL(0x16),
    LEAF(0x1, 0x00050654, 0, 0, 0),
    LEAF(0x15, 2, 0x124, 0, 0),
    LEAF(0x16, 0xdac, 0xfa0, 0x64, 0),
    LEAVES_END,
};

// A guest whose highest basic leaf is not the host's: leaf 0x16 of the host shines through.
static const struct fake_leaf host_leak[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0xd, 0x7, 0x340, 0x340, 0),
    LEAVES_END,
};

static const struct fake_leaf unknown_timing[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000012, UNKNOWN_BYTES),
    LEAF(0x40000001, 0x1234, 0, 0, 0),
    LEAF(0x40000002, 0x55, 0, 0, 0),
    LEAF(0x40000010, 3000001, 25000, 0, 0),
    LEAF(0x40000011, 7, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf unknown_long[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000200, UNKNOWN_BYTES),
    LEAF(0x40000010, 3000001, 25000, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf unknown_zero[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0, UNKNOWN_BYTES),
    LEAVES_END,
};

static const struct fake_leaf generic_at_20[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000001, UNKNOWN_BYTES),
    LEAF(0x40000020, 0x40000021, GENERIC_BYTES),
    LEAF(0x40000021, 2400000, 100000, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf generic_at_100[] = {
    INTEL(0xd),
    GUEST,
    LEAF(0xd, 0x7, 0x340, 0x340, 0),
    LEAF(0x40000000, 0x40000001, KVM_BYTES),
    LEAF(0x40000001, 0x0100007b, 0, 0, 0),
    LEAF(0x40000100, 0x40000101, GENERIC_BYTES),
    LEAF(0x40000101, 2400001, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf generic_short[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000300, 0x40000300, GENERIC_BYTES),
    LEAF(0x40000301, 2400001, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf unknown_elsewhere[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x40000000, 0x40000001, KVM_BYTES),
    LEAF(0x40000001, 0x0100007b, 0, 0, 0),
    LEAF(0x40000030, 0x40000035, UNKNOWN_BYTES),
    LEAF(0x40000300, 0x40000305, UNKNOWN_BYTES),
    LEAF(0x40000301, 0x41, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_leaf vendor_space[] = {
    AMD(0xd),
    GUEST,
    LEAF(0x4015ad00, 0x4015ad01, UNKNOWN_BYTES),
    LEAF(0x4015ad01, 2400001, 0, 0, 0),
    LEAVES_END,
};

static const struct fake_machine {
    const char *name;
    const struct fake_leaf *leaves;
    enum fake_beyond beyond;
    struct cpuid_words constant; // of FAKE_CONSTANT
} machines[MACHINE_COUNT] = {
    [TCG_MAX] = {"QEMU TCG -cpu max", tcg_max, FAKE_ECHO, {0}},
    [TCG_NO_BIT] = {"QEMU TCG -cpu max,-hypervisor", tcg_no_bit, FAKE_ECHO, {0}},
    [TCG_NO_SIGNATURE] = {"QEMU TCG tcg-cpuid=off", tcg_no_signature, FAKE_ECHO, {0}},
    [KVM_PLAIN] = {"KVM", kvm_plain, FAKE_ZEROS, {0}},
    [KVM_TIMING] = {"KVM with invtsc", kvm_timing, FAKE_ZEROS, {0}},
    [KVM_INTEL] = {"KVM, Intel guest", kvm_intel, FAKE_KVM, {0}},
    [KVM_INTEL_TIMING] = {"KVM with invtsc, Intel guest", kvm_intel_timing, FAKE_KVM, {0}},
    [KVM_OLD] = {"KVM before max leaves", kvm_old, FAKE_ZEROS, {0}},
    [KVM_OFF] = {"KVM kvm=off", kvm_off, FAKE_ZEROS, {0}},
    [KVM_UNDER_HYPERV] = {"KVM behind a Hyper-V interface", kvm_under_hyperv, FAKE_ZEROS, {0}},
    [HYPERV_VS] = {"Hyper-V with debug interface", hyperv_vs, FAKE_ECHO, {0}},
    [XEN_PLAIN] = {"Xen", xen_plain, FAKE_ZEROS, {0}},
    [XEN_VIRIDIAN] = {"Xen viridian", xen_viridian, FAKE_ZEROS, {0}},
    [VMWARE] = {"VMware", vmware, FAKE_ECHO, {0}},
    [VIRTUALBOX_MINIMAL] = {"VirtualBox, minimal provider", virtualbox_minimal, FAKE_ZEROS, {0}},
    [VIRTUALBOX_HYPERV] = {"VirtualBox, Hyper-V provider", virtualbox_hyperv, FAKE_ZEROS, {0}},
    [EMPTY_NO_TIMING] = {"a max leaf and nothing else", empty_no_timing, FAKE_ZEROS, {0}},
    [BHYVE_OLD] = {"bhyve", bhyve_old, FAKE_CLAMP, {0}},
    [BHYVE_2025] = {"bhyve with a feature leaf", bhyve_2025, FAKE_CLAMP, {0}},
    [BHYVE_TIMING] = {"bhyve with a timing leaf", bhyve_timing, FAKE_CLAMP, {0}},
    [HAXM] = {"HAXM", haxm, FAKE_ZEROS, {0}},
    [ACRN] = {"ACRN", acrn, FAKE_CONSTANT, {0x7, 0x340, 0x340, 0}},
    [JAILHOUSE] = {"Jailhouse", jailhouse, FAKE_CONSTANT, {0xbb8, 0xfa0, 0x64, 0}},
    [OPENBSD] = {"OpenBSD vmm", openbsd, FAKE_ZEROS, {0}},
    [EVMM] = {"Intel evmm", evmm, FAKE_ZEROS, {0}},
    [NVMM] = {"NVMM", nvmm, FAKE_ZEROS, {0}},
    [NVMM_OLD] = {"NVMM with the host's EAX", nvmm_old, FAKE_CONSTANT, {0xdac, 0xfa0, 0x64, 0}},
    [BARE_INTEL] = {"bare metal, Intel", bare_intel, FAKE_ECHO, {0}},
    [BARE_AMD] = {"bare metal, AMD", bare_amd, FAKE_ZEROS, {0}},
    [BOCHS] = {"Bochs corei7_skylake_x", bochs, FAKE_ECHO, {0}},
    [HOST_LEAK] = {"a leak of the host's leaf 0x16",
                   host_leak,
                   FAKE_CONSTANT,
                   {0xdac, 0xfa0, 0x64, 0}},
    [UNKNOWN_TIMING] = {"unknown vendor with a timing leaf", unknown_timing, FAKE_ZEROS, {0}},
    [UNKNOWN_LONG] = {"unknown vendor, max leaf in another block", unknown_long, FAKE_ZEROS, {0}},
    [UNKNOWN_ZERO] = {"unknown vendor, max leaf 0", unknown_zero, FAKE_ZEROS, {0}},
    [GENERIC_AT_20] = {"generic 16-leaf block", generic_at_20, FAKE_ZEROS, {0}},
    [GENERIC_AT_100] = {"generic 256-leaf block", generic_at_100, FAKE_ECHO, {0}},
    [GENERIC_SHORT] = {"generic block of one leaf", generic_short, FAKE_ZEROS, {0}},
    [UNKNOWN_ELSEWHERE] = {"unknown block beside KVM", unknown_elsewhere, FAKE_ZEROS, {0}},
    [VENDOR_SPACE] = {"a block in VMware's vendor space", vendor_space, FAKE_ZEROS, {0}},
};

static inline struct cpuid_source fake_start(struct fake_cpu *fake, enum machine_name name)
{
    *fake = (struct fake_cpu){
        .leaves = machines[name].leaves,
        .beyond = machines[name].beyond,
        .constant = machines[name].constant,
    };
    return (struct cpuid_source){fake_read, fake};
}
