// Recorded CPUIDs as that of the simulated machine: whole runs on what real hypervisors show.
//
// Those that this project measured are in tests/data/cpuid; the others are not ours to pass on, and
// their test skips where HYPERTICK_CPUID_DATA, or ../shared/data/cpuid, does not have them.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/run.h"
// Not in lib/: only hypertick-scan reads dumps.
#include "tools/scan/dump.c" // NOLINT(bugprone-suspicious-include)

#define OURS   "tests/data/cpuid"
#define THEIRS "../shared/data/cpuid"

#define PRESENT_BIT (1u << 31) // CPUID 1 ECX

struct expected {
    const char *name;
    const char *vendor;         // NULL: none is known
    uint32_t tsc_khz, bus_khz;  // what the machine does, as far as the dump says; 0: as it is
    const char *failed;         // ids of checks, with a space behind each
    const char *source, *state; // a claim, and its verdict; NULL: the timing leaf makes none
};

#define TIMING "leaf-0x40000010"

static const struct expected ours[] = {
    {"kvm-qemu64-qemu72-local", "KVM", 0, 0, "", NULL, NULL},
    {"kvm-noFreq-qemu72-local", "KVM", 0, 0, "", NULL, NULL},
    {"kvm-epyc-invtsc-qemu72-local", "KVM", 2596130, 1000000, "", TIMING, "ok"},
    {"kvm-off-qemu72-local", NULL, 0, 0, "present-bit ", NULL, NULL},
    {"kvm-intelvendor-qemu72-local", "KVM", 0, 0, "timing-leaf-range ", NULL, NULL},
    {"qemu-tcg-max-local", "QEMU TCG", 0, 0, "out-of-range-answer timing-leaf-range ", NULL, NULL},
    {"qemu-tcg-EPYC-local", "QEMU TCG", 0, 0, "out-of-range-answer timing-leaf-range ", NULL, NULL},
    {"qemu-tcg-Skylake-Client-local", "QEMU TCG", 0, 0, "timing-leaf-range ", NULL, NULL},
    {"qemu-tcg-qemu32-local", "QEMU TCG", 0, 0, "timing-leaf-range ", NULL, NULL},
    {"qemu-tcg-qemu64-local", "QEMU TCG", 0, 0, "", NULL, NULL},
    {"qemu-tcg-max-nohv-local", "QEMU TCG", 0, 0,
     "present-bit out-of-range-answer timing-leaf-range ", NULL, NULL},
    {"qemu-tcg-max-nosig-local", NULL, 0, 0, "present-bit out-of-range-answer timing-leaf-range ",
     NULL, NULL},
};

// Where a dump has no leaf 1, the machine has that of a guest.
static const struct expected theirs[] = {
    {"bhyve-propolis-constructed", "bhyve", 0, 0, "", NULL, NULL},
    {"hyperv-InstLatx64-AuthenticAMD0700F01_K16_Kabini3_CPUID", "Hyper-V", 0, 0, "", NULL, NULL},
    {"hyperv-InstLatx64-AuthenticAMD0800F12_K17_Zen_CPUID4", "Hyper-V", 0, 0, "", NULL, NULL},
    {"hyperv-InstLatx64-AuthenticAMD0850F00_K17_Zen_CPUID3", "Hyper-V", 0, 0, "", NULL, NULL},
    {"hyperv-InstLatx64-GenuineIntel00A0654_CometLake_CPUID", "Hyper-V", 3696000, 24000, "",
     "leaf-0x15", "ok"},
    // The same on another machine: its TSC scaled, its LAPIC timer at Hyper-V's 200 MHz.
    {"hyperv-InstLatx64-GenuineIntel00A0655_CometLake_CPUID3", "Hyper-V", 2596130, 200000,
     "leaf-0x15-leak ", "leaf-0x15", "off"},
    {"kvm-hvenlightened", "Hyper-V", 0, 0, "", NULL, NULL},
    {"kvm-localhost-amd", "KVM", 0, 0, "", NULL, NULL},
    // Nobody vouches for the leaf, and a careless guest would take it.
    {"kvm-nitro-commitmsg-timingleaf", NULL, 2900015, 1000000,
     "present-bit timing-leaf-range blocks-16-form ", NULL, NULL},
    {"qemu-user-tcg-and-wsl2-pytorch-cpuinfo-pr349", "QEMU TCG", 0, 0, "", NULL, NULL},
    {"virtualbox-hvinterface", "VirtualBox", 0, 0, "", NULL, NULL},
    {"vmware-vmwarelog-core2t6500", "VMware", 2100000, 66000, "", TIMING, "ok"},
    {"xen-firecracker-t2", "Xen", 2400010, 0, "", "xen-leaf", "ok"},
};

