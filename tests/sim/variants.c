// Machines of the field that are kin to others: another program on the same hypervisor, another
// interface of the same program, another hypervisor below QEMU's devices. Where nothing is known of
// a machine's clocks (Apple's, QNX', Parallels'), it has those of a PC.
#include "tests/sim/variants.h"

#define TSC_KHZ (SIM_TSC_HZ / 1000)

// Hyper-V's leaves as another program shows them: page, frequency MSRs, and a reference counter
// that is the TSC, scaled.
static void show_hyperv(struct sim_config *config, uint32_t max_leaf, const char signature[12],
                        uint32_t bus_hz)
{
    sim_cpuid_sign(config, 0x40000000, max_leaf, signature);
    sim_cpuid_set(config, 0x40000001, 0x31237648, 0, 0, 0);
    sim_cpuid_set(config, 0x40000002, 0, 0, 0, 0); // zeros until the guest names itself
    sim_cpuid_set(config, 0x40000003, 0xa02, 0, 0, 1 << 8);
    sim_cpuid_set(config, 0x40000004, 0x20, 0xffffffff, 0, 0);
    sim_cpuid_set(config, 0x40000005, 0xffffffff, 0x40, 0, 0);
    sim_msr_set(config, 0x40000022, SIM_TSC_HZ);
    sim_msr_set(config, 0x40000023, bus_hz);
    config->paravirt.tsc_page =
        (struct sim_tsc_page){.present = true, .sequence = 1, .scale = 71054777972249277u};
    config->refcount = sim_clock_of(10000000, 1);
}

static void no_hpet(struct sim_config *config)
{
    config->hpet.clock = sim_no_clock();
    config->acpi.has_hpet = false;
}

static void no_pm_timer(struct sim_config *config)
{
    config->pm_timer.clock = sim_no_clock();
    config->acpi.pm1a_port = 0;
}

// --- Others on KVM

// Amazon's: a PIT that stands, the timing leaf.
struct sim_config nitro(void)
{
    struct sim_config config = sim_machine("kvm-invtsc");

    config.loader = "GRUB 2.06";
    config.pit.clock.fault = SIM_DEAD_ZEROS;
    no_hpet(&config);
    config.paravirt.backdoor.port = false;
    config.acpi.oem_id = "AMAZON";
    config.smbios = (struct sim_smbios){.present = true,
                                        .virtual_machine = true,
                                        .bios_vendor = "Amazon EC2",
                                        .manufacturer = "Amazon EC2",
                                        .product = "m5.large"};
    config.debug_exit = false;
    return config;
}

// A trust domain: KVM's bits for its clock are clear, and its LAPIC timer counts the crystal of
// 25 MHz that leaf 0x15 states, not KVM's usual 1 GHz.
struct sim_config tdx(void)
{
    struct sim_config config = sim_machine("kvm");

    sim_set_cpu(&config, sim_cpu_intel, 0x21);
    sim_cpuid_set(&config, 0x15, 1, 104, 25000000, 0);
    sim_cpuid_set(&config, 0x21, 0, 0x65746e49, 0x20202020, 0x5844546c);
    sim_cpuid_sign(&config, 0x40000000, 0x40000001, "KVMKVMKVM\0\0");
    sim_cpuid_set(&config, 0x40000001, 0x00007ac2, 0, 0, 0);
    config.tsc = sim_clock_of(2600000000u, 1);
    config.lapic.clock = sim_clock_of(25000000, 1);
    config.paravirt = (struct sim_paravirt){.backdoor = {.port = false}};
    config.pvclock = sim_no_clock();
    config.pit.clock = sim_no_clock();
    config.pit.has_port_61 = false;
    return config;
}

// With kvm_hyperv: no leaf of KVM's is left.
struct sim_config cloud_hypervisor_hyperv(void)
{
    struct sim_config config = sim_machine("cloud-hypervisor");

    sim_set_cpu(&config, sim_cpu_amd, 0xd);
    show_hyperv(&config, 0x4000000a, "Linux KVM Hv", 1000000000);
    config.paravirt.pvclock.present = false;
    config.pvclock = sim_no_clock();
    return config;
}

