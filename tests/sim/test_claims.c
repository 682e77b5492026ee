// Every source of claims: what it states, and why it states nothing, on machines that no emulator
// offers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kernel/claims/claims.h"
#include "tests/sim/run.h"

static struct sim_config config;

static void start(const char *machine)
{
    config = sim_machine(machine);
    config.pvclock = sim_no_clock();          // what the claims see is config.paravirt
    config.options = "window=1ms clocks=pit"; // other clocks use the same MSRs
    config.acpi.cpus = 1;                     // test_smp.c has the others
    config.com2.present = true;
}

// The claim of a source about a clock, in the records of a run of `config`.
static struct record claim(const char *source, const char *clock)
{
    const char *lines = result.com2.bytes;
    struct record record;

    while (record_next(&lines, &record))
        if (record_is(&record, "record", "claim") && record_is(&record, "source", source) &&
            record_is(&record, "clock", clock))
            return record;
    fail_msg("%s makes no claim about %s", source, clock);
    return record;
}

// Runs the machine: the source must state so many millihertz, resting on `reason`.
static void states(const char *source, const char *clock, int64_t millihertz, const char *reason)
{
    int64_t value = 0;

    run(&config);
    struct record record = claim(source, clock);
    expect(record, "status", "present");
    assert_true(record_thousandths(&record, "hz", &value));
    assert_int_equal(value, millihertz);
    expect(record, "reason", reason);
}

// Runs the machine: the source must state nothing, for this reason.
static void is_absent(const char *source, const char *clock, const char *reason)
{
    run(&config);
    struct record record = claim(source, clock);
    expect(record, "status", "absent");
    assert_true(record_is_null(&record, "hz"));
    expect(record, "reason", reason);
}

static bool there_is(const char *kind, const char *key, const char *value)
{
    struct record record;

    return record_find(result.com2.bytes, kind, key, value, &record);
}

static int64_t granularity(const char *source, const char *clock)
{
    int64_t value = 0;
    struct record record = claim(source, clock);

    assert_true(record_thousandths(&record, "granularity_hz", &value));
    return value;
}

#define HZ  ((int64_t)1000)
#define KHZ ((int64_t)1000000)
#define MHZ ((int64_t)1000000000)

static void intel(uint32_t leaf_1_eax)
{
    start("bare-intel");
    sim_cpuid_set(&config, 1, leaf_1_eax, 0x00000800, 0x76d8320b, 0x0f8bfbff);
}

static void amd(uint32_t leaf_1_eax)
{
    start("bare-amd");
    sim_cpuid_set(&config, 1, leaf_1_eax, 0x00000800, 0x76d8320b, 0x0f8bfbff);
    sim_msr_set(&config, 0xc0010015, 1u << 24);
}

// --- KVM

static void test_pvclock(void **state)
{
    (void)state;
    start("kvm");
    states("pvclock", "tsc", 2596130000779, "MSR 0x4b564d01: 0xc53774d1, shift -1, stable");
    assert_int_equal(granularity("pvclock", "tsc"), 785);
    struct record record = claim("pvclock", "tsc");
    assert_false(record_is_true(&record, "nominal"));
    // It was switched on and off again.
    assert_int_equal(result.left.pvclock, 0);
    assert_int_equal(result.left.pvclock_writes, 2);

    config.paravirt.pvclock.flags = 3;
    states("pvclock", "tsc", 2596130000779,
           "MSR 0x4b564d01: 0xc53774d1, shift -1, stable, guest was stopped");
    config.paravirt.pvclock.flags = 0;
    config.paravirt.pvclock.old_only = true;
    states("pvclock", "tsc", 2596130000779, "MSR 0x12: 0xc53774d1, shift -1");
    // A KVM from before max leaves: 0 stands for base + 1.
    sim_cpuid_sign(&config, 0x40000000, 0, "KVMKVMKVM\0\0");
    states("pvclock", "tsc", 2596130000779, "MSR 0x12: 0xc53774d1, shift -1");
    // Only the old one is offered, or only the new one.
    sim_cpuid_set(&config, 0x40000001, 1, 0, 0, 0);
    states("pvclock", "tsc", 2596130000779, "MSR 0x12: 0xc53774d1, shift -1");
    sim_cpuid_set(&config, 0x40000001, 8, 0, 0, 0);
    is_absent("pvclock", "tsc", "writing MSR 0x4b564d01 raises #GP");
}

