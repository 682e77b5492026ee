#include "lib/evidence.h"

#include "lib/span.h"
#include "lib/text.h"

// Everybody that evidence can point to. `on`: the hypervisors, by signature, that it runs on, with
// '|' between them; NULL: its own only. `around`: a cloud, or a manager of machines, which runs
// programs that leave evidence of their own, QEMU above all.
static const struct party {
    const char *name;
    const char *on;
    bool around;
} parties[] = {
    {"QEMU", "KVM|QEMU TCG|Xen|HAXM|NVMM|Apple HVF|Hyper-V", false},
    {"Firecracker", "KVM", false},
    {"Cloud Hypervisor", "KVM|Hyper-V", false},
    {"crosvm", "KVM|HAXM", false},
    {"Amazon EC2", "KVM|Xen", true},
    {"Google Compute Engine", "KVM", true},
    {"Azure", "Hyper-V", true},
    {"Alibaba Cloud", "KVM|Xen", true},
    {"OpenStack", "KVM|QEMU TCG|Xen|VMware|Hyper-V", true},
    {"KubeVirt", "KVM|QEMU TCG", true},
    {"Nutanix AHV", "KVM", true},
    {"oVirt", "KVM", true},
    {"VirtualBox", "VirtualBox|Hyper-V|KVM", false},
    {"Parallels", "Parallels|KVM", false},
    {"Xen", NULL, false},
    {"VMware", NULL, false},
    {"Hyper-V", NULL, false},
    {"bhyve", NULL, false},
    {"ACRN", NULL, false},
    {"Apple VZ", NULL, false},
    {"Bochs", NULL, false},
    {"KVM", NULL, false},
};

struct clue {
    const char *prefix;
    const char *points_to;
};

// FADT, "Hypervisor Vendor Identity" (ACPI 6.5, table 5.9).
static const struct clue fadt_clues[] = {
    {"QEMU", "QEMU"},
    {"CLOUDHYP", "Cloud Hypervisor"},
    {"CROSVM", "crosvm"},
    {"FIRECKVM", "Firecracker"},
    {"MsHyperV", "Hyper-V"},
    {"tcg", "QEMU"},
    {NULL, NULL},
};

// OEM ids of ACPI tables.
static const struct clue acpi_clues[] = {
    {"BOCHS", "QEMU"},      {"FIRECK", "Firecracker"}, {"CLOUDH", "Cloud Hypervisor"},
    {"CROSVM", "crosvm"},   {"AMAZON", "Amazon EC2"},  {"Google", "Google Compute Engine"},
    {"VBOX", "VirtualBox"}, {"PTLTD", "VMware"},       {"VMWARE", "VMware"},
    {"VRTUAL", "Hyper-V"},  {"MSFTVM", "Hyper-V"},     {"Xen", "Xen"},
    {"ACRN", "ACRN"},       {"BHYVE", "bhyve"},        {"PRLS", "Parallels"},
    {NULL, NULL},
};

static const struct clue smbios_clues[] = {
    {"QEMU", "QEMU"},
    {"Standard PC (", "QEMU"},
    {"SeaBIOS", "QEMU"},
    {"KVM", "KVM"},
    {"Amazon EC2", "Amazon EC2"},
    {"Google Compute Engine", "Google Compute Engine"},
    {"Alibaba Cloud", "Alibaba Cloud"},
    {"OpenStack", "OpenStack"},
    {"KubeVirt", "KubeVirt"},
    {"Nutanix", "Nutanix AHV"},
    {"AHV", "Nutanix AHV"},
    {"oVirt", "oVirt"},
    {"RHEV", "oVirt"},
    {"crosvm", "crosvm"},
    {"Cloud Hypervisor", "Cloud Hypervisor"},
    {"cloud-hypervisor", "Cloud Hypervisor"},
    {"VMware", "VMware"},
    {"VMW", "VMware"},
    {"innotek GmbH", "VirtualBox"},
    {"VirtualBox", "VirtualBox"},
    {"Xen", "Xen"},
    {"HVM domU", "Xen"},
    {"Bochs", "Bochs"},
    {"Parallels", "Parallels"},
    {"BHYVE", "bhyve"},
    {"Hyper-V", "Hyper-V"},
    {"Virtual Machine", "Hyper-V"}, // Microsoft's product
    {"7783-7084-3265-9085-8269-3286-77", "Azure"},
    {"Apple Virtualization", "Apple VZ"},
    {NULL, NULL},
};