// An older one, with a signature of its own: no ACPI, KVM's PIT, a CMOS clock.
struct sim_config kvmtool(void)
{
    struct sim_config config = sim_machine("kvm");

    config.protocol = BOOT_LINUX64;
    config.loader = "";
    sim_cpuid_sign(&config, 0x40000000, 0x40000001, "LKVMLKVMLKVM");
    config.paravirt.backdoor.port = false;
    config.pit.out_2 = SIM_OUT_HIGH; // port 0x61 answers 0x20, whatever is asked
    no_hpet(&config);
    no_pm_timer(&config);
    config.acpi.present = false;
    config.screen = config.debug_exit = config.cf9_reset = false;
    return config;
}

// --- QEMU on other hypervisors, and NetBSD's and OpenBSD's

// No max leaf, KVM's interface behind its own, a leaf 0x15 that is made up; no ACPI.
struct sim_config openbsd_vmm(void)
{
    struct sim_config config = sim_machine("kvm");

    sim_set_cpu(&config, sim_cpu_intel, 0x16);
    sim_cpuid_set(&config, 0x15, 1, 100, SIM_TSC_HZ / 100, 0);
    sim_cpuid_sign(&config, 0x40000000, 0, "OpenBSDVMM58");
    sim_cpuid_set(&config, 0x40000001, 0x01000008, 0, 0, 0);
    sim_cpuid_sign(&config, 0x40000100, 0x40000101, "KVMKVMKVM\0\0");
    sim_cpuid_set(&config, 0x40000101, 0x01000008, 0, 0, 0);
    config.paravirt.backdoor.port = false;
    config.pvclock = sim_no_clock(); // the newer MSR only
    config.pit.clock = sim_clock_of(1193182, 1);
    config.lapic.clock = sim_no_clock();
    no_hpet(&config);
    no_pm_timer(&config);
    config.acpi.present = false;
    config.screen = config.debug_exit = config.cf9_reset = false;
    return config;
}

// QEMU's own devices below another hypervisor.
static struct sim_config qemu_on(void)
{
    struct sim_config config = sim_machine("qemu-tcg");

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    sim_set_latency(&config, sim_latency_kvm);
    config.cpuid.fallback = SIM_ZEROS;
    config.unknown_msrs_read_zero = false;
    config.fw_cfg.present = true;
    config.acpi.oem_id = "BOCHS ";
    config.smbios = (struct sim_smbios){.present = true,
                                        .bios_vendor = "SeaBIOS",
                                        .manufacturer = "QEMU",
                                        .product = "Standard PC"};
    return config;
}

// Windows: no signature, a timing leaf, the LAPIC timer of Hyper-V.
struct sim_config qemu_whpx(void)
{
    struct sim_config config = qemu_on();

    sim_cpuid_set(&config, 0x40000000, 0x40000010, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000010, TSC_KHZ, 200000, 0, 0);
    config.paravirt.backdoor = (struct sim_backdoor){
        .port = true, .gethz = true, .tsc_hz = TSC_KHZ * 1000ull, .bus_hz = 200000000};
    config.lapic.clock = sim_clock_of(200000000, 1);
    return config;
}

// macOS: no signature; the bus that the leaf states is the host's, and the LAPIC timer QEMU's.
struct sim_config qemu_hvf(void)
{
    struct sim_config config = qemu_on();

    sim_cpuid_set(&config, 0x40000000, 0x40000010, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000010, TSC_KHZ, 100000, 0, 0);
    return config;
}

struct sim_config haxm(void)
{
    struct sim_config config = qemu_on();

    sim_cpuid_sign(&config, 0x40000000, 0x40000000, "HAXMHAXMHAXM");
    return config;
}

// On Intel's CPUs it passes the host's leaves 0x15 and 0x16 through; the LAPIC timer is QEMU's.
struct sim_config nvmm(void)
{
    struct sim_config config = qemu_on();

    sim_set_cpu(&config, sim_cpu_intel, 0x16);
    sim_cpuid_set(&config, 0x15, 2, 216, 24000000, 0);
    sim_cpuid_set(&config, 0x16, 2600, 4800, 100, 0);
    sim_cpuid_sign(&config, 0x40000000, 0x40000000, "___ NVMM ___");
    config.tsc = sim_clock_of(2592000000u, 1);
    return config;
}