static void test_pvclock_absent(void **state)
{
    (void)state;
    start("kvm");
    sim_cpuid_set(&config, 0x40000001, 0xfffffff6, 0, 0, 0);
    is_absent("pvclock", "tsc", "leaf 0x40000001 EAX bits 0 and 3 are clear");
    assert_int_equal(result.left.pvclock_writes, 0);

    start("kvm");
    sim_cpuid_sign(&config, 0x40000000, 0x40000000, "KVMKVMKVM\0\0");
    is_absent("pvclock", "tsc", "KVM has no feature leaf");

    start("kvm");
    config.paravirt.pvclock.present = false;
    is_absent("pvclock", "tsc", "writing MSR 0x4b564d01 and 0x12 raises #GP");
    sim_cpuid_set(&config, 0x40000001, 1, 0, 0, 0);
    is_absent("pvclock", "tsc", "writing MSR 0x12 raises #GP");

    start("kvm");
    config.paravirt.pvclock.silent = true;
    is_absent("pvclock", "tsc", "its page was never written");
    assert_int_equal(result.left.pvclock, 0);
    config.paravirt.pvclock.silent = false;
    config.paravirt.pvclock.busy = true;
    is_absent("pvclock", "tsc", "its page is being written without end");
    assert_int_equal(result.left.pvclock, 0);

    start("kvm");
    config.paravirt.pvclock.mul = 0;
    is_absent("pvclock", "tsc", "it states 0");
    config.paravirt.pvclock.mul = 0x80000000;
    config.paravirt.pvclock.shift = 7; // 2^-6 of 1 GHz
    is_absent("pvclock", "tsc", "15.625000 MHz is outside 100 to 20000 MHz");

    start("xen-hvm");
    is_absent("pvclock", "tsc", "no KVM leaves");
    // A Hyper-V interface that has KVM's name on it has Hyper-V's leaves, not KVM's.
    start("hyper-v-gen1");
    sim_cpuid_sign(&config, 0x40000000, 0x4000000b, "Linux KVM Hv");
    is_absent("pvclock", "tsc", "no KVM leaves");
}

static void test_pvclock_behind_hyperv(void **state)
{
    (void)state;
    start("kvm-hyper-v");
    states("pvclock", "tsc", 2596130000779, "MSR 0x4b564d01: 0xc53774d1, shift -1, stable");
}

// --- Hyper-V

static void test_hyperv_msr(void **state)
{
    (void)state;
    start("hyper-v-gen1");
    states("hyperv-msr", "tsc", 2596130000 * HZ, "MSR 0x40000022");
    states("hyperv-msr", "bus", 200000000 * HZ, "MSR 0x40000023");
    assert_int_equal(granularity("hyperv-msr", "tsc"), HZ);

    // Xen as Hyper-V never sets EDX bit 8.
    sim_cpuid_set(&config, 0x40000003, 1 << 11, 0, 0, 0);
    states("hyperv-msr", "tsc", 2596130000 * HZ, "MSR 0x40000022; EDX bit 8 is clear");
    sim_cpuid_set(&config, 0x40000003, 0, 0, 0, 1 << 8);
    states("hyperv-msr", "bus", 200000000 * HZ, "MSR 0x40000023; EAX bit 11 is clear");
    sim_cpuid_set(&config, 0x40000003, ~(1u << 11), 0, 0, ~(1u << 8));
    config.paravirt.tsc_page.present = true; // the other bits offer it
    is_absent("hyperv-msr", "tsc", "leaf 0x40000003: EAX bit 11 and EDX bit 8 are clear");

    start("hyper-v-gen1");
    sim_msr_set(&config, 0x40000022, 0);
    sim_msr_set(&config, 0x40000023, UINT64_MAX);
    is_absent("hyperv-msr", "tsc", "it states 0");
    is_absent("hyperv-msr", "bus", "18446744073.709552 MHz is outside 1 to 20000 MHz");
    config.msr_count = 0;
    is_absent("hyperv-msr", "tsc", "reading MSR 0x40000022 raises #GP");
    is_absent("hyperv-msr", "bus", "reading MSR 0x40000023 raises #GP");
    sim_cpuid_sign(&config, 0x40000000, 0x40000002, "Microsoft Hv");
    is_absent("hyperv-msr", "tsc", "max leaf 0x40000002 is below 0x40000003");
    start("kvm");
    is_absent("hyperv-msr", "tsc", "no Hyper-V interface");
}