const char *confidence_word(enum confidence confidence)
{
    static const char *const words[] = {"low", "medium", "high"};

    return words[confidence];
}

// --- Gathering

__attribute__((format(printf, 5, 6))) static void add(struct evidence *evidence, const char *source,
                                                      enum evidence_group group,
                                                      const char *points_to, const char *format,
                                                      ...)
{
    struct text text;
    __builtin_va_list arguments;

    if (evidence->count == EVIDENCE_MAX) {
        evidence->dropped++;
        return;
    }
    struct evidence_item *item = &evidence->items[evidence->count++];
    item->source = source;
    item->group = group;
    item->points_to = points_to;
    text_init(&text, item->finding, sizeof(item->finding));
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
}

static const char *follow(const struct clue *clues, const char *string)
{
    while (clues->prefix && !text_starts_with(string, clues->prefix))
        clues++;
    return clues->points_to;
}

static void add_signatures(struct evidence *evidence, const struct scan *scan)
{
    if (scan->present)
        add(evidence, "present-bit", EVIDENCE_SIGNATURE, NULL,
            "CPUID says that a hypervisor is there");
    for (size_t i = 0; i < scan->block_count; i++) {
        const struct block *block = &scan->blocks[i];
        if (block->known)
            add(evidence, "signature", EVIDENCE_SIGNATURE, block->known->vendor,
                "%s's signature at 0x%08x", block->known->vendor, block->base);
    }
}

static void add_acpi(struct evidence *evidence, const struct acpi_tables *acpi)
{
    if (acpi->hypervisor[0])
        add(evidence, "fadt", EVIDENCE_FADT, follow(fadt_clues, acpi->hypervisor),
            "hypervisor vendor identity \"%s\"", acpi->hypervisor);
    if (follow(acpi_clues, acpi->oem_id))
        add(evidence, "acpi-oem", EVIDENCE_ACPI, follow(acpi_clues, acpi->oem_id),
            "OEM id \"%s\" of the RSDP", acpi->oem_id);
    for (size_t i = 0; i < acpi->table_count; i++) {
        const char *oem_id = acpi->tables[i].oem_id;
        const char *points_to = follow(acpi_clues, oem_id);
        // Once for each OEM id: the tables of one author have the same.
        bool seen = text_equal(oem_id, acpi->oem_id);
        for (size_t before = 0; before < i; before++)
            seen |= text_equal(oem_id, acpi->tables[before].oem_id);
        if (points_to && !seen)
            add(evidence, "acpi-oem", EVIDENCE_ACPI, points_to, "OEM id \"%s\" of the %s", oem_id,
                acpi->tables[i].signature);
        if (text_equal(acpi->tables[i].signature, "XENV"))
            add(evidence, "acpi-xenv", EVIDENCE_ACPI, "Xen", "Xen's own table XENV");
    }
    if (acpi->has_waet)
        add(evidence, "acpi-waet", EVIDENCE_ACPI, NULL,
            "WAET, a table for guests only: RTC %s, PM timer %s",
            acpi->waet_flags & 1 ? "good" : "as usual", acpi->waet_flags & 2 ? "good" : "as usual");
}

