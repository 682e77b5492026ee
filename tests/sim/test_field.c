// Every simulated machine of the field in a whole run: who is named, which clocks measure, which
// rates are claimed, and what is wrong. Each line is reasoned from what the machine is, in
// tests/sim/machines.c and variants.c.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "tests/sim/run.h"

// Lists are words with a space behind each.
static const struct expected {
    const char *machine, *who;
    const char *clocks; // whose measurement is "ok"
    const char *claims; // that are present, of whichever clock
    const char *off;    // of these, those whose verdict is not "ok"
    const char *failed; // checks
    const char *outcome;
} expected[] = {
    // A CPU of AMD's that echoes, where AMD's give zeros; leaf 0xd reads as 543 kHz.
    {"qemu-tcg", "QEMU TCG", "pit hpet pmtimer lapic ", "", "",
     "out-of-range-answer timing-leaf-range ", "pass"},
    {"microvm", "QEMU TCG", "lapic ", "", "", "out-of-range-answer timing-leaf-range ", "pass"},
    {"kvm", "KVM, the program around it not named", "pit hpet pmtimer lapic pvclock ",
     "pvclock vmware-port ", "", "", "pass"},
    {"kvm-invtsc", "KVM, the program around it not named", "pit hpet pmtimer lapic pvclock ",
     "leaf-0x40000010 pvclock vmware-port ", "", "", "pass"},
    {"kvm-hyper-v", "KVM, the program around it not named", "pit hpet pmtimer lapic pvclock ",
     "pvclock hyperv-tsc-page vmware-port ", "", "", "pass"},
    {"firecracker", "Firecracker on KVM", "pit lapic pvclock ", "pvclock ", "", "", "pass"},
    {"cloud-hypervisor", "Cloud Hypervisor on KVM", "pmtimer lapic pvclock ",
     "leaf-0x40000010 pvclock ", "", "", "pass"},
    {"xen-hvm", "Xen", "pit hpet pmtimer rtc ", "xen-leaf xen-leaf-scale xen-leaf-host xen-time ",
     "", "", "pass"},
    // It has no clock of known rate, so no claim can be judged.
    {"xen-pvh", "Xen", "", "xen-leaf xen-leaf-scale xen-leaf-host xen-time ",
     "xen-leaf xen-leaf-scale xen-leaf-host xen-time ", "", "inconclusive"},
    {"vmware", "VMware", "pit hpet pmtimer ", "leaf-0x40000010 vmware-port ", "", "", "pass"},
    {"virtualbox", "VirtualBox", "pit hpet pmtimer ", "leaf-0x40000010 ", "",
     "signature-printable ", "pass"},
    {"hyper-v-gen1", "Hyper-V", "pit pmtimer hyperv-refcount ", "hyperv-msr hyperv-tsc-page ", "",
     "", "pass"},
    {"hyper-v-gen2", "Hyper-V", "hyperv-refcount ", "hyperv-msr hyperv-tsc-page ", "", "", "pass"},
    // Its PM timer is 721 ppm fast.
    {"bhyve", "bhyve", "pit hpet ", "", "", "out-of-range-answer signature-once timing-leaf-range ",
     "pass"},
    {"crosvm", "crosvm on KVM", "pit pmtimer lapic pvclock ", "pvclock ", "", "", "pass"},
    {"acrn", "ACRN", "pit pmtimer ", "leaf-0x40000010 leaf-0x16 ", "", "out-of-range-answer ",
     "pass"},
    {"jailhouse", "Jailhouse", "pmtimer ", "jailhouse leaf-0x16 ", "",
     "out-of-range-answer timing-leaf-range ", "pass"},
    {"nitro", "Amazon EC2 Nitro on KVM", "pmtimer lapic pvclock ", "leaf-0x40000010 pvclock ", "",
     "", "pass"},
    // Its LAPIC timer, of 25 MHz, is measured, and no witness.
    {"tdx", "KVM, the program around it not named, in a TDX trust domain", "hpet pmtimer ",
     "leaf-0x15 ", "", "", "pass"},
    // Its reference counter is derived from the TSC.
    {"cloud-hypervisor-hyper-v", "Cloud Hypervisor on KVM", "pmtimer lapic ",
     "hyperv-msr hyperv-tsc-page ", "", "", "pass"},
    {"kvmtool", "kvmtool", "pit ", "", "", "", "pass"},
    // There is no LAPIC timer that would count the bus of leaf 0x15.
    {"openbsd-vmm", "OpenBSD vmm", "pit ", "pvclock leaf-0x15 ", "leaf-0x15 ",
     "max-leaf-plausible ", "pass"},
    {"qemu-whpx", "QEMU", "pit hpet pmtimer ", "leaf-0x40000010 vmware-port ", "",
     "signature-printable ", "pass"},
    // The bus of the leaf is the host's, and a tenth of what its LAPIC timer counts.
    {"qemu-hvf", "QEMU", "pit hpet pmtimer ", "leaf-0x40000010 ", "leaf-0x40000010 ",
     "signature-printable bus-claim ", "fail"},
    {"haxm", "QEMU on HAXM", "pit hpet pmtimer ", "", "", "", "pass"},
    // The crystal of the host, which the LAPIC timer does not count; 2600 MHz for 2592.
    {"nvmm", "QEMU on NVMM", "pit hpet pmtimer ", "leaf-0x15 leaf-0x16 ", "leaf-0x15 leaf-0x16 ",
     "leaf-0x15-leak ", "pass"},
    {"xen-viridian", "Xen", "pit hpet pmtimer rtc ",
     "hyperv-msr hyperv-tsc-page xen-leaf xen-leaf-scale xen-leaf-host xen-time ", "",
     "hyperv-frequency-bits ", "pass"},
    {"virtualbox-hyper-v", "VirtualBox", "pit hpet pmtimer ", "hyperv-msr hyperv-tsc-page ", "", "",
     "pass"},
    {"virtualbox-kvm", "VirtualBox on KVM", "pit hpet pmtimer lapic ", "pvclock ", "", "", "pass"},
    {"parallels", "Parallels", "pit hpet pmtimer ", "", "", "", "pass"},
    {"apple-vz", "Apple VZ", "pit pmtimer ", "", "", "", "pass"},
    {"qnx", "QNX", "pit pmtimer ", "", "", "", "pass"},
    // The hardware's clocks, its CMOS clock's own crystal among them.
    {"intel-kgt", "Intel KGT", "pit hpet pmtimer rtc ", "leaf-0x15 leaf-0x16 ", "leaf-0x16 ",
     "max-leaf-plausible timing-leaf-range ", "pass"},
    // Its leaves are a Skylake's, of 3.5 GHz.
    {"bochs", "no hypervisor that shows itself", "pit hpet pmtimer ", "leaf-0x15 leaf-0x16 ",
     "leaf-0x15 leaf-0x16 ", "", "pass"},
    {"bare-intel", "no hypervisor that shows itself", "pit hpet pmtimer rtc ",
     "leaf-0x15 leaf-0x16 ", "leaf-0x16 ", "", "pass"},
    {"bare-amd", "no hypervisor that shows itself", "pit hpet pmtimer rtc ", "", "", "", "pass"},
};

