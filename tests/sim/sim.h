// The simulated machine: kernel/ runs on the host against a model of a PC whose truth is known.
//
// A test describes a machine, runs the kernel on it, and looks at what came out:
//
//     static struct sim_result result;
//     struct sim_config config = sim_default();
//     config.options = "window=10ms";
//     config.pit.clock.error_ppb = 164200; // hyperkit's truncated tick
//     sim_run(&config, &result);
//     assert_int_equal(result.violation_count, 0);
//     ... result.com2.bytes holds the records, tests/sim/records.h reads them
//
// Time in the model is true time, in femtoseconds since power-on. Only the seam's functions take
// time; each takes the least latency of its kind, a random part on top, and now and then a
// preemption. The same configuration and seed give the same run, to the byte.
#pragma once

#include "kernel/boot_info.h"
#include "lib/cpuid.h"

// --- Clocks

// What a clock does at a moment of true time. Events are listed in the order of time.
enum sim_event_kind {
    SIM_STEP, // `amount` ticks are added, fewer than 0 taken away
    SIM_RATE, // from now on it runs at `amount` parts per billion of its true rate: 0 stands still,
              // 1050000000 is VirtualBox catching up
};

struct sim_event {
    uint64_t at_ns;
    enum sim_event_kind kind;
    int64_t amount;
};

enum sim_fault {
    SIM_SOUND,
    SIM_ABSENT,     // no such device: nothing decodes its addresses
    SIM_DEAD_ONES,  // the device is there, its count reads as all ones
    SIM_DEAD_ZEROS, // as all zeros
    SIM_STUCK,      // stands at start_ticks
    SIM_BACKWARDS,  // counts the wrong way
};

#define SIM_EVENTS_MAX 8

struct sim_clock {
    enum sim_fault fault;
    uint64_t hz_numerator, hz_denominator; // true rate, but for error_ppb; denominator below 10^14
    int64_t error_ppb;    // true rate = numerator / denominator * (1 + this / 10^9)
    uint64_t start_ticks; // count at power-on
    uint64_t quantum_ns;  // its own time base moves in steps of this (Bochs: 1000), 0: smoothly
    struct sim_event events[SIM_EVENTS_MAX];
    size_t event_count;
};

// --- Devices

enum sim_out { SIM_OUT_REAL, SIM_OUT_LOW, SIM_OUT_HIGH };
// What a count down in mode 0 does at its end.
enum sim_mode_0 {
    SIM_MODE_0_WRAPS,  // goes on at 0xffff: real hardware, KVM, QEMU
    SIM_MODE_0_CLAMPS, // stays at 0: crosvm
    SIM_MODE_0_STARTS, // starts again at the initial count: bhyve
};

// The counts begin when a channel is programmed. fault SIM_ABSENT: ports 0x40 to 0x43 read as 0xff.
struct sim_pit {
    struct sim_clock clock;
    bool has_port_61;   // false: 0x61 reads as 0xff (microvm)
    enum sim_out out_2; // what bit 5 of port 0x61 shows
    enum sim_mode_0 mode_0;
    bool zero_is_65535;   // an initial count of 0 is 65535, not 65536: bhyve
    bool gate_ignored;    // channel 2 counts whatever port 0x61 says: KVM, QEMU
    bool channel_2_stuck; // it stands at its initial count
    uint32_t
        channel_0_late_ns; // mean delay by which each period of channel 0 begins late (Xen, crosvm)
};

// fault SIM_ABSENT: its window decodes nothing.
struct sim_hpet {
    struct sim_clock clock;
    uint64_t address;
    uint32_t period_fs; // as the register states it, whatever the true rate
    uint16_t vendor;
    bool is_64_bit;
    bool enabled; // the counter runs already at power-on
    bool locked;  // the enable bit cannot be set
};

// fault SIM_ABSENT: the FADT names no port.
struct sim_pm_timer {
    struct sim_clock clock;
    uint16_t port;
    unsigned bits;  // that really count: 24 or 32
    bool claims_32; // the FADT's TMR_VAL_EXT
};

