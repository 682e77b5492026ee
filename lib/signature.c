#include "lib/signature.h"

#include "lib/text.h"

// docs/scan.md names the source of every line. Shorter literals are padded with NULs.
const struct signature signature_table[] = {
    {"KVMKVMKVM", 12, false, "KVM", "kvm", NULL},
    {"Linux KVM Hv", 12, false, "KVM", "kvm", "KVM behind a Hyper-V interface"},
    {"Microsoft Hv", 12, true, "Hyper-V", "hyper-v",
     "an interface that KVM, Xen and VirtualBox show too, as does Windows on bare metal"},
    {"Microsoft VS", 12, true, "Hyper-V", "hyper-v",
     "the debug interface of Hyper-V's virtualization stack; QEMU can show it too"},
    {"VMwareVMware", 12, false, "VMware", "vmware", NULL},
    {"XenVMMXenVMM", 12, false, "Xen", "xen", NULL},
    {"bhyve bhyve ", 12, false, "bhyve", "bhyve",
     "FreeBSD and illumos bhyve, and the xhyve, hyperkit and propolis built on it"},
    {"BHyVE BHyVE ", 12, false, "bhyve", "bhyve", "an early spelling, unconfirmed"},
    {"TCGTCGTCGTCG", 12, false, "QEMU TCG", "qemu-tcg", NULL},
    {"VBoxVBoxVBox", 12, false, "VirtualBox", "virtualbox", NULL},
    {" lrpepyh  vr", 12, false, "Parallels", "parallels",
     "\"prl hyperv  \" with the bytes of each register reversed"},
    {"prl hyperv  ", 12, false, "Parallels", "parallels", "unconfirmed spelling"},
    {" prl hyperv ", 12, false, "Parallels", "parallels", "unconfirmed spelling"},
    {"prl hyperv", 12, false, "Parallels", "parallels", "unconfirmed spelling"},
    {"Parallels", 12, false, "Parallels", "parallels", "as macOS guests of Parallels see it"},
    {"HVFHVFHVFHVF", 12, false, "Apple HVF", "apple-hvf", "Apple's Hypervisor.framework"},
    {"Apple VZ", 12, false, "Apple VZ", "apple-vz", "Apple's Virtualization.framework"},
    {"apple-pv-xnu", 12, true, "Apple PV", "apple-pv", "a paravirtual interface for macOS guests"},
    {"ACRNACRNACRN", 12, false, "ACRN", "acrn", NULL},
    // Lists disagree about what follows the first eight bytes.
    {"QNXQVMBS", 8, false, "QNX", "qnx", NULL},
    {" QNXQVMBSQG ", 12, false, "QNX", "qnx", "unconfirmed spelling"},
    {"QXNQSBMV", 8, false, "QNX", "qnx", "unconfirmed spelling"},
    {"Jailhouse", 12, false, "Jailhouse", "jailhouse", NULL},
    {"HAXMHAXMHAXM", 12, false, "HAXM", "haxm", NULL},
    {"___ NVMM ___", 12, false, "NVMM", "nvmm", NULL},
    {"___ VMM  ___", 12, false, "NVMM", "nvmm", "a port of NVMM"},
    {"OpenBSDVMM58", 12, false, "OpenBSD vmm", "openbsd-vmm", NULL},
    {"LKVMLKVMLKVM", 12, false, "kvmtool", "kvmtool", "KVM under an older kvmtool"},
    {"EVMMEVMMEVMM", 12, false, "Intel KGT", "intel-kgt", "Intel's evmm, for Trusty"},
    {"UnisysSpar64", 12, false, "Unisys s-Par", "unisys-s-par", "unconfirmed"},
    {"SRESRESRESRE", 12, false, "LMHS SRE", "lmhs-sre", "Lockheed Martin's hardened hypervisor"},
    {"FEXIFEXIEMU", 12, false, "FEX-Emu", "fex-emu", "x86 emulated on Arm"},
    {"Barevisor!", 12, false, "Barevisor", "barevisor", "a research hypervisor, unconfirmed"},
    {"MiniVisor", 12, false, "MiniVisor", "minivisor", "a research hypervisor, unconfirmed"},
    {"NoirVisor ZT", 12, false, "NoirVisor", "noirvisor", "a research hypervisor, unconfirmed"},
    {"MicroKosmPre", 12, false, "MicroKosm", "microkosm", "a hobby hypervisor"},
};

const size_t signature_count = ARRAY_SIZE(signature_table);

void signature_bytes(struct cpuid_words words, char out[12])
{
    const uint32_t registers[3] = {words.ebx, words.ecx, words.edx};

    for (unsigned i = 0; i < 12; i++)
        out[i] = (char)(registers[i / 4] >> (i % 4 * 8));
}

const struct signature *signature_find(const char bytes[12])
{
    for (size_t i = 0; i < signature_count; i++)
        if (memcmp(signature_table[i].bytes, bytes, signature_table[i].compare) == 0)
            return &signature_table[i];
    return NULL;
}

void signature_ascii(const char bytes[12], char out[SIGNATURE_ASCII_SIZE])
{
    struct text text;
    size_t length = 12;

    while (length && bytes[length - 1] == '\0')
        length--;
    text_init(&text, out, SIGNATURE_ASCII_SIZE);
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte <= 0x7e)
            text_char(&text, (char)byte);
        else
            text_format(&text, "\\x%02x", byte);
    }
}

void signature_hex(const char bytes[12], char out[SIGNATURE_HEX_SIZE])
{
    struct text text;

    text_init(&text, out, SIGNATURE_HEX_SIZE);
    for (size_t i = 0; i < 12; i++)
        text_format(&text, "%02x", (unsigned char)bytes[i]);
}
