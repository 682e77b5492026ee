#include "lib/signature.h"

#include "lib/text.h"

// docs/scan.md names the source of every line. Shorter literals are padded with NULs.
const struct signature signature_table[] = {
    {"KVMKVMKVM", 12, false, "KVM", NULL},
    {"Linux KVM Hv", 12, false, "KVM", "KVM behind a Hyper-V interface"},
    {"Microsoft Hv", 12, true, "Hyper-V",
     "an interface that KVM, Xen and VirtualBox show too, as does Windows on bare metal"},
    {"Microsoft VS", 12, true, "Hyper-V", "Hyper-V's debug interface; QEMU can show it too"},
    {"VMwareVMware", 12, false, "VMware", NULL},
    {"XenVMMXenVMM", 12, false, "Xen", NULL},
    {"bhyve bhyve ", 12, false, "bhyve", "or xhyve, hyperkit and propolis, which are built on it"},
    {"BHyVE BHyVE ", 12, false, "bhyve", "an early spelling, unconfirmed"},
    {"TCGTCGTCGTCG", 12, false, "QEMU TCG", NULL},
    {"VBoxVBoxVBox", 12, false, "VirtualBox", NULL},
    {" lrpepyh  vr", 12, false, "Parallels",
     "\"prl hyperv  \" with the bytes of each register reversed"},
    {"prl hyperv  ", 12, false, "Parallels", "unconfirmed spelling"},
    {" prl hyperv ", 12, false, "Parallels", "unconfirmed spelling"},
    {"prl hyperv", 12, false, "Parallels", "unconfirmed spelling"},
    {"Parallels", 12, false, "Parallels", "as macOS guests of Parallels see it"},
    {"HVFHVFHVFHVF", 12, false, "Apple HVF", "Apple's Hypervisor.framework"},
    {"Apple VZ", 12, false, "Apple VZ", "Apple's Virtualization.framework"},
    {"apple-pv-xnu", 12, true, "Apple PV", "a paravirtual interface for macOS guests"},
    {"ACRNACRNACRN", 12, false, "ACRN", NULL},
    // Lists disagree about what follows the first eight bytes.
    {"QNXQVMBS", 8, false, "QNX", NULL},
    {" QNXQVMBSQG ", 12, false, "QNX", "unconfirmed spelling"},
    {"QXNQSBMV", 8, false, "QNX", "unconfirmed spelling"},
    {"Jailhouse", 12, false, "Jailhouse", NULL},
    {"HAXMHAXMHAXM", 12, false, "HAXM", NULL},
    {"___ NVMM ___", 12, false, "NVMM", NULL},
    {"___ VMM  ___", 12, false, "NVMM", "a port of NVMM"},
    {"OpenBSDVMM58", 12, false, "OpenBSD vmm", NULL},
    {"LKVMLKVMLKVM", 12, false, "kvmtool", "KVM under an older kvmtool"},
    {"EVMMEVMMEVMM", 12, false, "Intel KGT", "Intel's evmm, for Trusty"},
    {"UnisysSpar64", 12, false, "Unisys s-Par", "unconfirmed"},
    {"SRESRESRESRE", 12, false, "LMHS SRE", "Lockheed Martin's hardened hypervisor"},
    {"FEXIFEXIEMU", 12, false, "FEX-Emu", "x86 emulated on Arm"},
    {"Barevisor!", 12, false, "Barevisor", "a research hypervisor, unconfirmed"},
    {"MiniVisor", 12, false, "MiniVisor", "a research hypervisor, unconfirmed"},
    {"NoirVisor ZT", 12, false, "NoirVisor", "a research hypervisor, unconfirmed"},
    {"MicroKosmPre", 12, false, "MicroKosm", "a hobby hypervisor"},
};

const size_t signature_count = ARRAY_SIZE(signature_table);

void signature_bytes(struct cpuid_words words, char out[12])
{
    const uint32_t registers[3] = {words.ebx, words.ecx, words.edx};

    for (unsigned i = 0; i < 12; i++)
        out[i] = (char)(registers[i / 4] >> (i % 4 * 8));
}

size_t signature_length(const char bytes[12])
{
    size_t length = 0;

    while (length < 12 && bytes[length] >= 0x20 && bytes[length] <= 0x7e)
        length++;
    for (size_t i = length; i < 12; i++)
        if (bytes[i] != '\0')
            return 0;
    return length;
}

const struct signature *signature_find(const char bytes[12])
{
    for (size_t i = 0; i < signature_count; i++)
        if (memcmp(signature_table[i].bytes, bytes, signature_table[i].compare) == 0)
            return &signature_table[i];
    return NULL;
}

static int option_form(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A' + 'a';
    return character == ' ' ? '-' : character;
}

bool signature_is_vendor(const struct signature *signature, const char *name)
{
    const char *vendor = signature->vendor;

    while (*vendor && option_form(*vendor) == option_form(*name)) {
        vendor++;
        name++;
    }
    return *vendor == *name;
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