// Lists `key` of each record of this name in which `where` is the value, or is not; the rate of all
// clocks together is left out, and what says the same as the one before.
static void list(char out[256], const char *name, const char *key, const char *where,
                 const char *value, bool equal)
{
    const char *lines = result.com2.bytes;
    char pattern[32], word[64], last[64] = "";
    struct record record;
    struct text text;

    text_init(&text, out, 256);
    snprintf(pattern, sizeof(pattern), "\"%s\":\"", key);
    while (record_next(&lines, &record)) {
        if (!record_is(&record, "record", name) || record_is(&record, where, value) != equal)
            continue;
        const char *start = strstr(record.line, pattern);
        assert_non_null(start);
        assert_int_equal(sscanf(start + strlen(pattern), "%63[^\"]", word), 1);
        if (strcmp(word, last) != 0 && strcmp(word, "all") != 0)
            text_format(&text, "%s ", word);
        snprintf(last, sizeof(last), "%s", word);
    }
}

static void test_field(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_SIZE(expected), sim_machine_count);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        struct sim_config config = sim_machine(expected[i].machine);
        char clocks[256], claims[256], off[256];

        config.com2.present = true;
        config.options = "window=200ms precision=0";
        print_message("  %s\n", expected[i].machine);
        run(&config);
        expect(find("identity", NULL, NULL), "conclusion", expected[i].who);
        list(clocks, "measurement", "clock", "status", "ok", true);
        list(claims, "claim", "source", "status", "present", true);
        list(off, "verdict", "source", "verdict", "ok", false);
        assert_string_equal(clocks, expected[i].clocks);
        assert_string_equal(claims, expected[i].claims);
        assert_string_equal(off, expected[i].off);
        expect_failed(expected[i].failed);
        expect_end(expected[i].outcome);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
