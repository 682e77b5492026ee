// The machines of the field. What their clocks really do is from the sources that docs/clocks.md
// names; latencies are typical ones.
#include "tests/sim/variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim_config qemu_tcg(void)
{
    struct sim_config config = sim_default();

    config.pit.clock = sim_clock_of(1193182, 1);
    config.pm_timer.clock = sim_clock_of(3579545, 1);
    config.paravirt.backdoor.port = true; // QEMU's vmport, which knows no rate under TCG
    return config;
}

static struct sim_config microvm(void)
{
    struct sim_config config = qemu_tcg();

    config.protocol = BOOT_PVH;
    config.pit.clock = sim_no_clock();
    config.pit.has_port_61 = false;
    config.hpet.clock = sim_no_clock();
    config.pm_timer.clock = sim_no_clock();
    config.acpi.has_hpet = false;
    config.acpi.pm1a_port = config.acpi.reset_port = 0;
    config.acpi.handed_over = true;
    config.paravirt.backdoor.port = false;
    config.com2.present = config.screen = config.keyboard_reset = config.cf9_reset = false;
    return config;
}

// QEMU with KVM and -cpu EPYC: no timing leaf without invtsc.
static struct sim_config kvm(void)
{
    struct sim_config config = qemu_tcg();

    sim_set_cpu(&config, sim_cpu_amd, 0xd);
    sim_set_latency(&config, sim_latency_kvm);
    config.cpuid.fallback = SIM_ZEROS;
    config.unknown_msrs_read_zero = false;
    sim_cpuid_sign(&config, 0x40000000, 0x40000001, "KVMKVMKVM\0\0");
    sim_cpuid_set(&config, 0x40000001, 0x01007efb, 0, 0, 0);
    config.pvclock = sim_clock_of(1000000000, 1);
    config.pit.clock = sim_clock_of(1193181, 1); // KVM_PIT_FREQ
    config.lapic.x2apic = true;
    // As measured: docs/claims.md.
    config.paravirt.pvclock =
        (struct sim_time_page){.present = true, .mul = 0xc53774d1, .shift = -1, .flags = 1};
    config.paravirt.backdoor.gethz = true;
    config.paravirt.backdoor.tsc_hz = SIM_TSC_HZ;
    config.paravirt.backdoor.bus_hz = 1000000000;
    return config;
}

static struct sim_config kvm_invtsc(void)
{
    struct sim_config config = kvm();

    sim_cpuid_sign(&config, 0x40000000, 0x40000010, "KVMKVMKVM\0\0");
    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 1000000, 0, 0);
    config.tsc.error_ppb = 53; // what the host's own calibration left over
    return config;
}

// KVM's leaves behind Hyper-V's.
static struct sim_config kvm_hyperv(void)
{
    struct sim_config config = kvm();

    sim_cpuid_sign(&config, 0x40000000, 0x40000005, "Microsoft Hv");
    sim_cpuid_set(&config, 0x40000001, 0x31237648, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000002, 0x3839, 0xa0000, 0, 0);
    sim_cpuid_set(&config, 0x40000003, 0x262, 0, 0, 8);
    sim_cpuid_set(&config, 0x40000004, 0x20, 0xffffffff, 0, 0);
    sim_cpuid_set(&config, 0x40000005, 0xffffffff, 0x40, 0, 0);
    sim_cpuid_sign(&config, 0x40000100, 0x40000101, "KVMKVMKVM\0\0");
    sim_cpuid_set(&config, 0x40000101, 0x01007efb, 0, 0, 0);
    config.paravirt.tsc_page =
        (struct sim_tsc_page){.present = true, .sequence = 1, .scale = 71054777972249277u};
    return config;
}

static struct sim_config firecracker(void)
{
    struct sim_config config = kvm();

    config.protocol = BOOT_PVH;
    config.loader = "";
    config.hpet.clock = sim_no_clock();
    config.pm_timer.clock = sim_no_clock();
    config.pit.out_2 = SIM_OUT_HIGH;
    config.acpi.has_hpet = false;
    config.acpi.pm1a_port = config.acpi.reset_port = 0;
    config.acpi.xsdt = true;
    config.paravirt.backdoor.port = false;
    config.rtc.clock = sim_no_clock();
    config.com2.present = config.screen = config.debug_exit = config.cf9_reset = false;
    config.acpi.oem_id = "FIRECK";
    config.acpi.hypervisor = "FIRECKVM";
    return config;
}