static void test_hyperv_tsc_page(void **state)
{
    (void)state;
    start("kvm-hyper-v");
    config.paravirt.tsc_page.before = 0x7000; // disabled, but not 0
    states("hyperv-tsc-page", "tsc", 2596130000000, "scale 0xfc6ff1b0a152bd");
    assert_int_equal(granularity("hyperv-tsc-page", "tsc"), 1);
    assert_int_equal(result.left.reference_tsc, 0x7000);

    config.paravirt.tsc_page.sequence = 0;
    is_absent("hyperv-tsc-page", "tsc", "its sequence number is 0: it does not hold");
    assert_int_equal(result.left.reference_tsc, 0x7000);
    config.paravirt.tsc_page.sequence = 7;
    config.paravirt.tsc_page.scale = 0;
    is_absent("hyperv-tsc-page", "tsc", "it states 0");
    config.paravirt.tsc_page.scale = 1;
    is_absent("hyperv-tsc-page", "tsc", "18446744073.709552 MHz is outside 100 to 20000 MHz");
    config.paravirt.tsc_page.present = false;
    is_absent("hyperv-tsc-page", "tsc", "MSR 0x40000021 raises #GP");
    sim_cpuid_set(&config, 0x40000003, ~(1u << 9), 0, 0, 0);
    is_absent("hyperv-tsc-page", "tsc", "leaf 0x40000003 EAX bit 9 is clear");
    start("kvm");
    is_absent("hyperv-tsc-page", "tsc", "no Hyper-V interface");
}

// --- Xen

static void test_xen_leaf(void **state)
{
    (void)state;
    start("xen-hvm");
    states("xen-leaf", "tsc", 2596130 * KHZ, "tsc_mode 0 (default), incarnation 1");
    states("xen-leaf-scale", "tsc", 2596130000779, "0xc53774d1, shift -1");
    states("xen-leaf-host", "tsc", 2596130 * KHZ, "the host's own TSC");
    struct record host = claim("xen-leaf-host", "tsc");
    assert_true(record_is_true(&host, "nominal"));

    // Another host than the one where it was started, and an emulated TSC.
    for (size_t i = 0; i < config.cpuid.count; i++) {
        if (config.cpuid.entries[i].leaf != 0x40000003)
            continue;
        if (config.cpuid.entries[i].subleaf == 0)
            config.cpuid.entries[i].words = (struct cpuid_words){1, 9, 2000000, 3};
        if (config.cpuid.entries[i].subleaf == 1)
            config.cpuid.entries[i].words.ecx = 0;
        if (config.cpuid.entries[i].subleaf == 2)
            config.cpuid.entries[i].words.eax = UINT32_MAX;
    }
    states("xen-leaf", "tsc", 2000000 * KHZ, "tsc_mode 9 (unknown), emulated, incarnation 3");
    is_absent("xen-leaf-scale", "tsc", "it states 0");
    is_absent("xen-leaf-host", "tsc", "4294967.295000 MHz is outside 100 to 20000 MHz");

    sim_cpuid_sign(&config, 0x40000000, 0x40000002, "XenVMMXenVMM");
    is_absent("xen-leaf", "tsc", "max leaf 0x40000002 is below 0x40000003");
    expect(claim("xen-leaf-scale", "tsc"), "reason", "max leaf 0x40000002 is below 0x40000003");
    expect(claim("xen-leaf-host", "tsc"), "reason", "max leaf 0x40000002 is below 0x40000003");
    // A toolstack's promise that CPUID does not keep.
    start("xen-hvm");
    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    config.cpuid.fallback = SIM_PASS_THROUGH;
    config.cpuid.pass_through = (struct cpuid_words){0x7, 0x340, SIM_TSC_HZ / 1000, 0};
    sim_cpuid_sign(&config, 0x40000000, 0x40000005, "XenVMMXenVMM");
    sim_cpuid_set(&config, 0x40000005, 0, 0, 0, 0);
    is_absent("xen-leaf", "tsc", "leaf 0x40000003 is in range, but gives what every leaf gives");
    start("kvm");
    is_absent("xen-leaf", "tsc", "no Xen leaves");
}

static void test_xen_time(void **state)
{
    (void)state;
    start("xen-hvm");
    states("xen-time", "tsc", 2596130000779, "0xc53774d1, shift -1");
    config.paravirt.xen.mul = 0xffffffff;
    config.paravirt.xen.shift = 31;
    is_absent("xen-time", "tsc", "0.000000 MHz is outside 100 to 20000 MHz");
    config.paravirt.xen.busy = true;
    is_absent("xen-time", "tsc", "its page is being written without end");
    config.paravirt.xen.silent = true;
    is_absent("xen-time", "tsc", "its page was never written");
    config.paravirt.xen_result = -22;
    is_absent("xen-time", "tsc", "XENMEM_add_to_physmap gives 0xffffffffffffffea");
    config.paravirt.xen.present = false;
    is_absent("xen-time", "tsc", "a hypercall raises #UD");
    start("kvm");
    is_absent("xen-time", "tsc", "no Xen leaves");
    // An Intel CPU takes the other instruction.
    start("xen-hvm");
    sim_cpuid_set(&config, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69); // GenuineIntel
    states("xen-time", "tsc", 2596130000779, "0xc53774d1, shift -1");
}

