// Who runs this guest: a fixture for each kind of platform, by what its makers document.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/evidence.h"
#include "lib/text.h"

static struct scan scan;
static struct acpi_tables acpi;
static struct smbios smbios;
static struct evidence_facts facts;
static struct evidence evidence;

// A machine that says nothing.
static void start(bool present)
{
    memset(&scan, 0, sizeof(scan));
    memset(&acpi, 0, sizeof(acpi));
    memset(&smbios, 0, sizeof(smbios));
    memset(&facts, 0, sizeof(facts));
    scan.present = present;
    facts.scan = &scan;
    facts.acpi = &acpi;
    facts.smbios = &smbios;
}

static void sign(uint32_t base, const char signature[12])
{
    struct block *block = &scan.blocks[scan.block_count++];

    block->base = base;
    memcpy(block->signature, signature, sizeof(block->signature));
    block->known = signature_find(signature);
    assert_non_null(block->known);
}

static void hyperv_interface(void)
{
    memcpy(scan.interface_signature, "Hv#1", 5);
}

static void acpi_by(const char *oem_id, const char *hypervisor)
{
    text_print(acpi.oem_id, sizeof(acpi.oem_id), "%s", oem_id);
    text_print(acpi.hypervisor, sizeof(acpi.hypervisor), "%s", hypervisor);
    // As tables of one author are
    for (unsigned i = 0; i < 3; i++)
        text_print(acpi.tables[i].oem_id, sizeof(acpi.tables[i].oem_id), "%s", oem_id);
    acpi.table_count = 3;
}

static void smbios_by(const char *bios, const char *manufacturer, const char *product)
{
    text_print(smbios.bios_vendor, sizeof(smbios.bios_vendor), "%s", bios);
    text_print(smbios.manufacturer, sizeof(smbios.manufacturer), "%s", manufacturer);
    text_print(smbios.product, sizeof(smbios.product), "%s", product);
}

static void qemu_firmware(void)
{
    acpi_by("BOCHS ", "");
    smbios_by("SeaBIOS", "QEMU", "Standard PC (Q35 + ICH9, 2009)");
    smbios.virtual_machine = true;
    facts.fw_cfg = true;
}

static void expect(const char *conclusion, enum confidence confidence, const char *against,
                   const char *impersonation)
{
    memset(&evidence, 0xff, sizeof(evidence));
    evidence_weigh(&evidence, &facts);
    assert_string_equal(evidence.conclusion, conclusion);
    assert_string_equal(evidence.against, against);
    assert_string_equal(evidence.impersonation, impersonation);
    assert_string_equal(confidence_word(evidence.confidence), confidence_word(confidence));
}

static const struct evidence_item *item(const char *source)
{
    for (size_t i = 0; i < evidence.count; i++)
        if (text_equal(evidence.items[i].source, source))
            return &evidence.items[i];
    fail_msg("there is no evidence from %s", source);
    return NULL;
}

// --- Those that all say KVM

static void test_programs_on_kvm(void **state)
{
    static const struct {
        const char *oem_id, *hypervisor, *bios, *manufacturer, *product;
        const char *conclusion;
        enum confidence confidence;
    } cases[] = {
        {"FIRECK", "FIRECKVM", "", "", "", "Firecracker on KVM", CONFIDENCE_HIGH},
        {"CLOUDH", "CLOUDHYP", "", "Cloud Hypervisor", "cloud-hypervisor",
         "Cloud Hypervisor on KVM", CONFIDENCE_HIGH},
        {"CROSVM", "CROSVM", "crosvm", "ChromiumOS", "crosvm", "crosvm on KVM", CONFIDENCE_HIGH},
        {"AMAZON", "", "Amazon EC2", "Amazon EC2", "c5.large", "Amazon EC2 Nitro on KVM",
         CONFIDENCE_HIGH},
        {"Google", "", "Google", "Google", "Google Compute Engine", "Google Compute Engine on KVM",
         CONFIDENCE_HIGH},
        {"BOCHS ", "", "SeaBIOS", "Alibaba Cloud", "Alibaba Cloud ECS", "Alibaba Cloud on KVM",
         CONFIDENCE_HIGH},
        {"BOCHS ", "", "SeaBIOS", "OpenStack Foundation", "OpenStack Nova", "OpenStack on KVM",
         CONFIDENCE_HIGH},
        {"BOCHS ", "", "SeaBIOS", "QEMU", "Standard PC (i440FX + PIIX, 1996)", "QEMU on KVM",
         CONFIDENCE_HIGH},
        {"", "", "", "", "", "KVM, the program around it not named", CONFIDENCE_MEDIUM},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start(true);
        sign(0x40000000, "KVMKVMKVM\0\0");
        acpi_by(cases[i].oem_id, cases[i].hypervisor);
        smbios_by(cases[i].bios, cases[i].manufacturer, cases[i].product);
        expect(cases[i].conclusion, cases[i].confidence, "", "");
        assert_string_equal(evidence.hypervisor, "KVM");
    }
}