static void add_smbios(struct evidence *evidence, const struct smbios *smbios)
{
    const struct {
        const char *source, *string;
    } fields[] = {
        {"smbios-bios", smbios->bios_vendor},         {"smbios-vendor", smbios->manufacturer},
        {"smbios-product", smbios->product},          {"smbios-version", smbios->version},
        {"smbios-board", smbios->board_manufacturer}, {"smbios-chassis", smbios->chassis_asset_tag},
    };

    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const char *points_to = follow(smbios_clues, fields[i].string);
        if (points_to)
            add(evidence, fields[i].source, EVIDENCE_SMBIOS, points_to, "\"%s\"", fields[i].string);
    }
    if (smbios->virtual_machine)
        add(evidence, "smbios-vm-bit", EVIDENCE_SMBIOS, NULL,
            "SMBIOS says that it describes a virtual machine");
}

static void add_devices(struct evidence *evidence, const struct evidence_facts *facts)
{
    const struct vmi_rom *vmi = &facts->vmi;
    uint32_t sev = facts->sev_status;

    if (facts->fw_cfg)
        add(evidence, "fw_cfg", EVIDENCE_DEVICE, "QEMU", "QEMU's fw_cfg device answers");
    else if (!facts->scan->present && !evidence->hypervisor &&
             text_starts_with(facts->acpi->oem_id, "BOCHS"))
        add(evidence, "fw_cfg", EVIDENCE_DEVICE, "Bochs",
            "no fw_cfg device, which QEMU with these ACPI tables has");
    if (facts->vmware_port)
        add(evidence, "vmware-port", EVIDENCE_DEVICE, NULL,
            "VMware's port 0x5658 answers, as QEMU's does, too");
    if (vmi->address)
        add(evidence, "vmi-rom", EVIDENCE_DEVICE, NULL,
            "VMware's VMI ROM at 0x%llx: API %u.%u, %u bytes%s", (unsigned long long)vmi->address,
            vmi->api_major, vmi->api_minor, vmi->length,
            vmi->sums_to_zero ? "" : ", checksum wrong");
    if (facts->hyperv_root)
        add(evidence, "hyper-v-root", EVIDENCE_SIGNATURE, "Hyper-V",
            "this is Hyper-V's root partition, on the hardware itself");
    if (facts->tdx)
        add(evidence, "tdx", EVIDENCE_SIGNATURE, NULL, "leaf 0x21: an Intel TDX trust domain");
    if (facts->sev_leaf)
        add(evidence, "sev", EVIDENCE_SIGNATURE, NULL, "leaf 0x8000001f: AMD SEV, %s",
            (sev & 4)   ? "SEV-SNP in force"
            : (sev & 2) ? "SEV-ES in force"
            : (sev & 1) ? "in force"
                        : "not in force");
}

// --- Weighing

static const struct party *party_of(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_SIZE(parties); i++)
        if (text_equal(parties[i].name, name))
            return &parties[i];
    return NULL;
}

// Can `program` be what runs on a hypervisor with this signature? NULL: without one, it can.
static bool runs_on(const char *program, const char *hypervisor)
{
    const struct party *party = party_of(program);

    if (!hypervisor || text_equal(program, hypervisor))
        return true;
    return party && party->on && span_is_one_of(span_of(hypervisor), party->on);
}

// Bits of the groups that point to `name`.
static unsigned groups_of(const struct evidence *evidence, const char *name)
{
    unsigned groups = 0;

    for (size_t i = 0; i < evidence->count; i++)
        if (evidence->items[i].points_to && text_equal(evidence->items[i].points_to, name))
            groups |= 1u << evidence->items[i].group;
    return groups;
}

// What a name has for itself. The FADT's field is there for this purpose, SMBIOS says what its
// maker likes, and ACPI tables are copied from one program to the next.
static unsigned weight_of(const struct evidence *evidence, const char *name)
{
    static const unsigned weights[EVIDENCE_GROUPS] = {
        [EVIDENCE_FADT] = 5, [EVIDENCE_ACPI] = 2, [EVIDENCE_SMBIOS] = 3, [EVIDENCE_DEVICE] = 2};
    unsigned groups = groups_of(evidence, name);
    unsigned weight = 0;

    for (unsigned i = 0; i < EVIDENCE_GROUPS; i++)
        weight += (groups >> i & 1) ? weights[i] : 0;
    if (weight && party_of(name)->around)
        weight += 6;
    // That it can run on what CPUID names is a reason of its own.
    return weight && runs_on(name, evidence->hypervisor) ? weight + 3 : weight;
}