// --- VMware

static void test_vmware(void **state)
{
    (void)state;
    start("vmware");
    states("vmware-port", "tsc", 2596130000 * HZ, "VMware answers");
    states("vmware-port", "bus", 66000000 * HZ, "VMware answers");
    expect(claim("vmware-call", "tsc"), "reason", "leaf 0x40000010 ECX bits 0 and 1 are clear");
    start("kvm");
    states("vmware-port", "tsc", 2596130000 * HZ, "QEMU's vmport answers");
    states("vmware-port", "bus", 1000000000 * HZ, "QEMU's vmport answers");
    expect(find("hypervisor", NULL, NULL), "vendor", "KVM"); // the port makes nobody VMware
    assert_false(there_is("claim", "source", "vmware-call"));
    // kvm=off hides KVM's leaves, but not the port, and not the device that only QEMU has.
    sim_cpuid_set(&config, 0x40000000, 0, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000001, 0, 0, 0, 0);
    states("vmware-port", "tsc", 2596130000 * HZ, "it answers without VMware's leaves");
    config.acpi.oem_id = "BOCHS ";
    config.fw_cfg.present = true;
    states("vmware-port", "tsc", 2596130000 * HZ, "QEMU's vmport answers");
    config.cpuid.hypervisor_bit = false;
    states("vmware-port", "tsc", 2596130000 * HZ, "QEMU's vmport answers");
    // The same behind Hyper-V's leaves.
    start("kvm-hyper-v");
    sim_cpuid_set(&config, 0x40000100, 0, 0, 0, 0);
    is_absent("vmware-port", "tsc", "neither VMware nor QEMU");
    config.fw_cfg.present = true;
    states("vmware-port", "tsc", 2596130000 * HZ, "QEMU's vmport answers");
    start("qemu-tcg");
    is_absent("vmware-port", "tsc", "QEMU's vmport answers, but does not know GETHZ");
    config.paravirt.backdoor.port = false;
    is_absent("vmware-port", "tsc", "nothing answers at port 0x5658");
    config.open_bus_zeros = true;
    is_absent("vmware-port", "tsc", "nothing answers at port 0x5658");

    start("vmware");
    config.paravirt.backdoor.tsc_hz = 0;
    config.paravirt.backdoor.bus_hz = 999999;
    is_absent("vmware-port", "tsc", "it states 0");
    is_absent("vmware-port", "bus", "0.999999 MHz is outside 1 to 20000 MHz");
    config.paravirt.backdoor.tsc_hz = UINT64_MAX >> 8; // 2^64 millihertz and more
    is_absent("vmware-port", "tsc", "18446744073.709552 MHz is outside 100 to 20000 MHz");
}

// A dom0 has the ports of the machine around Xen: what QEMU states there is not its TSC.
static void test_vmport_around_xen(void **state)
{
    (void)state;
    start("xen-hvm");
    config.fw_cfg.present = true;
    config.paravirt.backdoor = (struct sim_backdoor){.port = true, .gethz = true, .tsc_hz = 7};
    is_absent("vmware-port", "tsc", "neither VMware nor QEMU");
}

static void test_vmware_not_asked(void **state)
{
    (void)state;
    static const char *const machines[] = {"xen-hvm", "hyper-v-gen1", "bhyve", "bare-intel"};

    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        start(machines[i]);
        config.paravirt.backdoor = (struct sim_backdoor){.port = true, .gethz = true, .tsc_hz = 7};
        is_absent("vmware-port", "tsc", "neither VMware nor QEMU");
    }
}

static void test_vmware_call(void **state)
{
    (void)state;
    start("vmware");
    config.paravirt.backdoor.call = true;
    // ECX bit 0: VMMCALL, bit 1: VMCALL.
    for (uint32_t flags = 1; flags <= 3; flags++) {
        sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 66000, flags, 0);
        states("vmware-call", "tsc", 2596130000 * HZ, "VMware answers");
        states("vmware-call", "bus", 66000000 * HZ, "VMware answers");
    }
    config.paravirt.backdoor.call = false;
    is_absent("vmware-call", "tsc", "the call raises #UD");
    states("vmware-port", "tsc", 2596130000 * HZ, "VMware answers");
    // Another vendor's leaf has no such flags.
    start("kvm-invtsc");
    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 1000000, 3, 0);
    run(&config);
    assert_false(there_is("claim", "source", "vmware-call"));
}

