// The inside of the simulated machine: its state, and what its devices offer each other.
#pragma once

#include <setjmp.h>

#include "lib/pvclock.h"
#include "tests/sim/machine.h"
#include "tests/sim/oscillator.h"
#include "tests/sim/sim.h"

#define FS_PER_NS 1000000u

struct pit_channel {
    uint8_t access, mode; // access 1: low byte, 2: high byte, 3: low then high
    uint32_t initial;     // 1 to 65536; 0: not programmed
    uint16_t loading;     // low byte of an initial count that is being written
    bool high_next_write, high_next_read;
    bool counting;   // else it stands at `held`
    uint128 started; // phase at which it stood at `initial`
    uint128 held;    // phase since `started` when it was stopped
    bool count_latched, status_latched;
    uint16_t latch;
    uint8_t status;
};

struct uart {
    const struct sim_uart *config;
    struct sim_text *text;
    uint8_t interrupts, fifo, line, modem, scratch;
    uint16_t divisor;
    uint64_t empty_fs; // when the last byte will have left
    uint32_t taken, stuck;
    uint8_t loop_data;
    bool loop_ready;
};

struct memory_block {
    uint64_t address, length;
    uint8_t *bytes;
    bool allocated;
};

#define MEMORY_BLOCKS_MAX 12
#define SCREEN_CELLS      (80 * 25)

struct model {
    const struct sim_config *config;
    struct sim_result *result;
    jmp_buf leave;

    uint64_t now_fs, end_fs;
    uint64_t random;
    uint64_t preemption_fs; // next one
    size_t stall;           // next one
    uint64_t interruption_fs;

    struct oscillator tsc, pit_clock, hpet_clock, pm_clock, lapic_clock, rtc_clock, refcount_clock,
        pvclock, xen_platform;
    struct pvclock_time *xen_time; // the guest's page, NULL: not mapped
    uint64_t xen_next_fs;
    struct pit_channel channels[3];
    uint128 hpet_phase; // to be added to its clock's phase while it counts, else the count
    uint128 lapic_started;
    uint64_t apic_base;
    uint32_t lapic_spurious, lapic_lvt_timer, lapic_divide, lapic_initial, lapic_command_high;

    struct memory_block memory[MEMORY_BLOCKS_MAX];
    size_t memory_count;
    uint64_t rsdp;

    struct uart com1, com2, com3, com4, pci_serial;
    uint32_t pci_address;
    uint16_t pci_command; // of the serial card
    uint16_t cells[SCREEN_CELLS];
    uint8_t crtc_index, crtc_cursor[2];
    uint8_t port_61;
    uint8_t rtc_index;
    bool pvclock_written;
    uint64_t rtc_periods; // of the periodic flag, up to its last reading
    uint128 tsc_lost;     // phase by which it is behind its oscillator
    struct {
        uint8_t mask, words; // words: how many of the four ICWs have come
        bool in_service;
    } pics[2];
    uint64_t pit_delivered, lapic_delivered; // periods of which the interrupt was delivered
    uint64_t deadline;
    bool lapic_in_service, halted;
    bool hpet_counting;
    uint16_t fw_cfg_key;
    uint32_t fw_cfg_at;
    unsigned shutdown_at; // characters of the word that have come
};

extern struct model sim;

// vcpus.c: the vCPUs besides CPU 0.
void vcpus_reset(void);
// Lets another vCPU run if its time is earlier. Called whenever time has passed.
void vcpus_yield(void);
// The number of the vCPU that runs: 0 is CPU 0.
unsigned vcpus_current(void);
uint32_t vcpus_apic_id(unsigned number);
struct oscillator *vcpus_tsc(void);
// The vCPU that runs, which is not CPU 0, never goes on.
_Noreturn void vcpus_stop(void);
// The run ends: goes on as CPU 0, on its stack.
void vcpus_leave(enum sim_exit exit, uint32_t value);
// A command comes out of CPU 0's APIC.
void vcpus_command(uint32_t apic_id, uint32_t command);
// What the kernel keeps for the current vCPU's stack, not CPU 0's: two pages, the lower one a
// guard.
uint8_t *vcpus_stack(void);
// exceptions.c: #UD on the current vCPU.
void exception_on_vcpu(void);
// exceptions.c: an interrupt of any vector.
void exception_interrupt(void);