static struct sim_config cloud_hypervisor(void)
{
    struct sim_config config = kvm_invtsc();

    config.protocol = BOOT_PVH;
    config.loader = "";
    config.pit.clock = sim_no_clock();
    config.pit.out_2 = SIM_OUT_HIGH; // port 0x61 answers 0x20, whatever is asked
    config.hpet.clock = sim_no_clock();
    config.acpi.has_hpet = false;
    config.paravirt.backdoor.port = false;
    config.acpi.xsdt = config.acpi.handed_over = true;
    config.pm_timer.bits = 32;
    config.pm_timer.claims_32 = true;
    config.com2.present = config.screen = config.debug_exit = config.cf9_reset = false;
    config.acpi.oem_id = "CLOUDH";
    config.acpi.hypervisor = "CLOUDHYP";
    return config;
}

static struct sim_config xen_hvm(void)
{
    struct sim_config config = kvm();

    config.loader = "GRUB 2.06";
    sim_cpuid_sign(&config, 0x40000000, 0x40000005, "XenVMMXenVMM");
    sim_cpuid_set(&config, 0x40000001, 0x40011, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000002, 1, 0x40000000, 0, 0);
    sim_cpuid_set(&config, 0x40000003, 2, 0, SIM_TSC_HZ / 1000, 1);
    sim_cpuid_set_subleaf(&config, 0x40000003, 1,
                          (struct cpuid_words){0, 0, 0xc53774d1, UINT32_MAX});
    sim_cpuid_set_subleaf(&config, 0x40000003, 2, (struct cpuid_words){SIM_TSC_HZ / 1000, 0, 0, 0});
    config.paravirt =
        (struct sim_paravirt){.xen = {.present = true, .mul = 0xc53774d1, .shift = -1}};
    sim_cpuid_set(&config, 0x40000004, 0xc, 0, 1, 0);
    sim_cpuid_set(&config, 0x40000005, 0, 0, 0, 0);
    config.pit.clock = sim_clock_of(1193182, 1);
    config.pit.gate_ignored = false;
    config.pit.channel_0_late_ns = 20000;
    config.hpet.clock = sim_clock_of(62500000, 1);
    config.hpet.period_fs = 16000000;
    config.pm_timer.bits = 32;
    config.pm_timer.claims_32 = true;
    config.lapic.clock = sim_clock_of(100000000, 1);
    config.rtc.flag_works = true;
    config.debugcon = SIM_DEBUGCON_WRITE_ONLY;
    config.debug_exit = false;
    config.acpi.oem_id = "Xen\0\0";
    return config;
}

static struct sim_config xen_pvh(void)
{
    struct sim_config config = xen_hvm();

    config.protocol = BOOT_PVH;
    config.loader = "";
    config.pit.clock = sim_no_clock();
    config.pit.has_port_61 = false;
    config.hpet.clock = sim_no_clock();
    config.pm_timer.clock = sim_no_clock();
    config.acpi.has_hpet = false;
    config.acpi.pm1a_port = config.acpi.reset_port = 0;
    config.acpi.handed_over = config.acpi.xsdt = true;
    config.rtc.clock = sim_no_clock();
    config.com1.present = config.com2.present = config.screen = false;
    config.keyboard_reset = config.cf9_reset = false;
    return config;
}

static struct sim_config vmware(void)
{
    struct sim_config config = kvm();

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    config.loader = "GRUB 2.06";
    sim_cpuid_sign(&config, 0x40000000, 0x40000010, "VMwareVMware");
    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 66000, 0, 0);
    config.paravirt = (struct sim_paravirt){
        .backdoor = {.port = true, .gethz = true, .tsc_hz = SIM_TSC_HZ, .bus_hz = 66000000}};
    config.pit.clock = sim_clock_of(SIM_PIT_NOMINAL);
    config.hpet.clock = sim_clock_of(1000000000000000u, 69841279);
    config.hpet.period_fs = 69841279;
    config.pm_timer.clock = sim_clock_of(SIM_PM_TIMER_NOMINAL);
    config.pm_timer.port = 0x1008;
    config.acpi.pm1a_port = 0x1004;
    config.lapic.clock = sim_clock_of(66000000, 1);
    config.debug_exit = false;
    config.acpi.oem_id = "PTLTD ";
    return config;
}