// The clock is the timer's input; start_ticks has no meaning. fault SIM_ABSENT: CPUID 1 EDX bit 9
// is clear and the MSR raises #GP. SIM_DEAD_*: every register reads so.
struct sim_lapic {
    struct sim_clock clock;
    uint64_t address;
    bool disabled;      // IA32_APIC_BASE bit 11 clear
    bool x2apic;        // CPUID 1 ECX bit 21
    bool x2apic_on;     // firmware left it in x2APIC mode
    bool x2apic_faults; // switching to it raises #GP
    bool no_interrupt;  // the timer's interrupt never comes
    bool halts;         // nor while the CPU is halted
    bool early;         // the TSC deadline is met too soon
    bool deadline_only; // the timer's mode bits stay at TSC-deadline: the current count reads 0
    uint32_t version;
};

// What the update-in-progress bit of the CMOS clock's register A shows.
enum sim_uip { SIM_UIP_REAL, SIM_UIP_NEVER, SIM_UIP_STUCK };

// The clock is the crystal, 32768 Hz; start_ticks / 32768 are the seconds since midnight. fault
// SIM_ABSENT: ports 0x70 and 0x71 decode nothing.
struct sim_rtc {
    struct sim_clock clock;
    bool binary, hours_12; // as register B says
    bool halted;           // register B's SET bit
    enum sim_uip uip;
    unsigned rate; // register A's rate selection: the flag ticks every 2^(rate - 1) ticks; 0: never
    bool flag_works;          // the periodic flag is set without its interrupt: hardware, Xen
    uint32_t flag_late_ticks; // it is set up to so many ticks late
};

struct sim_uart {
    bool present;
    bool dead;            // never ready to take a byte
    uint32_t byte_ns;     // time to send one; 0: at once, as emulators do
    uint32_t stops_after; // it takes this many bytes and no more; 0: any number
};

// A PCI serial card with one 16550; its state is sim_config.pci_serial.
struct sim_pci {
    bool present; // configuration mechanism #1, and a host bridge behind it
    bool card;
    bool bridged;      // the card is on bus 3, behind a bridge
    bool decoding_off; // the card's command register, at power-on
    bool memory_bar;   // its first BAR is in memory
    uint8_t interface; // programming interface of its class: 2 for a 16550
    uint16_t port;     // I/O BAR
    bool lies;         // every function of every bus is a bridge to anywhere
};

enum sim_debugcon {
    SIM_DEBUGCON_NONE,
    SIM_DEBUGCON_READABLE,   // reads as 0xe9: QEMU, Bochs
    SIM_DEBUGCON_WRITE_ONLY, // reads as 0xff: Xen
};

// --- Firmware and processor

// What is wrong with the ACPI tables.
enum sim_acpi_lie {
    SIM_ACPI_TRUE,
    SIM_ACPI_RSDP_CHECKSUM,
    SIM_ACPI_ROOT_CHECKSUM,
    SIM_ACPI_ROOT_NOWHERE,  // the RSDP points where no memory is
    SIM_ACPI_TABLE_NOWHERE, // the root table's first entry does
    SIM_ACPI_TABLE_HUGE,    // the FADT's length field says 4 GiB - 1
    SIM_ACPI_FADT_SHORT,    // a FADT of 64 bytes, checksum correct
    SIM_ACPI_DSDT_NOWHERE,
    SIM_ACPI_HPET_LOW, // the HPET table names an address in RAM
    SIM_ACPI_LIES,
};

struct sim_acpi {
    bool present;
    bool handed_over; // boot_info names the RSDP; else it must be searched for
    bool in_ebda;     // where: in the EBDA, or at 0xf5a40
    bool xsdt;        // ACPI 2 or later; else an RSDT only
    bool has_hpet;    // an HPET table (whether or not there is an HPET)
    bool has_madt;
    unsigned cpus;       // 1 to 16
    uint16_t pm1a_port;  // 0: none
    bool has_s5;         // \_S5 in the DSDT
    uint16_t reset_port; // 0: the FADT has no reset register
    uint8_t reset_value;
    // In device memory, with a FADT of reduced hardware (microvm). 0: none.
    uint64_t sleep_address, reset_address;
    const char *oem_id;     // of the RSDP and all tables, 6 characters; NULL: "SIMSIM"
    const char *hypervisor; // the FADT's Hypervisor Vendor Identity, NULL: a FADT too old for one
    bool has_waet;          // with PM timer good
    enum sim_acpi_lie lie;
};