static struct dump recording;

static bool read_dump(const char *folder, const char *name)
{
    char path[512], line[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.txt", folder, name);
    file = fopen(path, "r");
    if (!file)
        return false;
    dump_start(&recording);
    while (fgets(line, sizeof(line), file))
        if (!dump_line(&recording, line, strcspn(line, "\n")))
            fail_msg("%s:%u: %s", path, recording.lines, recording.error);
    fclose(file);
    assert_true(dump_end(&recording));
    return true;
}

// A machine of KVM's devices with the CPUID of the recording.
static struct sim_config machine_of(const struct expected *expected)
{
    struct sim_config config = sim_machine("kvm");
    struct sim_cpuid *cpuid = &config.cpuid;
    const struct cpuid_words *basic = highest_basic(&recording, 0);

    config.options = "window=100ms precision=0";
    cpuid->count = 0;
    for (size_t i = 0; i < recording.count; i++) {
        const struct cpuid_entry *entry = &recording.leaves[i];
        assert_true(cpuid->count < SIM_CPUID_MAX);
        cpuid->entries[cpuid->count].leaf = entry->leaf;
        cpuid->entries[cpuid->count].subleaf = entry->subleaf;
        cpuid->entries[cpuid->count++].words = entry->words;
        if (entry->leaf == 1)
            cpuid->hypervisor_bit = entry->words.ecx & PRESENT_BIT;
    }
    // Excerpts begin at some higher leaf.
    if (!lookup(&recording, 0, 0)) {
        sim_cpuid_set(&config, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69);
        sim_cpuid_set(&config, 1, 0x000506e3, 0x00000800, 0, 0);
        cpuid->hypervisor_bit = true;
    }
    // -cpu ...,-hypervisor hides the bit, and not QEMU's devices.
    config.fw_cfg.present = !cpuid->hypervisor_bit;
    cpuid->fallback = SIM_ZEROS;
    if (recording.beyond_known && basic && cpuid_equal(recording.beyond, *basic))
        cpuid->fallback = SIM_ECHO;
    // What else states a rate knows nothing of another machine's.
    if (expected->tsc_khz && expected->tsc_khz != SIM_TSC_HZ / 1000)
        config.paravirt.pvclock.present = config.paravirt.backdoor.port = false;
    if (expected->tsc_khz)
        config.tsc = sim_clock_of(expected->tsc_khz * 1000ull, 1);
    if (expected->bus_khz)
        config.lapic.clock = sim_clock_of(expected->bus_khz * 1000ull, 1);
    return config;
}

static void check_dump(const struct expected *expected)
{
    struct sim_config config = machine_of(expected);

    print_message("  %s\n", expected->name);
    run(&config);
    struct record hypervisor = find("hypervisor", NULL, NULL);
    if (expected->vendor)
        expect(hypervisor, "vendor", expected->vendor);
    else
        assert_true(record_is_null(&hypervisor, "vendor"));
    if (expected->source)
        expect(find("verdict", "source", expected->source), "verdict", expected->state);
    if (!expected->source || strcmp(expected->source, TIMING) != 0)
        expect(find("claim", "source", TIMING), "status", "absent");
    expect_failed(expected->failed);
}

static void test_ours(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        if (!read_dump(OURS, ours[i].name))
            fail_msg("%s is not in " OURS, ours[i].name);
        check_dump(&ours[i]);
    }
}

static void test_theirs(void **state)
{
    (void)state;
    const char *folder = getenv("HYPERTICK_CPUID_DATA");
    unsigned missing = 0;

    for (size_t i = 0; i < ARRAY_SIZE(theirs); i++) {
        if (read_dump(folder ? folder : THEIRS, theirs[i].name))
            check_dump(&theirs[i]);
        else
            missing++;
    }
    if (missing) {
        print_message("%u dumps are not in %s\n", missing, folder ? folder : THEIRS);
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