// --- CPUs

static void test_msr_0xce(void **state)
{
    (void)state;
    intel(0x000906ea); // Coffee Lake
    is_absent("msr-0xce", "tsc", "reading MSR 0xce raises #GP");
    sim_msr_set(&config, 0xce, 0x00080838f3811a00);
    states("msr-0xce", "tsc", 2600 * MHZ, "26 * 100.000 MHz");
    assert_int_equal(granularity("msr-0xce", "tsc"), 100 * MHZ);
    struct record record = claim("msr-0xce", "tsc");
    assert_true(record_is_true(&record, "nominal"));
    sim_msr_set(&config, 0xce, 1u << 31); // KVM's
    is_absent("msr-0xce", "tsc", "the ratio in MSR 0xce is zero");
    sim_msr_set(&config, 0xce, 0xff00);
    is_absent("msr-0xce", "tsc", "25500.000000 MHz is outside 100 to 20000 MHz");

    intel(0x000106a5); // Nehalem
    sim_msr_set(&config, 0xce, 20 << 8);
    states("msr-0xce", "tsc", 2666666666660, "20 * 133.333 MHz");
    intel(0x00010676); // Core 2: the fields are swapped, the bus clock is in MSR 0xCD
    sim_msr_set(&config, 0xce, 9ull << 40 | 6 << 8);
    is_absent("msr-0xce", "tsc", "reading MSR 0xcd raises #GP");
    sim_msr_set(&config, 0xcd, 4);
    states("msr-0xce", "tsc", 2999999999997, "9 * 333.333 MHz");
    sim_msr_set(&config, 0xcd, 7);
    is_absent("msr-0xce", "tsc", "MSR 0xcd holds 0x7: a reserved bus clock");
    intel(0x000106c2); // an early Atom
    is_absent("msr-0xce", "tsc", "not such an Intel CPU");
    start("bare-amd");
    is_absent("msr-0xce", "tsc", "not such an Intel CPU");
    start("vmware"); // an Intel CPU under a hypervisor
    sim_cpuid_set(&config, 1, 0x000906ea, 0, 0x76d8320b, 0x0f8bfbff);
    is_absent("msr-0xce", "tsc", "reading MSR 0xce raises #GP");
}

static void test_msr_fsb(void **state)
{
    (void)state;
    intel(0x00030678); // Bay Trail
    sim_msr_set(&config, 0xce, 16 << 8);
    sim_msr_set(&config, 0xcd, 0);
    states("msr-fsb", "bus", 83333333333, "MSR 0xcd");
    states("msr-0xce", "tsc", 1333333333328, "16 * 83.333 MHz");
    sim_msr_set(&config, 0xcd, 6);
    is_absent("msr-fsb", "bus", "MSR 0xcd holds 0x6: a reserved bus clock");
    config.msr_count = 0;
    is_absent("msr-fsb", "bus", "reading MSR 0xcd raises #GP");
    // 0 is a bus clock, but hypervisors give it for MSRs that they do not know.
    config.unknown_msrs_read_zero = config.cpuid.hypervisor_bit = true;
    is_absent("msr-fsb", "bus", "MSR 0xcd reads as zero");

    intel(0x00020671); // Penwell: the ratio is in MSR 0x198
    sim_msr_set(&config, 0xcd, 5);
    sim_msr_set(&config, 0x198, 16ull << 40);
    states("msr-fsb", "bus", 99840 * KHZ, "MSR 0xcd");
    states("msr-fsb", "tsc", 1597440 * KHZ, "16 * 99.840 MHz");
    is_absent("msr-0xce", "tsc", "not such an Intel CPU");
    sim_msr_set(&config, 0x198, 0);
    is_absent("msr-fsb", "tsc", "the ratio in MSR 0x198 is zero");

    intel(0x00000f49); // Pentium 4
    sim_msr_set(&config, 0x2c, 17 << 24 | 2 << 16);
    states("msr-fsb", "bus", 200 * MHZ, "MSR 0x2c");
    states("msr-fsb", "tsc", 3400 * MHZ, "17 * 200.000 MHz");
    config.msr_count = 0;
    is_absent("msr-fsb", "bus", "reading MSR 0x2c raises #GP");
    is_absent("msr-fsb", "tsc", "reading MSR 0x2c raises #GP");
    intel(0x000906ea);
    is_absent("msr-fsb", "tsc", "not such an Intel CPU");
}