#define SIM_SUBLEAF_ANY UINT32_MAX
#define SIM_CPUID_MAX   160
#define SIM_MSR_MAX     16

// What leaves that are not in the table give.
enum sim_fallback {
    SIM_ZEROS,
    // The highest basic leaf, except up to the max leaf of the 256-leaf block (KVM's rule, and
    // QEMU's).
    SIM_ECHO,
    SIM_CLAMP, // from 0x40000000 to 0x7fffffff the highest hypervisor leaf, else zeros: bhyve
    SIM_PASS_THROUGH, // sim_cpuid.pass_through
};

struct sim_cpuid {
    struct {
        uint32_t leaf, subleaf;
        struct cpuid_words words;
    } entries[SIM_CPUID_MAX];
    size_t count;
    // These and the LAPIC's bits are put over leaf 1.
    bool hypervisor_bit;
    enum sim_fallback fallback;
    struct cpuid_words pass_through;
    // From this moment on, if it is not 0, this leaf gives other words.
    uint64_t change_at_ns;
    uint32_t change_leaf;
    struct cpuid_words changed;
};

// --- What hypervisors offer their guests

// A clock page of KVM (by MSR) or Xen (by hypercall). Not present: the MSR raises #GP, the
// hypercall #UD.
struct sim_time_page {
    bool present;
    uint32_t mul;
    int8_t shift;
    uint8_t flags;
    bool old_only; // KVM: only MSR 0x12 is there
    bool silent;   // the host never writes to the page
    bool busy;     // it writes without end
};

// Hyper-V's reference TSC page; MSR 0x40000021 holds `before` at power-on.
struct sim_tsc_page {
    bool present;
    uint64_t before;
    uint32_t sequence;
    uint64_t scale;
};

// VMware's backdoor: port 0x5658, and the same by VMCALL and VMMCALL.
struct sim_backdoor {
    bool port, call;
    bool gethz; // else that command is not known: QEMU TCG
    uint64_t tsc_hz;
    uint32_t bus_hz;
};

// KVM's steal time, by MSR 0x4b564d03: of what delays take from the guest it claims so much.
struct sim_steal {
    bool present;
    uint32_t permille;
    bool silent; // the host never writes to the page
    bool busy;   // it writes without end
};

struct sim_paravirt {
    struct sim_steal steal;
    struct sim_time_page pvclock, xen;
    int32_t xen_result; // of the hypercall
    bool xen_console;   // this guest may write to Xen's console
    struct sim_tsc_page tsc_page;
    struct sim_backdoor backdoor;
};

// SMBIOS tables: version 2.8, types 0, 1, 4 and 11, in the BIOS ROM.
struct sim_smbios {
    bool present;
    bool virtual_machine;                                          // the bit of type 0
    const char *bios_vendor, *manufacturer, *product, *oem_string; // NULL: not given
    bool processor;                                                // there is a type 4,
    uint16_t external_mhz, max_mhz, current_mhz;                   // with these speeds; 0: unknown
    bool damaged;                                                  // a wrong checksum
};

enum sim_fw_cfg_lie {
    SIM_FW_CFG_TRUE,
    SIM_FW_CFG_OTHER,   // no signature
    SIM_FW_CFG_ENDLESS, // the directory states 2^32 - 1 files
    SIM_FW_CFG_HUGE,    // the file's size is 2^32 - 1
};