// The "Minimal" interface: no signature, but a timing leaf.
static struct sim_config virtualbox(void)
{
    struct sim_config config = vmware();

    config.paravirt = (struct sim_paravirt){.backdoor = {.port = false}};
    sim_cpuid_set(&config, 0x40000000, 0x40000010, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 1000000, 0, 0);
    config.pit.clock = sim_clock_of(1193182, 1);
    config.hpet.clock = sim_clock_of(100000000, 1);
    config.hpet.period_fs = 10000000;
    config.pm_timer.clock = sim_clock_of(3579545, 1);
    config.pm_timer.port = 0x4008;
    config.acpi.pm1a_port = 0x4004;
    config.lapic.clock = sim_clock_of(1000000000, 1);
    config.acpi.oem_id = "VBOX  ";
    return config;
}

static struct sim_config hyper_v_gen1(void)
{
    struct sim_config config = kvm_hyperv();

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    config.loader = "GRUB 2.06";
    sim_cpuid_sign(&config, 0x40000000, 0x4000000b, "Microsoft Hv");
    sim_cpuid_set(&config, 0x40000001, 0x31237648, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000003, 0x2e7f, 0, 0, 0x1bed7b2);
    config.paravirt.pvclock.present = config.paravirt.backdoor.port = false;
    sim_msr_set(&config, 0x40000022, SIM_TSC_HZ);
    sim_msr_set(&config, 0x40000023, 200000000);
    config.pit.clock = sim_clock_of(SIM_PIT_NOMINAL);
    config.pit.out_2 = SIM_OUT_LOW;
    config.hpet.clock = sim_no_clock();
    config.acpi.has_hpet = false;
    config.pm_timer.clock = sim_clock_of(SIM_PM_TIMER_NOMINAL);
    config.pm_timer.port = 0x408;
    config.acpi.pm1a_port = 0x404;
    config.lapic.clock = sim_clock_of(200000000, 1);
    config.refcount = sim_clock_of(10000000, 1);
    config.debug_exit = false;
    config.acpi.oem_id = "VRTUAL";
    return config;
}

// No clock of a known rate but the MSRs.
static struct sim_config hyper_v_gen2(void)
{
    struct sim_config config = hyper_v_gen1();

    config.pit.clock = sim_no_clock();
    config.pit.has_port_61 = false;
    config.pm_timer.clock = sim_no_clock();
    config.acpi.xsdt = config.acpi.handed_over = true;
    config.acpi.pm1a_port = 0;
    config.screen = config.keyboard_reset = false;
    return config;
}

static struct sim_config bhyve(void)
{
    struct sim_config config = kvm();

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    config.loader = "GRUB 2.06";
    config.cpuid.fallback = SIM_CLAMP;
    sim_cpuid_sign(&config, 0x40000000, 0x40000000, "bhyve bhyve ");
    config.paravirt = (struct sim_paravirt){.backdoor = {.port = false}};
    config.pit.clock = sim_clock_of(1193182, 1);
    config.pit.mode_0 = SIM_MODE_0_STARTS;
    config.pit.zero_is_65535 = true;
    config.hpet.clock = sim_clock_of(1u << 24, 1);
    config.hpet.period_fs = 59604644; // 10^15 / 2^24, truncated
    config.hpet.is_64_bit = false;
    config.pm_timer.clock = sim_clock_of(1ull << 32, 1199); // a tick of 2^32 / 3579545, truncated
    config.pm_timer.port = 0x408;
    config.pm_timer.bits = 32;
    config.pm_timer.claims_32 = true;
    config.acpi.pm1a_port = 0x404;
    config.lapic.clock = sim_clock_of(1u << 27, 1);
    config.debug_exit = false;
    config.acpi.oem_id = "BHYVE ";
    return config;
}