// --- Other interfaces of the same program

// Xen's own leaves move up by 0x100. It grants the frequency MSRs without announcing them.
struct sim_config xen_viridian(void)
{
    struct sim_config config = sim_machine("xen-hvm");

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    show_hyperv(&config, 0x40000006, "Microsoft Hv", 100000000);
    sim_cpuid_set(&config, 0x40000003, 0x0a76, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000004, 0, 0, 0, 0); // as leaf 2
    sim_cpuid_set(&config, 0x40000006, 0, 0, 0, 0);
    sim_cpuid_sign(&config, 0x40000100, 0x40000105, "XenVMMXenVMM");
    sim_cpuid_set(&config, 0x40000101, 0x40011, 0, 0, 0);
    sim_cpuid_set(&config, 0x40000102, 1, 0x40000200, 0, 0);
    sim_cpuid_set(&config, 0x40000103, 2, 0, TSC_KHZ, 1);
    sim_cpuid_set_subleaf(&config, 0x40000103, 1,
                          (struct cpuid_words){0, 0, 0xc53774d1, UINT32_MAX});
    sim_cpuid_set_subleaf(&config, 0x40000103, 2, (struct cpuid_words){TSC_KHZ, 0, 0, 0});
    sim_cpuid_set(&config, 0x40000104, 0xc, 0, 1, 0);
    sim_cpuid_set(&config, 0x40000105, 0, 0, 0, 0);
    return config;
}

struct sim_config virtualbox_hyperv(void)
{
    struct sim_config config = sim_machine("virtualbox");

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    show_hyperv(&config, 0x40000006, "VBoxVBoxVBox", 1000000000);
    sim_cpuid_set(&config, 0x40000006, 0, 0, 0, 0);
    config.refcount = sim_clock_of(SIM_TSC_HZ, SIM_TSC_HZ / 10000000); // whole ticks in 100 ns
    return config;
}

struct sim_config virtualbox_kvm(void)
{
    struct sim_config config = sim_machine("virtualbox");

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    sim_cpuid_sign(&config, 0x40000000, 0x40000001, "KVMKVMKVM\0\0");
    sim_cpuid_set(&config, 0x40000001, 0x01000089, 0, 0, 0);
    config.paravirt.pvclock =
        (struct sim_time_page){.present = true, .mul = 0xc53774d1, .shift = -1, .flags = 1};
    config.pvclock = sim_clock_of(1000000000, 1);
    config.pvclock_stable = true;
    return config;
}

// --- Of whose leaves little more than the signature is known

static struct sim_config pc(const char signature[12])
{
    struct sim_config config = sim_machine("vmware");

    sim_set_cpu(&config, sim_cpu_intel, 0xd);
    sim_cpuid_sign(&config, 0x40000000, 0x40000000, signature);
    config.cpuid.fallback = SIM_ZEROS;
    config.paravirt = (struct sim_paravirt){.backdoor = {.port = false}};
    config.acpi.oem_id = NULL;
    return config;
}

struct sim_config parallels(void)
{
    struct sim_config config = pc(" lrpepyh  vr");

    config.acpi.oem_id = "PRLS  ";
    return config;
}

// A second interface, for macOS, at the next base.
struct sim_config apple_vz(void)
{
    struct sim_config config = pc("Apple VZ\0\0\0");

    sim_cpuid_sign(&config, 0x40000100, 0x40000102, "apple-pv-xnu");
    sim_cpuid_set(&config, 0x40000101, 0x31234841, 0, 0, 0); // AH#1
    sim_cpuid_set(&config, 0x40000102, 0, 0, 1, 0);
    no_hpet(&config);
    return config;
}

struct sim_config qnx(void)
{
    struct sim_config config = pc("QNXQVMBSQG\0");

    no_hpet(&config);
    return config;
}

// It lies below a system that has all of the hardware; its max leaf is that of the basic leaves.
struct sim_config intel_kgt(void)
{
    struct sim_config config = sim_machine("bare-intel");

    config.cpuid.hypervisor_bit = true;
    sim_cpuid_sign(&config, 0x40000000, 0x16, "EVMMEVMMEVMM");
    config.com2.present = true;
    return config;
}