// Ports of hypervisors that switch the machine off.
enum sim_shutdown {
    SIM_SHUTDOWN_NONE,
    SIM_SHUTDOWN_BOCHS,            // "Shutdown" to port 0x8900
    SIM_SHUTDOWN_CLOUD_HYPERVISOR, // 0x34 to port 0x600
    SIM_SHUTDOWN_VIRTUALBOX,       // 0x3400 to port 0x4004
};

// QEMU's fw_cfg device, ports 0x510 and 0x511.
struct sim_fw_cfg {
    bool present;
    const char *options; // what the file opt/hypertick/options holds, NULL: there is none
    enum sim_fw_cfg_lie lie;
};

// What is wrong with UEFI's runtime services.
enum sim_efi {
    SIM_EFI_NONE, // not booted by UEFI
    SIM_EFI_SOUND,
    SIM_EFI_RETURNS,         // ResetSystem does nothing
    SIM_EFI_NO_SIGNATURE,    // of the system table
    SIM_EFI_RUNTIME_NOWHERE, // the system table points where no memory is
};
#define SIM_EFI_SYSTEM_TABLE 0x7800000ull
#define SIM_EFI_RESET_SYSTEM 0x7900000ull

// What becomes of a vCPU that is told to start.
enum sim_vcpu_manner {
    SIM_VCPU_RUNS,
    SIM_VCPU_NEVER,  // nothing
    SIM_VCPU_SECOND, // it takes the second SIPI only
    SIM_VCPU_LATE,   // nothing, until it gets INIT a second time
    SIM_VCPU_STALLS, // stands still at its 20th reading of the TSC
    SIM_VCPU_FAULTS, // #UD, before it does anything
    SIM_VCPU_HANGS,  // stands still at its 20th reading of the TSC, and any later one
};

#define SIM_VCPUS_MAX 16

// A vCPU besides CPU 0. All zeros: as CPU 0, with its number as its APIC id.
struct sim_vcpu {
    enum sim_vcpu_manner manner;
    uint32_t apic_id;     // 0: its number
    bool own_tsc;         // false: CPU 0's
    struct sim_clock tsc; // hz_numerator / hz_denominator etc. as for CPU 0's
    uint32_t odd_leaf;    // EAX of this CPUID leaf has its lowest bit inverted, 0: of none
    uint64_t tsc_adjust;  // IA32_TSC_ADJUST, where CPUID says that it exists
    bool own_pvclock;     // false: as CPU 0's, sim_paravirt.pvclock
    struct sim_time_page pvclock;
    int64_t pvclock_ahead_ns; // its system time is, of CPU 0's
    struct {
        uint32_t index; // 0: none
        uint64_t value;
    } msr; // that has another value, or one at all
};

// --- Time

// The kinds of access, each with its latency.
enum sim_access {
    SIM_TSC,
    SIM_PAUSE,
    SIM_CPUID,
    SIM_MSR,
    SIM_PORT, // any port that has no kind of its own
    SIM_PIT_LATCH,
    SIM_PM_TIMER,
    SIM_HPET,
    SIM_LAPIC, // memory-mapped or by MSR
    SIM_MMIO,  // any other device memory
    SIM_ACCESSES,
};

// The device acts, or samples, between `before` and `after`.
struct sim_latency {
    uint32_t before_ns, after_ns; // least
    uint32_t jitter_ns;           // mean of the exponential part that each of the two has on top
};

#define SIM_STALLS_MAX 4

struct sim_delays {
    uint32_t preemptions_per_s; // at random moments
    uint64_t preemption_min_ns, preemption_max_ns;
    struct {
        uint64_t at_ns, length_ns;
    } stalls[SIM_STALLS_MAX]; // in the order of time
    size_t stall_count;
};

// --- The machine

struct sim_config {
    uint64_t seed;

    const char *options; // the command line
    const char *loader;
    enum boot_protocol protocol;
    unsigned memory_mib;
    struct jailhouse_setup jailhouse; // as boot_info has it