// sim.c: time and the run.

// Counts a call of the seam; ends a run that has used up its bounds.
void sim_operation(void);
// Lets time pass before, or after, the instant at which an access takes effect.
void sim_before(enum sim_access access);
void sim_after(enum sim_access access);
void sim_pass_ns(uint32_t ns);
uint64_t sim_exponential(uint64_t mean);
void sim_violation(const char *what, uint64_t address, uint64_t value);
_Noreturn void sim_leave(enum sim_exit exit, uint32_t value);
uint64_t sim_tsc(void);
void sim_text_add(struct sim_text *text, uint8_t byte);
// All ones, or all zeros, as this machine has it.
uint32_t sim_open_bus(void);

// What a device that is not there may still be asked, since asking is how it is found.
enum sim_space { SPACE_PORT, SPACE_MMIO };
// policy.c: records a violation unless a rule allows the access.
void policy_check(enum sim_space space, uint64_t address, bool write, uint64_t value);

// The devices. `size` is 1, 2 or 4 bytes.
void pit_reset(void);
uint8_t pit_read(uint16_t port);
void pit_write(uint16_t port, uint8_t value);
void rtc_reset(void);
uint8_t rtc_read(void); // the byte that the index names
void uart_reset(struct uart *uart, const struct sim_uart *config, struct sim_text *text);
uint8_t uart_read(struct uart *uart, uint16_t port);
void uart_write(struct uart *uart, uint16_t port, uint8_t value);
void pci_reset(void);
bool pci_decodes(uint16_t port);
uint32_t pci_config_read(uint16_t port);
void pci_config_write(uint16_t port, uint32_t value);
void hpet_reset(void);
uint32_t hpet_read(uint32_t offset);
void hpet_write(uint32_t offset, uint32_t value);
// interrupts.c
void interrupts_reset(void);
uint32_t pic_read(uint16_t port);
void pic_write(uint16_t port, uint32_t value);
// lapic.c: is its timer's interrupt pending? It is taken when the CPU lets it in.
bool lapic_pending(void);
void lapic_take(void);
void lapic_reset(void);
bool lapic_is_x2apic(void);
uint32_t lapic_read(uint32_t offset);
void lapic_write(uint32_t offset, uint32_t value);
bool lapic_write_base(uint64_t value);

uint32_t ports_read(uint16_t port, unsigned size);
void ports_write(uint16_t port, unsigned size, uint32_t value);
enum sim_access ports_access(uint16_t port);
uint32_t mmio_read(uint64_t address);
void mmio_write(uint64_t address, unsigned size, uint32_t value);
// Writes `count` words; framebuffer memory only.
void mmio_fill(uint64_t address, uint32_t value, uint64_t count);
bool mmio_is_framebuffer(uint64_t address, uint64_t length);
enum sim_access mmio_access(uint64_t address);
bool msr_read(uint32_t msr, uint64_t *value);
bool msr_write(uint32_t msr, uint64_t value);
enum sim_access msr_access(uint32_t msr);
struct cpuid_words cpuid_answer(uint32_t leaf, uint32_t subleaf);

// paravirt.c: what hypervisors offer their guests. Reading and writing give false for MSRs of
// others.
void paravirt_reset(void);
// The host had something else to do.
void paravirt_delay(uint64_t length_fs);
// Time has passed: Xen may write.
void paravirt_pass(void);
bool paravirt_read_msr(uint32_t msr, uint64_t *value);
bool paravirt_call(enum machine_call kind, struct machine_registers *r);
bool paravirt_write_msr(uint32_t msr, uint64_t value, bool *ok);

// memory.c and acpi.c: guest-physical memory.
void memory_reset(void);
// Adds `length` zeroed bytes at `address`.
uint8_t *memory_add(uint64_t address, uint64_t length);
// The bytes of a block that was added, or NULL.
uint8_t *memory_at(uint64_t address, uint64_t length);
void acpi_build(void);

// firmware.c: SMBIOS tables, and the fw_cfg device.
#define SIM_SMBIOS        0xf5000u
#define SIM_SMBIOS_LENGTH 0x400u
void smbios_build(void);
void fw_cfg_select(uint16_t key);
uint8_t fw_cfg_read_byte(void);