static void test_whole_products(void **state)
{
    static const struct {
        const char *signature, *oem_id, *manufacturer, *product, *conclusion;
    } cases[] = {
        {"VMwareVMware", "PTLTD ", "VMware, Inc.", "VMware Virtual Platform", "VMware"},
        {"Microsoft Hv", "VRTUAL", "Microsoft Corporation", "Virtual Machine", "Hyper-V"},
        {"XenVMMXenVMM", "Xen", "Xen", "HVM domU", "Xen"},
        {"bhyve bhyve ", "BHYVE ", "", "BHYVE", "bhyve"},
        {"ACRNACRNACRN", "ACRN  ", "", "", "ACRN"},
        {" lrpepyh  vr", "PRLS  ", "Parallels Software International Inc.",
         "Parallels Virtual Platform", "Parallels"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start(true);
        sign(0x40000000, cases[i].signature);
        acpi_by(cases[i].oem_id, "");
        smbios_by("", cases[i].manufacturer, cases[i].product);
        expect(cases[i].conclusion, CONFIDENCE_HIGH, "", "");
        assert_int_equal(evidence.dropped, 0);
    }
}

static void test_qemu_tcg(void **state)
{
    (void)state;
    start(true);
    sign(0x40000000, "TCGTCGTCGTCG");
    qemu_firmware();
    facts.vmware_port = true;
    acpi.has_waet = true;
    acpi.waet_flags = 2;
    expect("QEMU TCG", CONFIDENCE_HIGH, "", "QEMU answers VMware's port");
    assert_string_equal(item("acpi-waet")->finding,
                        "WAET, a table for guests only: RTC as usual, PM timer good");
    assert_null(item("acpi-waet")->points_to);
    assert_string_equal(item("fw_cfg")->points_to, "QEMU");
    // The OEM id is told once, though three tables have it.
    unsigned oem_ids = 0;
    for (size_t i = 0; i < evidence.count; i++)
        oem_ids += text_equal(evidence.items[i].source, "acpi-oem");
    assert_int_equal(oem_ids, 1);
}

// --- Each clue by itself: whom it points to

static void point_to(const char *source, const char *party, const char *finding)
{
    evidence_weigh(&evidence, &facts);
    assert_string_equal(item(source)->points_to, party);
    if (finding)
        assert_string_equal(item(source)->finding, finding);
}

static void test_fadt_clues(void **state)
{
    static const char *const clues[][2] = {
        {"QEMU", "QEMU"},        {"CLOUDHYP", "Cloud Hypervisor"}, {"CROSVM", "crosvm"},
        {"MsHyperV", "Hyper-V"}, {"FIRECKVM", "Firecracker"},      {"tcg", "QEMU"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(clues); i++) {
        start(true);
        acpi_by("", clues[i][0]);
        point_to("fadt", clues[i][1], NULL);
    }
}

// The OEM ids of tables count as that of the RSDP does, and each once.
static void test_acpi_clues(void **state)
{
    static const char *const clues[][2] = {
        {"BOCHS ", "QEMU"},       {"FIRECK", "Firecracker"}, {"CLOUDH", "Cloud Hypervisor"},
        {"CROSVM", "crosvm"},     {"AMAZON", "Amazon EC2"},  {"Google", "Google Compute Engine"},
        {"VBOX  ", "VirtualBox"}, {"PTLTD ", "VMware"},      {"VMWARE", "VMware"},
        {"VRTUAL", "Hyper-V"},    {"MSFTVM", "Hyper-V"},     {"Xen", "Xen"},
        {"ACRN  ", "ACRN"},       {"BHYVE ", "bhyve"},       {"PRLS  ", "Parallels"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(clues); i++) {
        char finding[sizeof(evidence.items[0].finding)];
        start(true);
        text_print(acpi.oem_id, sizeof(acpi.oem_id), "%s", clues[i][0]);
        text_print(finding, sizeof(finding), "OEM id \"%s\" of the RSDP", clues[i][0]);
        point_to("acpi-oem", clues[i][1], finding);
        start(true);
        acpi_by(clues[i][0], "");
        text_print(acpi.oem_id, sizeof(acpi.oem_id), "DELL  ");
        text_print(acpi.tables[0].signature, sizeof(acpi.tables[0].signature), "FACP");
        text_print(finding, sizeof(finding), "OEM id \"%s\" of the FACP", clues[i][0]);
        point_to("acpi-oem", clues[i][1], finding);
        assert_int_equal(evidence.count, 2); // and the present bit
    }
}

static void test_tables_of_guests(void **state)
{
    (void)state;
    start(true);
    acpi.table_count = 1;
    text_print(acpi.tables[0].signature, sizeof(acpi.tables[0].signature), "XENV");
    point_to("acpi-xenv", "Xen", "Xen's own table XENV");
    static const char *const flags[] = {"RTC as usual, PM timer as usual",
                                        "RTC good, PM timer as usual",
                                        "RTC as usual, PM timer good", "RTC good, PM timer good"};
    for (uint32_t i = 0; i < ARRAY_SIZE(flags); i++) {
        start(true);
        acpi.has_waet = true;
        acpi.waet_flags = i;
        evidence_weigh(&evidence, &facts);
        assert_null(item("acpi-waet")->points_to);
        assert_non_null(strstr(item("acpi-waet")->finding, flags[i]));
    }
}

static void test_smbios_clues(void **state)
{
    static const char *const clues[][2] = {
        {"QEMU", "QEMU"},
        {"Standard PC (Q35 + ICH9, 2009)", "QEMU"},
        {"SeaBIOS", "QEMU"},
        {"KVM", "KVM"},
        {"Amazon EC2", "Amazon EC2"},
        {"Google Compute Engine", "Google Compute Engine"},
        {"Alibaba Cloud ECS", "Alibaba Cloud"},
        {"OpenStack Nova", "OpenStack"},
        {"KubeVirt", "KubeVirt"},
        {"Nutanix", "Nutanix AHV"},
        {"AHV", "Nutanix AHV"},
        {"oVirt Node", "oVirt"},
        {"RHEV Hypervisor", "oVirt"},
        {"crosvm", "crosvm"},
        {"Cloud Hypervisor", "Cloud Hypervisor"},
        {"cloud-hypervisor", "Cloud Hypervisor"},
        {"VMware, Inc.", "VMware"},
        {"VMW71.00V", "VMware"},
        {"innotek GmbH", "VirtualBox"},
        {"VirtualBox", "VirtualBox"},
        {"Xen", "Xen"},
        {"HVM domU", "Xen"},
        {"Bochs", "Bochs"},
        {"Parallels Virtual Platform", "Parallels"},
        {"BHYVE", "bhyve"},
        {"Hyper-V UEFI Release v4.0", "Hyper-V"},
        {"Virtual Machine", "Hyper-V"},
        {"7783-7084-3265-9085-8269-3286-77", "Azure"},
        {"Apple Virtualization Generic Platform", "Apple VZ"},
    };
    // One field each, in turn: all of them are looked at.
    const struct {
        const char *source;
        char *field;
        size_t size;
    } fields[] = {
        {"smbios-bios", smbios.bios_vendor, sizeof(smbios.bios_vendor)},
        {"smbios-vendor", smbios.manufacturer, sizeof(smbios.manufacturer)},
        {"smbios-product", smbios.product, sizeof(smbios.product)},
        {"smbios-version", smbios.version, sizeof(smbios.version)},
        {"smbios-board", smbios.board_manufacturer, sizeof(smbios.board_manufacturer)},
        {"smbios-chassis", smbios.chassis_asset_tag, sizeof(smbios.chassis_asset_tag)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(clues); i++) {
        size_t field = i % ARRAY_SIZE(fields);
        start(true);
        text_print(fields[field].field, fields[field].size, "%s", clues[i][0]);
        point_to(fields[field].source, clues[i][1], NULL);
    }
    start(true);
    smbios.virtual_machine = true;
    evidence_weigh(&evidence, &facts);
    assert_null(item("smbios-vm-bit")->points_to);
    assert_string_equal(evidence.conclusion, "a hypervisor that does not say which");
}

// --- Those that say nothing, or too little

static void test_no_signature(void **state)
{
    (void)state;
    // VirtualBox' "Minimal" interface
    start(true);
    acpi_by("VBOX  ", "");
    smbios_by("innotek GmbH", "innotek GmbH", "VirtualBox");
    expect("VirtualBox", CONFIDENCE_HIGH, "", "");
    // kvm=off: the bit is there, QEMU's tables are
    start(true);
    qemu_firmware();
    expect("QEMU", CONFIDENCE_HIGH, "", "");
    // ... and nothing in CPUID
    start(false);
    qemu_firmware();
    expect("QEMU", CONFIDENCE_HIGH, "", "QEMU hides: CPUID's present bit is clear");
    // Bochs has no hypervisor bit to set, and tables that QEMU took over from it.
    start(false);
    acpi_by("BOCHS ", "");
    smbios_by("The Bochs Project", "Bochs", "Bochs");
    smbios.bios_vendor[0] = '\0';
    expect("Bochs", CONFIDENCE_HIGH, "", "");
    start(false); // as Debian has it, without SMBIOS
    acpi_by("BOCHS ", "");
    expect("Bochs", CONFIDENCE_MEDIUM, "", "");
    assert_string_equal(item("fw_cfg")->points_to, "Bochs");
    // Only the bit
    start(true);
    expect("a hypervisor that does not say which", CONFIDENCE_LOW, "", "");
    // Only a table's maker
    start(true);
    acpi_by("BOCHS ", "");
    expect("QEMU", CONFIDENCE_LOW, "", "");
}

static void test_real_hardware(void **state)
{
    (void)state;
    start(false);
    acpi_by("DELL  ", "");
    smbios_by("Dell Inc.", "Dell Inc.", "PowerEdge R740");
    expect("no hypervisor that shows itself", CONFIDENCE_LOW, "", "");
    assert_int_equal(evidence.count, 0);
    // Windows with its hypervisor under it
    start(true);
    sign(0x40000000, "Microsoft Hv");
    hyperv_interface();
    facts.hyperv_root = true;
    expect("real hardware, under Hyper-V as its root partition", CONFIDENCE_MEDIUM, "", "");
    // EC2's metal instances have the SMBIOS of its guests, but for a bit.
    start(false);
    acpi_by("AMAZON", "");
    smbios_by("Amazon EC2", "Amazon EC2", "c5.metal");
    expect("Amazon EC2, on the hardware itself", CONFIDENCE_HIGH, "", "");
    // A vendor identity that is nobody's we know
    start(false);
    acpi_by("", "QCOM");
    expect("a hypervisor that does not say which", CONFIDENCE_LOW, "", "");
    assert_null(item("fadt")->points_to);
}

// --- Impersonation

static void test_hyperv_interfaces(void **state)
{
    (void)state;
    start(true); // QEMU with hv-*
    sign(0x40000000, "Microsoft Hv");
    sign(0x40000100, "KVMKVMKVM\0\0");
    hyperv_interface();
    qemu_firmware();
    expect("QEMU on KVM", CONFIDENCE_HIGH, "", "KVM shows Hyper-V's interface");

    start(true); // Xen's viridian
    sign(0x40000000, "Microsoft Hv");
    sign(0x40000100, "XenVMMXenVMM");
    hyperv_interface();
    acpi_by("Xen", "");
    expect("Xen", CONFIDENCE_HIGH, "", "Xen shows Hyper-V's interface");

    start(true); // hv-* with kvm=off
    sign(0x40000000, "Microsoft Hv");
    hyperv_interface();
    qemu_firmware();
    expect("QEMU on Hyper-V", CONFIDENCE_HIGH, "",
           "QEMU shows Hyper-V's interface and hides its own");

    start(true); // Cloud Hypervisor's kvm_hyperv
    sign(0x40000000, "Linux KVM Hv");
    hyperv_interface();
    acpi_by("CLOUDH", "CLOUDHYP");
    expect("Cloud Hypervisor on KVM", CONFIDENCE_HIGH, "", "KVM shows Hyper-V's interface");

    start(true); // VirtualBox' usual provider
    sign(0x40000000, "VBoxVBoxVBox");
    hyperv_interface();
    acpi_by("VBOX  ", "");
    expect("VirtualBox", CONFIDENCE_HIGH, "", "VirtualBox shows Hyper-V's interface");

    start(true); // the real one
    sign(0x40000000, "Microsoft Hv");
    hyperv_interface();
    acpi_by("MSFTVM", "MsHyperV");
    expect("Hyper-V", CONFIDENCE_HIGH, "", "");
}

static void test_other_interfaces(void **state)
{
    (void)state;
    start(true); // VirtualBox' KVM provider
    sign(0x40000000, "KVMKVMKVM\0\0");
    acpi_by("VBOX  ", "");
    smbios_by("innotek GmbH", "innotek GmbH", "VirtualBox");
    expect("VirtualBox on KVM", CONFIDENCE_HIGH, "", "VirtualBox shows KVM's interface");

    start(true); // Parallels 6 with a Linux guest
    sign(0x40000000, "KVMKVMKVM\0\0");
    acpi_by("PRLS  ", "");
    smbios_by("Parallels Software International Inc.", "Parallels Software International Inc.",
              "Parallels Virtual Platform");
    expect("Parallels on KVM", CONFIDENCE_HIGH, "", "Parallels shows KVM's interface");

    start(true);
    sign(0x40000000, "OpenBSDVMM58");
    sign(0x40000100, "KVMKVMKVM\0\0");
    expect("OpenBSD vmm", CONFIDENCE_MEDIUM, "", "OpenBSD vmm shows KVM's interface, too");

    // An interface needs a program around it; a product is one.
    start(true);
    sign(0x40000000, "HAXMHAXMHAXM");
    expect("HAXM, the program around it not named", CONFIDENCE_MEDIUM, "", "");

    start(true); // VMware's own port is no impersonation
    sign(0x40000000, "VMwareVMware");
    smbios_by("Phoenix Technologies LTD", "VMware, Inc.", "VMware Virtual Platform");
    facts.vmware_port = true;
    expect("VMware", CONFIDENCE_HIGH, "", "");

    start(true); // nothing but the port
    facts.vmware_port = true;
    expect("a hypervisor that does not say which", CONFIDENCE_LOW, "",
           "something answers VMware's port");
}

static void test_contradictions(void **state)
{
    (void)state;
    start(true); // -smbios type=1,manufacturer=VMware
    sign(0x40000000, "TCGTCGTCGTCG");
    qemu_firmware();
    smbios_by("SeaBIOS", "VMware, Inc.", "VMware Virtual Platform");
    expect("QEMU TCG", CONFIDENCE_MEDIUM, "smbios-vendor points to VMware", "");

    start(true); // only one witness on each side
    sign(0x40000000, "VMwareVMware");
    acpi_by("VBOX  ", "");
    expect("VirtualBox on VMware", CONFIDENCE_LOW, "VirtualBox is not known to run on VMware", "");
}

// --- Memory encryption, and the option ROM

static void test_confidential_guests(void **state)
{
    (void)state;
    start(true);
    sign(0x40000000, "KVMKVMKVM\0\0");
    qemu_firmware();
    facts.tdx = true;
    expect("QEMU on KVM, in a TDX trust domain", CONFIDENCE_HIGH, "", "");
    assert_string_equal(item("tdx")->finding, "leaf 0x21: an Intel TDX trust domain");
    facts.tdx = false;
    facts.sev_leaf = true;
    expect("QEMU on KVM", CONFIDENCE_HIGH, "", "");
    assert_string_equal(item("sev")->finding, "leaf 0x8000001f: AMD SEV, not in force");
    facts.sev_status = 7;
    expect("QEMU on KVM, its memory encrypted by SEV", CONFIDENCE_HIGH, "", "");
    assert_string_equal(item("sev")->finding, "leaf 0x8000001f: AMD SEV, SEV-SNP in force");
}

static void test_the_vmi_rom(void **state)
{
    (void)state;
    start(true);
    facts.vmi = (struct vmi_rom){.address = 0xc8000, .length = 512, .api_major = 3};
    expect("a hypervisor that does not say which", CONFIDENCE_LOW, "", "");
    assert_string_equal(item("vmi-rom")->finding,
                        "VMware's VMI ROM at 0xc8000: API 3.0, 512 bytes, checksum wrong");
}

static void test_more_than_fits(void **state)
{
    (void)state;
    start(true);
    for (uint32_t i = 0; i < 30; i++)
        sign(0x40000000 + 0x100 * i, "KVMKVMKVM\0\0");
    expect("KVM, the program around it not named", CONFIDENCE_MEDIUM, "", "");
    assert_int_equal(evidence.count, EVIDENCE_MAX);
    assert_int_equal(evidence.dropped, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs_on_kvm),
        cmocka_unit_test(test_whole_products),
        cmocka_unit_test(test_qemu_tcg),
        cmocka_unit_test(test_fadt_clues),
        cmocka_unit_test(test_acpi_clues),
        cmocka_unit_test(test_tables_of_guests),
        cmocka_unit_test(test_smbios_clues),
        cmocka_unit_test(test_no_signature),
        cmocka_unit_test(test_real_hardware),
        cmocka_unit_test(test_hyperv_interfaces),
        cmocka_unit_test(test_other_interfaces),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_confidential_guests),
        cmocka_unit_test(test_the_vmi_rom),
        cmocka_unit_test(test_more_than_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