    struct sim_clock tsc;
    uint64_t tsc_quantum; // readings are multiples of this, 0 as 1
    uint32_t nop_ns;      // what an instruction costs that does nothing
    // By how much slower the TSC counts while the CPU is halted, and while it computes: parts per
    // billion, 1000000000 is not at all.
    int64_t tsc_halt_ppb, tsc_load_ppb;
    bool rdtscp_faults;    // though CPUID offers it
    int64_t rdtscp_offset; // by which RDTSCP reads more than RDTSC
    struct sim_latency latency[SIM_ACCESSES];
    struct sim_delays delays;

    struct sim_pit pit;
    bool pic;              // the two 8259A
    bool pit_no_interrupt; // channel 0 is not wired to them
    struct sim_hpet hpet;
    struct sim_pm_timer pm_timer;
    struct sim_lapic lapic;
    struct sim_rtc rtc;
    struct sim_clock pvclock; // KVM's, in ns: behind the old MSR 0x12
    bool pvclock_stable;      // it is the master clock's, derived from the TSC
    // Xen's platform timer, in ns, and what becomes of system time: a pair every so often, 0 ns:
    // one only. Steered: with a multiplier of its own, and set to the platform timer where it lags.
    struct sim_clock xen_platform;
    uint64_t xen_pair_ns;
    bool xen_steered;
    struct sim_clock refcount; // Hyper-V's MSR 0x40000020; its access is SIM_MSR
    bool open_bus_zeros;       // what nothing decodes reads as zeros, not ones

    struct sim_paravirt paravirt;
    struct sim_cpuid cpuid;
    struct {
        uint32_t index;
        uint64_t value;
    } msrs[SIM_MSR_MAX]; // besides those of the TSC and the LAPIC
    size_t msr_count;
    bool unknown_msrs_read_zero; // QEMU TCG; else they raise #GP

    struct sim_acpi acpi;
    struct sim_smbios smbios;
    struct sim_fw_cfg fw_cfg;
    enum sim_efi efi;
    struct sim_vcpu vcpus[SIM_VCPUS_MAX]; // there are acpi.cpus of them; the first is not used
    struct sim_uart com1, com2, com3, com4, pci_serial;
    struct sim_pci pci;
    enum sim_debugcon debugcon;
    bool debugcon_402; // the same device at port 0x402, readable
    bool screen;       // VGA text memory at 0xb8000
    // What boot_info says; address 0: nothing. The memory behind it is of SIM_FRAMEBUFFER_MAX bytes
    // at most, and may be missing.
    struct framebuffer framebuffer;
    bool framebuffer_missing;

    bool debug_exit;     // QEMU's isa-debug-exit at port 0xf4
    bool keyboard_reset; // 0xfe to port 0x64
    bool cf9_reset;      // 6 to port 0xcf9
    enum sim_shutdown shutdown;

    uint64_t operations_max; // calls of the seam, then the run is SIM_HUNG
    uint64_t time_max_ns;    // true time, likewise
};

enum sim_exit {
    SIM_DEBUG_EXIT, // value: the byte written to port 0xf4
    SIM_S5,
    SIM_RESET,     // value: the port
    SIM_EFI_RESET, // value: ResetSystem's type
    SIM_SHUTDOWN,  // value: the port
    SIM_HALT,
    SIM_RETURNED, // the guest's function returned
    SIM_HUNG,
};

#define SIM_FRAMEBUFFER_MAX (4u << 20)

#define SIM_TEXT_MAX       (1u << 17)
#define SIM_VIOLATIONS_MAX 16

struct sim_text {
    char bytes[SIM_TEXT_MAX + 1]; // NUL-terminated
    size_t length;                // may exceed SIM_TEXT_MAX; the rest was dropped
};

struct sim_violation {
    const char *what;
    uint64_t address, value;
    uint64_t at_ns;
};