static void choose_platform(struct evidence *evidence)
{
    unsigned best = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parties); i++) {
        unsigned weight = weight_of(evidence, parties[i].name);
        // "KVM" in SMBIOS says no more than a signature does.
        if (weight > best && !text_equal(parties[i].name, "KVM")) {
            best = weight;
            evidence->platform = parties[i].name;
        }
    }
}

// Whether evidence for `name` fits the conclusion, too: QEMU's tables are in many clouds.
static bool fits(const struct evidence *evidence, const char *name)
{
    const char *platform = evidence->platform, *hypervisor = evidence->hypervisor;
    const struct party *party = party_of(name);

    if ((platform && text_equal(name, platform)) || (hypervisor && text_equal(name, hypervisor)))
        return true;
    if (text_equal(name, "KVM") && hypervisor && runs_on(platform ? platform : "KVM", "KVM"))
        return true;
    // Bochs' BIOS was QEMU's, and its tables are still named after it.
    if (platform && text_equal(platform, "Bochs"))
        return text_equal(name, "QEMU");
    // Clouds and managers of machines run programs and hypervisors that are named as well.
    return platform && party && runs_on(platform, hypervisor) &&
           (text_equal(name, "QEMU") || runs_on(platform, name) || runs_on(name, platform));
}

static void find_contradiction(struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->count && !evidence->against[0]; i++) {
        const struct evidence_item *item = &evidence->items[i];
        if (item->group != EVIDENCE_SIGNATURE && item->points_to &&
            !fits(evidence, item->points_to))
            text_print(evidence->against, sizeof(evidence->against), "%s points to %s",
                       item->source, item->points_to);
    }
    if (!evidence->against[0] && evidence->platform &&
        !runs_on(evidence->platform, evidence->hypervisor))
        text_print(evidence->against, sizeof(evidence->against), "%s is not known to run on %s",
                   evidence->platform, evidence->hypervisor);
}