static void test_amd_pstate(void **state)
{
    (void)state;
    amd(0x00800f12); // Zen
    is_absent("amd-pstate", "tsc", "reading MSR 0xc0010064 raises #GP");
    sim_msr_set(&config, 0xc0010064, 0x8000000049120888);
    states("amd-pstate", "tsc", 3400 * MHZ, "P0, MSR 0xc0010064: 0x8000000049120888");
    assert_int_equal(granularity("amd-pstate", "tsc"), 25 * MHZ);
    sim_msr_set(&config, 0xc0010064, 0x49120888);
    is_absent("amd-pstate", "tsc", "MSR 0xc0010064 holds 0x49120888: no P-state of family 0x17");
    sim_msr_set(&config, 0xc0010064, 0x800000004912082c | 8 << 8);
    sim_msr_set(&config, 0xc0010015, ~(1ull << 24));
    is_absent("amd-pstate", "tsc", "MSR 0xc0010015 bit 24 is clear: the TSC does not count at P0");
    config.msr_count = 0;
    is_absent("amd-pstate", "tsc", "reading MSR 0xc0010015 raises #GP");

    amd(0x00a20f10); // Zen 3 with an absurd one
    sim_msr_set(&config, 0xc0010064, 1ull << 63 | 0x2c << 8 | 0x10);
    is_absent("amd-pstate", "tsc", "72.727273 MHz is outside 100 to 20000 MHz");
    amd(0x00100f43); // Phenom II: boost states come first, where there are any
    sim_msr_set(&config, 0xc0010064, 1ull << 63 | 0x0e);
    states("amd-pstate", "tsc", 3000 * MHZ, "P0, MSR 0xc0010064: 0x800000000000000e");
    sim_cpuid_set(&config, 0x80000007, 0, 0, 0, 1u << 9 | 1u << 8);
    is_absent("amd-pstate", "tsc", "boost states come first, so MSR 0xc0010064 may not be P0");
    amd(0x00000f4a); // a K8
    is_absent("amd-pstate", "tsc", "not such an AMD CPU");
    start("bare-intel");
    is_absent("amd-pstate", "tsc", "not such an AMD CPU");
}

static void set_brand(const char *text)
{
    char brand[48] = {0};
    uint32_t words[12];

    memcpy(brand, text, strlen(text) < sizeof(brand) ? strlen(text) : sizeof(brand));
    memcpy(words, brand, sizeof(words));
    for (unsigned i = 0; i < 3; i++)
        sim_cpuid_set(&config, 0x80000002 + i, words[4 * i], words[4 * i + 1], words[4 * i + 2],
                      words[4 * i + 3]);
}

static void test_brand(void **state)
{
    (void)state;
    start("bare-intel");
    set_brand("      Intel(R) Xeon(R) CPU @ 2.60GHz ");
    states("brand", "tsc", 2600 * MHZ, "\\\"Intel(R) Xeon(R) CPU @ 2.60GHz\\\"");
    assert_int_equal(granularity("brand", "tsc"), 10 * MHZ);
    set_brand("AMD EPYC\n\x80 Processor");
    is_absent("brand", "tsc", "no MHz or GHz in \\\"AMD EPYC?? Processor\\\"");
    set_brand("0.05GHz");
    is_absent("brand", "tsc", "50.000000 MHz is outside 100 to 20000 MHz");
    set_brand("");
    is_absent("brand", "tsc", "no MHz or GHz in \\\"\\\"");
    sim_cpuid_set(&config, 0x80000000, 0x80000003, 0, 0, 0);
    is_absent("brand", "tsc", "max extended leaf 0x80000003: no string");
    sim_cpuid_set(&config, 0x80000000, 0xffffffff, 0, 0, 0);
    is_absent("brand", "tsc", "max extended leaf 0xffffffff: no string");
}

static void test_transmeta(void **state)
{
    (void)state;
    start("bare-intel");
    is_absent("transmeta", "tsc", "not a Transmeta CPU");
    sim_cpuid_set(&config, 0, 0xd, 0x756e6547, 0x3638784d, 0x54656e69); // GenuineTMx86
    config.cpuid.fallback = SIM_ZEROS;
    is_absent("transmeta", "tsc", "no leaf 0x80860001");
    sim_cpuid_set(&config, 0x80860000, 0x80860006, 0, 0, 0);
    sim_cpuid_set(&config, 0x80860001, 0, 0x01000000, 667, 0);
    states("transmeta", "tsc", 667 * MHZ, "ECX");
    sim_cpuid_set(&config, 0x80860001, 0, 0x02000000, 667, 0);
    is_absent("transmeta", "tsc", "revision 0x02000000 states no rate");
    sim_cpuid_set(&config, 0x80860001, 0, 0x01000000, 0, 0);
    is_absent("transmeta", "tsc", "it states 0");
    sim_cpuid_set(&config, 0x80860001, 0, 0x01000000, 99, 0);
    is_absent("transmeta", "tsc", "99.000000 MHz is outside 100 to 20000 MHz");
}