struct sim_result {
    enum sim_exit exit;
    uint32_t value;
    uint64_t time_ns;    // true time when it left
    uint64_t operations; // calls of the seam
    uint64_t last_bracket_ns;
    // debugcon: from whichever port; xen_console: by hypercall
    struct sim_text com1, com2, com3, com4, pci_serial, debugcon, xen_console;
    char screen[25 * 81 + 1]; // 25 lines, trailing spaces dropped
    struct sim_violation violations[SIM_VIOLATIONS_MAX];
    size_t violation_count; // may exceed SIM_VIOLATIONS_MAX
    struct {
        uint64_t pvclock; // last value written to MSR 0x4b564d01 or 0x12,
        unsigned pvclock_writes;
        uint64_t reference_tsc; // and that of MSR 0x40000021
        uint64_t steal;         // and that of MSR 0x4b564d03
    } left;
};

// --- Describing a machine

#define SIM_TSC_HZ           2596130000u
#define SIM_PIT_NOMINAL      105000000, 88 // 1193181.8181... Hz
#define SIM_PM_TIMER_NOMINAL 315000000, 88 // 3579545.4545... Hz

// A QEMU PC whose clocks are all true: TSC 2596.130 MHz, PIT, HPET, PM timer, LAPIC at 1 GHz, ACPI,
// two UARTs, screen, exit port; QEMU TCG's CPUID, no claim.
struct sim_config sim_default(void);

// A sound clock of this rate, and one that is not there.
struct sim_clock sim_clock_of(uint64_t hz_numerator, uint64_t hz_denominator);
struct sim_clock sim_no_clock(void);

// Typical latencies: an emulator, KVM with the HPET and the PM timer in a user process, hardware.
extern const struct sim_latency sim_latency_tcg[SIM_ACCESSES], sim_latency_kvm[SIM_ACCESSES],
    sim_latency_bare[SIM_ACCESSES];
void sim_set_latency(struct sim_config *config, const struct sim_latency latency[SIM_ACCESSES]);

// Forgets all CPUID leaves and sets the basic and extended ones of such a CPU.
extern const char sim_cpu_amd[12], sim_cpu_intel[12];
void sim_set_cpu(struct sim_config *config, const char vendor[12], uint32_t max_basic);

// Adds a CPUID leaf for all sub-leaves, or replaces it.
void sim_cpuid_set(struct sim_config *config, uint32_t leaf, uint32_t eax, uint32_t ebx,
                   uint32_t ecx, uint32_t edx);
// Makes a sub-leaf of a leaf that is there; the leaf's own entry then is sub-leaf 0.
void sim_cpuid_set_subleaf(struct sim_config *config, uint32_t leaf, uint32_t subleaf,
                           struct cpuid_words words);
// Sets an MSR's value.
void sim_msr_set(struct sim_config *config, uint32_t index, uint64_t value);
// Adds a signature leaf: EAX is the max leaf, the other three hold twelve bytes.
void sim_cpuid_sign(struct sim_config *config, uint32_t leaf, uint32_t eax,
                    const char signature[12]);

// The machines of the field, by name: "qemu-tcg", "kvm-invtsc", "hyper-v-gen2", ... Their clocks
// run at the rates that their implementations really have (facts in docs/clocks.md).
struct sim_machine {
    const char *name;
    struct sim_config (*config)(void);
};
extern const struct sim_machine sim_machines[];
extern const size_t sim_machine_count;
// The machine of this name; ends the program if there is none.
struct sim_config sim_machine(const char *name);

// --- Running

// Builds the machine and calls `guest` on it; returns when the guest leaves the machine, returns,
// or has used up its bounds.
void sim_run_guest(const struct sim_config *config, void (*guest)(const struct boot_info *boot),
                   struct sim_result *result);

// The same with the kernel as the guest.
static inline void sim_run(const struct sim_config *config, struct sim_result *result)
{
    sim_run_guest(config, kernel_main, result);
}

// The next number of a sequence: splitmix64, for tests that make machines from a seed.
uint64_t sim_random(uint64_t *state);
uint64_t sim_random_range(uint64_t *state, uint64_t least, uint64_t most);

// The framebuffer's memory as the last run left it.
extern uint8_t sim_framebuffer[SIM_FRAMEBUFFER_MAX];

// Writes the violations of a run to stderr.
void sim_print_violations(const struct sim_result *result);