// No HPET; a PIT whose channel 0 is based anew with each wake-up, and whose mode 0 ends at 0.
static struct sim_config crosvm(void)
{
    struct sim_config config = firecracker();

    config.protocol = BOOT_LINUX64;
    config.pit.clock = sim_clock_of(1193182, 1);
    config.pit.mode_0 = SIM_MODE_0_CLAMPS;
    config.pit.gate_ignored = false;
    config.pit.channel_0_late_ns = 20000;
    config.pit.out_2 = SIM_OUT_REAL;
    config.pm_timer.clock = sim_clock_of(3579545, 1);
    config.acpi.pm1a_port = 0x604;
    config.acpi.hypervisor = "CROSVM\0\0";
    config.rtc.clock = sim_clock_of(32768, 1);
    config.acpi.oem_id = "CROSVM";
    return config;
}

// Its timing leaf does not state the bus; unknown leaves are the host's.
static struct sim_config acrn(void)
{
    struct sim_config config = kvm();

    sim_set_cpu(&config, sim_cpu_intel, 0x16);
    config.loader = "GRUB 2.06";
    config.cpuid.fallback = SIM_PASS_THROUGH;
    config.cpuid.pass_through = (struct cpuid_words){0x7, 0x340, 0x340, 0};
    sim_cpuid_sign(&config, 0x40000000, 0x40000010, "ACRNACRNACRN");
    for (uint32_t leaf = 0x40000001; leaf < 0x40000010; leaf++)
        sim_cpuid_set(&config, leaf, 0, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000010, SIM_TSC_HZ / 1000, 0, 0, 0);
    sim_cpuid_set(&config, 0x15, 0, 0, 0, 0);
    sim_cpuid_set(&config, 0x16, SIM_TSC_HZ / 1000000, 3900, 100, 0);
    config.paravirt = (struct sim_paravirt){.backdoor = {.port = false}};
    config.hpet.clock = sim_no_clock();
    config.acpi.has_hpet = false;
    config.pit.clock = sim_clock_of(SIM_PIT_NOMINAL);
    config.lapic.clock = sim_clock_of(24000000, 1);
    config.pvclock = sim_no_clock();
    config.debug_exit = false;
    config.acpi.oem_id = "ACRN  ";
    return config;
}

// A cell: hardware's clocks as far as they are its own, the PM timer alone; its rates come with
// Linux's setup data.
static struct sim_config jailhouse(void)
{
    struct sim_config config = acrn();

    config.protocol = BOOT_LINUX64;
    sim_cpuid_sign(&config, 0x40000000, 0x40000001, "Jailhouse\0\0");
    sim_cpuid_set(&config, 0x40000010, 7, 0x340, 0x340, 0);
    config.jailhouse = (struct jailhouse_setup){true, SIM_TSC_HZ / 1000, 24000};
    config.pit.clock = sim_no_clock();
    config.pm_timer.clock = sim_clock_of(SIM_PM_TIMER_NOMINAL);
    config.rtc.clock = sim_no_clock();
    config.com2.present = config.screen = config.keyboard_reset = config.cf9_reset = false;
    config.acpi.oem_id = NULL;
    return config;
}

// Bochs with the CPUID of a Skylake: leaves 0x15 and 0x16 state 3.5 GHz, the TSC counts
// instructions.
static struct sim_config bochs(void)
{
    struct sim_config config = qemu_tcg();

    sim_set_cpu(&config, sim_cpu_intel, 0x16);
    sim_cpuid_set(&config, 0x15, 2, 292, 24000000, 0);
    sim_cpuid_set(&config, 0x16, 3500, 3500, 100, 0);
    config.cpuid.hypervisor_bit = false;
    config.unknown_msrs_read_zero = config.paravirt.backdoor.port = false;
    config.loader = "GRUB 2.06";
    config.tsc = sim_clock_of(50000000, 1);
    config.pit.clock = sim_clock_of(1193181, 1);
    config.pm_timer.clock.quantum_ns = 1000;
    config.debugcon = SIM_DEBUGCON_READABLE;
    config.debug_exit = false;
    return config;
}

static struct sim_config bare_intel(void)
{
    struct sim_config config = sim_default();