static void test_leaf_16_bclk(void **state)
{
    (void)state;
    start("bare-intel");
    states("leaf-0x16", "bclk", 100 * MHZ, "the CPU's reference frequency");
    // Nothing counts it, so it gets no verdict; the other claim of that leaf does.
    assert_false(there_is("verdict", "clock", "bclk"));
    assert_true(there_is("verdict", "source", "leaf-0x16"));
    sim_cpuid_set(&config, 0x16, 2600, 4800, 0xffff0000, 0);
    is_absent("leaf-0x16", "bclk", "ECX is zero");
}

static void test_jailhouse(void **state)
{
    (void)state;
    start("kvm");
    is_absent("jailhouse", "tsc", "no Jailhouse leaves");
    sim_cpuid_sign(&config, 0x40000000, 0x40000001, "Jailhouse\0\0");
    is_absent("jailhouse", "tsc", "no Jailhouse setup data was handed over");
    config.jailhouse = (struct jailhouse_setup){true, SIM_TSC_HZ / 1000, 1000000};
    states("jailhouse", "tsc", SIM_TSC_HZ * 1000LL, "setup data");
    states("jailhouse", "bus", 1000 * MHZ, "setup data");
    config.jailhouse.tsc_khz = 99999;
    is_absent("jailhouse", "tsc", "99.999000 MHz is outside 100 to 20000 MHz");
    config.jailhouse.tsc_khz = SIM_TSC_HZ / 1000 + 100000; // 4 %
    states("jailhouse", "tsc", SIM_TSC_HZ * 1000LL + 100 * MHZ, "setup data");
    expect(find("verdict", "source", "jailhouse"), "verdict", "off");
}

static void test_smbios(void **state)
{
    (void)state;
    start("kvm");
    is_absent("smbios", "tsc", "no SMBIOS tables");
    config.smbios.present = true;
    is_absent("smbios", "tsc", "no processor in the SMBIOS tables");
    config.smbios.processor = true;
    config.smbios.max_mhz = 3500;
    is_absent("smbios", "tsc", "type 4: the current speed is unknown");
    is_absent("smbios", "bclk", "type 4: the external clock is unknown");
    config.smbios.current_mhz = 2596;
    config.smbios.external_mhz = 100;
    states("smbios", "tsc", 2596 * MHZ, "type 4: current speed; at most 3500 MHz");
    states("smbios", "bclk", 100 * MHZ, "type 4: external clock");
    // Nominal: 4 % off informs, and fails nothing.
    config.options = "window=100ms";
    config.smbios.current_mhz = 2700;
    run(&config);
    expect(find("verdict", "source", "smbios"), "verdict", "off");
    expect_end("pass");
    config.smbios.current_mhz = 65535;
    is_absent("smbios", "tsc", "65535.000000 MHz is outside 100 to 20000 MHz");
    config.smbios.damaged = true;
    is_absent("smbios", "tsc", "no SMBIOS tables");
}

// --- All of them

static void test_comparisons(void **state)
{
    (void)state;
    start("kvm-invtsc");
    run(&config);
    struct record record = find("compare", "a", "pvclock");
    expect(record, "b", "leaf-0x40000010");
    expect(record, "clock", "tsc");
    assert_int_equal(number(record, "difference_ppb"), 0);
    assert_int_equal(number(record, "granularity_ppb"), 386);
    assert_true(record_is_true(&record, "agree"));
    assert_int_equal(record_count(result.com2.bytes, "compare"), 3 + 1); // pairs of TSC, of bus
    assert_non_null(strstr(result.com1.bytes, "  tsc: 3 claims agree within 0 ppb"));
    assert_non_null(strstr(result.com1.bytes, "  bus: 2 claims agree within 0 ppb"));

    // A leaf that is 100 ppm off: two pairs of three disagree.
    sim_cpuid_set(&config, 0x40000010, 2596390, 1000000, 0, 0);
    run(&config);
    record = find("compare", "a", "pvclock");
    assert_int_equal(number(record, "difference_ppb"), -100139);
    assert_false(record_is_true(&record, "agree"));
    assert_non_null(
        strstr(result.com1.bytes, "  tsc: pvclock is -100.139 ppm from leaf-0x40000010"));
    assert_non_null(
        strstr(result.com1.bytes, "  tsc: vmware-port is -100.139 ppm from leaf-0x40000010"));
    assert_null(strstr(result.com1.bytes, "vmware-port is -100.139 ppm from pvclock"));
    assert_null(strstr(result.com1.bytes, "  tsc: 3 claims agree"));
    assert_non_null(strstr(result.com1.bytes, "  bus: 2 claims agree"));
}