static unsigned count_bits(unsigned bits)
{
    unsigned count = 0;

    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

static enum confidence confidence_of(const struct evidence *evidence)
{
    unsigned groups = 0;

    if (evidence->platform)
        groups |= groups_of(evidence, evidence->platform);
    if (evidence->hypervisor)
        groups |= groups_of(evidence, evidence->hypervisor);
    if (!groups)
        return CONFIDENCE_LOW;
    if (evidence->against[0])
        return count_bits(groups) >= 3 ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW;
    // The signature tells the hypervisor; the program around it needs two witnesses, or its field.
    if (count_bits(groups) >= 2)
        return CONFIDENCE_HIGH;
    return (groups & 1u << EVIDENCE_ACPI) ? CONFIDENCE_LOW : CONFIDENCE_MEDIUM;
}

static void conclude(struct evidence *evidence, const struct evidence_facts *facts)
{
    const char *hypervisor = evidence->hypervisor, *platform = evidence->platform;
    bool ec2 = platform && text_equal(platform, "Amazon EC2");
    bool same = platform && hypervisor &&
                (text_equal(platform, hypervisor) || text_starts_with(hypervisor, platform));
    struct text text;

    text_init(&text, evidence->conclusion, sizeof(evidence->conclusion));
    if (facts->hyperv_root)
        text_string(&text, "real hardware, under Hyper-V as its root partition");
    else if (ec2 && !hypervisor && !facts->scan->present && !facts->smbios->virtual_machine)
        text_string(&text, "Amazon EC2, on the hardware itself");
    else if (same || (platform && !hypervisor))
        text_string(&text, same ? hypervisor : platform);
    else if (platform)
        text_format(&text, "%s%s on %s", platform,
                    ec2 && text_equal(hypervisor, "KVM") ? " Nitro" : "", hypervisor);
    else if (hypervisor) // all others are programs of their own
        text_format(&text, "%s%s", hypervisor,
                    span_is_one_of(span_of(hypervisor), "KVM|HAXM|NVMM|Apple HVF")
                        ? ", the program around it not named"
                        : "");
    else if (evidence->count)
        text_string(&text, "a hypervisor that does not say which");
    else
        text_string(&text, "no hypervisor that shows itself");
    if (facts->tdx)
        text_string(&text, ", in a TDX trust domain");
    if (facts->sev_status & 1)
        text_string(&text, ", its memory encrypted by SEV");
}

// --- Impersonation

static void tell(struct text *text, const char *who, const char *what)
{
    text_format(text, "%s%s %s", text->used ? "; " : "", who, what);
}

static void find_impersonation(struct evidence *evidence, const struct evidence_facts *facts)
{
    const struct scan *scan = facts->scan;
    const char *hypervisor = evidence->hypervisor, *platform = evidence->platform;
    const char *who = platform ? platform : hypervisor ? hypervisor : "something";
    bool hyperv_interface = text_equal(scan->interface_signature, "Hv#1");
    struct text text;

    text_init(&text, evidence->impersonation, sizeof(evidence->impersonation));
    if (hypervisor && hyperv_interface && !text_equal(hypervisor, "Hyper-V"))
        tell(&text, hypervisor, "shows Hyper-V's interface");
    else if (hypervisor && text_equal(hypervisor, "Hyper-V") && platform &&
             (text_equal(platform, "QEMU") || text_equal(platform, "VirtualBox")))
        tell(&text, platform, "shows Hyper-V's interface and hides its own");
    if (hypervisor && text_equal(hypervisor, "KVM") && platform &&
        (text_equal(platform, "VirtualBox") || text_equal(platform, "Parallels")))
        tell(&text, platform, "shows KVM's interface");
    for (size_t i = 0; i < scan->block_count; i++) {
        const struct signature *known = scan->blocks[i].known;
        char what[48];
        if (!known || known->shared || !hypervisor || text_equal(known->vendor, hypervisor))
            continue;
        text_print(what, sizeof(what), "shows %s's interface, too", known->vendor);
        tell(&text, hypervisor, what);
    }
    if (facts->vmware_port && !scan_has_vendor(scan, "VMware") &&
        !(platform && text_equal(platform, "VMware")))
        tell(&text, platform ? platform : "something", "answers VMware's port");
    if (!scan->present && (platform || hypervisor) &&
        (hypervisor || facts->smbios->virtual_machine || !text_equal(who, "Amazon EC2")) &&
        !text_equal(who, "Bochs"))
        tell(&text, who, "hides: CPUID's present bit is clear");
}

void evidence_weigh(struct evidence *evidence, const struct evidence_facts *facts)
{
    const struct signature *vendor = scan_vendor(facts->scan);
    const struct smbios *smbios = facts->smbios;

    memset(evidence, 0, sizeof(*evidence));
    evidence->hypervisor = vendor ? vendor->vendor : NULL;
    add_signatures(evidence, facts->scan);
    add_acpi(evidence, facts->acpi);
    add_smbios(evidence, smbios);
    add_devices(evidence, facts);
    choose_platform(evidence);
    // Bochs and QEMU share their ACPI tables, but only QEMU has a fw_cfg or a signature.
    if (groups_of(evidence, "Bochs") && !(groups_of(evidence, "QEMU") & 1u << EVIDENCE_SMBIOS) &&
        !evidence->hypervisor && !facts->fw_cfg)
        evidence->platform = "Bochs";
    find_contradiction(evidence);
    evidence->confidence = confidence_of(evidence);
    conclude(evidence, facts);
    find_impersonation(evidence, facts);
}