    sim_set_cpu(&config, sim_cpu_intel, 0x16);
    sim_set_latency(&config, sim_latency_bare);
    sim_cpuid_set(&config, 0x15, 2, 216, 24000000, 0);
    sim_cpuid_set(&config, 0x16, 2600, 4800, 100, 0);
    config.cpuid.hypervisor_bit = config.unknown_msrs_read_zero = false;
    config.loader = "GRUB 2.06";
    config.tsc = sim_clock_of(2592000000u, 1);
    config.tsc.error_ppb = 2100; // the crystal's
    config.hpet.clock = sim_clock_of(24000000, 1);
    config.hpet.clock.error_ppb = 2100;
    config.hpet.period_fs = 41666667;
    config.pit.clock.error_ppb = config.pm_timer.clock.error_ppb = 2100;
    config.pit.gate_ignored = false;
    config.pm_timer.port = 0x1808;
    config.acpi.pm1a_port = 0x1804;
    config.acpi.xsdt = true;
    config.acpi.cpus = 12;
    config.lapic.clock = config.hpet.clock;
    config.rtc.flag_works = true;
    config.rtc.clock.error_ppb = -18300; // another crystal
    config.lapic.x2apic = true;
    config.com2.present = config.debug_exit = false;
    return config;
}

static struct sim_config bare_amd(void)
{
    struct sim_config config = bare_intel();

    sim_set_cpu(&config, sim_cpu_amd, 0x10);
    config.cpuid.fallback = SIM_ZEROS;
    config.tsc = sim_clock_of(3400000000u, 1);
    config.hpet.clock = sim_clock_of(14318180, 1);
    config.hpet.period_fs = 69841279;
    config.hpet.vendor = 0x1022;
    config.hpet.is_64_bit = false;
    config.pit.clock = sim_clock_of(SIM_PIT_NOMINAL);
    config.pm_timer.clock = sim_clock_of(SIM_PM_TIMER_NOMINAL);
    config.pm_timer.port = 0x808;
    config.pm_timer.bits = 32;
    config.pm_timer.claims_32 = true;
    config.acpi.pm1a_port = 0x804;
    config.lapic.clock = sim_clock_of(100000000, 1);
    return config;
}

const struct sim_machine sim_machines[] = {
    {"qemu-tcg", qemu_tcg},
    {"microvm", microvm},
    {"kvm", kvm},
    {"kvm-invtsc", kvm_invtsc},
    {"kvm-hyper-v", kvm_hyperv},
    {"firecracker", firecracker},
    {"cloud-hypervisor", cloud_hypervisor},
    {"xen-hvm", xen_hvm},
    {"xen-pvh", xen_pvh},
    {"vmware", vmware},
    {"virtualbox", virtualbox},
    {"hyper-v-gen1", hyper_v_gen1},
    {"hyper-v-gen2", hyper_v_gen2},
    {"bhyve", bhyve},
    {"crosvm", crosvm},
    {"acrn", acrn},
    {"jailhouse", jailhouse},
    {"nitro", nitro},
    {"tdx", tdx},
    {"cloud-hypervisor-hyper-v", cloud_hypervisor_hyperv},
    {"kvmtool", kvmtool},
    {"openbsd-vmm", openbsd_vmm},
    {"qemu-whpx", qemu_whpx},
    {"qemu-hvf", qemu_hvf},
    {"haxm", haxm},
    {"nvmm", nvmm},
    {"xen-viridian", xen_viridian},
    {"virtualbox-hyper-v", virtualbox_hyperv},
    {"virtualbox-kvm", virtualbox_kvm},
    {"parallels", parallels},
    {"apple-vz", apple_vz},
    {"qnx", qnx},
    {"intel-kgt", intel_kgt},
    {"bochs", bochs},
    {"bare-intel", bare_intel},
    {"bare-amd", bare_amd},
};
const size_t sim_machine_count = ARRAY_SIZE(sim_machines);

struct sim_config sim_machine(const char *name)
{
    for (size_t i = 0; i < sim_machine_count; i++)
        if (!strcmp(sim_machines[i].name, name))
            return sim_machines[i].config();
    fprintf(stderr, "no simulated machine is called %s\n", name);
    abort();
}