// A nominal claim that is off does not hide that the others agree, and takes one line.
static void test_a_nominal_claim_apart(void **state)
{
    (void)state;
    start("kvm-invtsc");
    set_brand("CPU @ 2.00GHz");
    run(&config);
    assert_non_null(strstr(result.com1.bytes, "  tsc: 3 claims agree within 0 ppb"));
    assert_non_null(
        strstr(result.com1.bytes,
               "  tsc: brand is -229622.554 ppm from leaf-0x40000010 and 2 more (nominal)"));
    // Where all are nominal they are compared all the same.
    start("bare-intel");
    set_brand("CPU @ 2.59GHz");
    run(&config);
    assert_non_null(
        strstr(result.com1.bytes, "  tsc: leaf-0x16 is +3086.420 ppm from leaf-0x15 (nominal)"));
    assert_null(strstr(result.com1.bytes, "claims agree"));
}

static void test_foreign_sources_are_one_line(void **state)
{
    (void)state;
    start("bare-amd");
    run(&config);
    assert_non_null(strstr(result.com1.bytes, "of other machines: generic-block pvclock"));
    assert_null(strstr(result.com1.bytes, "no KVM leaves")); // the record says it
    expect(claim("pvclock", "tsc"), "reason", "no KVM leaves");
}

// Every source says something on every machine.
static void test_every_source_on_every_machine(void **state)
{
    (void)state;
    static const char *const names[] = {
        "leaf-0x40000010", "generic-block", "pvclock",     "hyperv-msr", "hyperv-tsc-page",
        "xen-leaf",        "xen-time",      "vmware-port", "jailhouse",  "leaf-0x15",
        "leaf-0x16",       "msr-0xce",      "msr-fsb",     "amd-pstate", "transmeta",
        "brand",           "smbios",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_string_equal(claim_table[i]->name, names[i]);
    assert_null(claim_table[ARRAY_SIZE(names)]);
    for (size_t i = 0; i < sim_machine_count; i++) {
        start(sim_machines[i].name);
        config.com1.present = true;
        run(&config);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
            find("claim", "source", names[k]);
        assert_int_equal(result.left.pvclock, 0);
    }
}

// No write to an MSR where nothing announced it, even if all of them take writes.
static void test_nothing_is_written_unasked(void **state)
{
    (void)state;
    static const char *const machines[] = {"qemu-tcg", "vmware",     "bhyve",
                                           "bochs",    "bare-intel", "bare-amd"};

    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        start(machines[i]);
        config.paravirt.pvclock.present = config.paravirt.tsc_page.present = true;
        config.paravirt.tsc_page.before = 0x1234;
        run(&config);
        assert_int_equal(result.left.pvclock_writes, 0);
        assert_int_equal(result.left.reference_tsc, 0x1234);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pvclock),
        cmocka_unit_test(test_pvclock_absent),
        cmocka_unit_test(test_pvclock_behind_hyperv),
        cmocka_unit_test(test_hyperv_msr),
        cmocka_unit_test(test_hyperv_tsc_page),
        cmocka_unit_test(test_xen_leaf),
        cmocka_unit_test(test_xen_time),
        cmocka_unit_test(test_vmware),
        cmocka_unit_test(test_vmport_around_xen),
        cmocka_unit_test(test_vmware_not_asked),
        cmocka_unit_test(test_vmware_call),
        cmocka_unit_test(test_msr_0xce),
        cmocka_unit_test(test_msr_fsb),
        cmocka_unit_test(test_amd_pstate),
        cmocka_unit_test(test_brand),
        cmocka_unit_test(test_transmeta),
        cmocka_unit_test(test_leaf_16_bclk),
        cmocka_unit_test(test_jailhouse),
        cmocka_unit_test(test_smbios),
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_a_nominal_claim_apart),
        cmocka_unit_test(test_foreign_sources_are_one_line),
        cmocka_unit_test(test_every_source_on_every_machine),
        cmocka_unit_test(test_nothing_is_written_unasked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
