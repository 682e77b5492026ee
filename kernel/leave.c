#include "kernel/leave.h"

#include <machine.h>

#include "kernel/console/console.h"
#include "kernel/firmware/firmware.h"
#include "lib/text.h"

#define DEBUG_EXIT 0xf4 // QEMU's isa-debug-exit as CI conventionally places it; docs/options.md

// ACPI 6.5, 4.8.3.2.1 "PM1 Control Registers".
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK  (7u << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE     (1u << 13)

// ACPI 6.5, 4.8.3.7 "Sleep Control and Status Registers", of reduced hardware.
#define SLEEP_TYPE_SHIFT 2
#define SLEEP_ENABLE     (1u << 5)

// Ports that switch a virtual machine off, each its hypervisor's own: Bochs iodev/unmapped.cc;
// Cloud Hypervisor devices/src/acpi.rs, a sleep control register; VirtualBox's PM1a control
// register. S5's sleep type is 5 in the last two.
#define BOCHS_SHUTDOWN            0x8900
#define CLOUD_HYPERVISOR_SHUTDOWN 0x600
#define VIRTUALBOX_PM1A           0x4004
#define S5_TYPE                   5u

#define MMIO_END    (1ull << 32) // of machine_mmio_*
#define PRESENT_BIT (1u << 31)   // CPUID 1 ECX: a hypervisor is there

#define RESET_CONTROL    0xcf9 // PIIX and ICH
#define RESET_HARD       0x06
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_BUSY    0x02
#define KEYBOARD_RESET   0xfe

// UEFI Specification 2.10: the signatures of the system table (4.3.1) and of the runtime services
// (4.5.1), the offsets of what is taken from them, and ResetSystem's types (8.5.1).
#define EFI_SYSTEM_SIGNATURE  0x5453595320494249ull
#define EFI_SYSTEM_RUNTIME    88
#define EFI_RUNTIME_SIGNATURE 0x56524553544e5552ull
#define EFI_RUNTIME_RESET     104
#define EFI_RESET_COLD        0
#define EFI_RESET_SHUTDOWN    2

// How long a way may take to work: a hypervisor acts at once, hardware within some milliseconds.
#define PATIENCE_CYCLES 200000000u
#define PATIENCE_TURNS  1000000

static void wait(void)
{
    uint64_t start = machine_tsc();

    for (unsigned i = 0; i < PATIENCE_TURNS && machine_tsc() - start < PATIENCE_CYCLES; i++)
        machine_pause();
}

static void leave_by_debug_exit(enum outcome outcome)
{
    static const uint8_t values[] = {
        [OUTCOME_PASS] = 0x10,
        [OUTCOME_FAIL] = 0x11,
        [OUTCOME_INCONCLUSIVE] = 0x12,
    };

    machine_out8(DEBUG_EXIT, values[outcome]);
    wait();
}

static void sleep_by(uint16_t port, uint8_t type)
{
    uint16_t control = machine_in16(port) & (uint16_t)~PM1_SLEEP_TYPE_MASK;

    machine_out16(port, (uint16_t)(control | type << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE));
}

// Writes a register that the FADT names. One in memory must lie where machine_mmio_* reaches, and
// not in RAM: a FADT that lies would have us write over something.
static void write_register(const struct platform *platform, struct acpi_register to, uint8_t value)
{
    if (!to.address)
        return;
    if (!to.is_memory) {
        machine_out8((uint16_t)to.address, value);
        wait();
        return;
    }
    if (to.address >= MMIO_END)
        return;
    for (size_t i = 0; i < platform->boot->region_count; i++) {
        const struct memory_region *region = &platform->boot->regions[i];
        if (region->type == MEMORY_RAM && to.address - region->base < region->length)
            return;
    }
    machine_mmio_write8(to.address, value);
    wait();
}

static void leave_by_acpi(const struct platform *platform)
{
    const struct acpi_tables *acpi = &platform->acpi;

    if (!acpi->has_s5)
        return;
    write_register(platform, acpi->sleep_control,
                   (uint8_t)(acpi->s5_type_a << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
    if (!acpi->pm1a_control_port)
        return;
    sleep_by(acpi->pm1a_control_port, acpi->s5_type_a);
    if (acpi->pm1b_control_port)
        sleep_by(acpi->pm1b_control_port, acpi->s5_type_b);
    wait();
}

// The pointer at `offset` of the EFI table at `address`, 0 if that is no such table.
static uint64_t efi_pointer(const struct phys *phys, uint64_t address, uint64_t signature,
                            uint64_t offset)
{
    const void *found = address ? phys_view(phys, address, sizeof(uint64_t)) : NULL;
    uint64_t value = 0;

    if (!found || memcmp(found, &signature, sizeof(signature)) != 0)
        return 0;
    found = phys_view(phys, address + offset, sizeof(value));
    if (found)
        memcpy(&value, found, sizeof(value));
    return value;
}

// Firmware's own way. Only it is not bounded: firmware may never come back.
static void leave_by_efi(const struct platform *platform, uint64_t type)
{
    const struct phys *phys = platform->phys;
    uint64_t runtime = efi_pointer(phys, platform->boot->efi_system_table, EFI_SYSTEM_SIGNATURE,
                                   EFI_SYSTEM_RUNTIME);
    uint64_t reset = efi_pointer(phys, runtime, EFI_RUNTIME_SIGNATURE, EFI_RUNTIME_RESET);

    if (!reset)
        return;
    machine_call_firmware(reset, type, 0, 0, 0);
    wait();
}

static void shut_down_bochs(void)
{
    for (const char *word = "Shutdown"; *word; word++)
        machine_out8(BOCHS_SHUTDOWN, (uint8_t)*word);
}

static void shut_down_cloud_hypervisor(void)
{
    machine_out8(CLOUD_HYPERVISOR_SHUTDOWN, S5_TYPE << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);
}

static void shut_down_virtualbox(void)
{
    machine_out16(VIRTUALBOX_PM1A, S5_TYPE << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE);
}

// The port of a hypervisor that was identified, where ACPI did not lead to it.
static void leave_by_hypervisor(const struct evidence *evidence)
{
    static const struct {
        const char *platform;
        void (*shut_down)(void);
    } ways[] = {
        {"Bochs", shut_down_bochs},
        {"Cloud Hypervisor", shut_down_cloud_hypervisor},
        {"VirtualBox", shut_down_virtualbox},
    };

    for (size_t i = 0; evidence->platform && i < ARRAY_SIZE(ways); i++) {
        if (evidence->confidence == CONFIDENCE_LOW || evidence->against[0] ||
            !text_equal(evidence->platform, ways[i].platform))
            continue;
        ways[i].shut_down();
        wait();
    }
}

static void leave_by_reset(const struct platform *platform)
{
    write_register(platform, platform->acpi.reset, platform->acpi.reset_value);
    for (unsigned i = 0; i < 1000 && machine_in8(KEYBOARD_COMMAND) & KEYBOARD_BUSY; i++)
        machine_pause();
    machine_out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
    wait();
    machine_out8(RESET_CONTROL, RESET_HARD);
    wait();
    leave_by_efi(platform, EFI_RESET_COLD);
}

// The ways of exit=auto. Where no hypervisor is, nothing is reset: the screen keeps the report.
static void leave_by_any(const struct platform *platform, bool is_virtual)
{
    leave_by_acpi(platform);
    leave_by_efi(platform, EFI_RESET_SHUTDOWN);
    leave_by_hypervisor(&platform->evidence);
    if (is_virtual)
        leave_by_reset(platform);
}

_Noreturn void machine_leave(enum outcome outcome, const struct platform *platform)
{
    const char *last_line = "Halted.\n";
    enum option_exit way = platform ? platform->options.exit : EXIT_AUTO;
    bool known = qemu_is_possible(platform);

    if (way == EXIT_QEMU || (way == EXIT_AUTO && known))
        leave_by_debug_exit(outcome);
    switch (platform ? way : EXIT_HALT) {
    case EXIT_AUTO:
        if (console_screen_alone()) {
            last_line = "Halted, so that the screen keeps this; exit=acpi switches off.\n";
            break;
        }
        // fall through
    case EXIT_QEMU:
        leave_by_any(platform, known || machine_cpuid(1, 0).ecx & PRESENT_BIT);
        break;
    case EXIT_ACPI:
        leave_by_acpi(platform);
        leave_by_efi(platform, EFI_RESET_SHUTDOWN);
        break;
    case EXIT_EFI:
        leave_by_efi(platform, EFI_RESET_SHUTDOWN);
        leave_by_acpi(platform);
        break;
    case EXIT_RESET:
        leave_by_reset(platform);
        break;
    case EXIT_HALT:
        break;
    }
    console_write(SINK_TEXT, last_line, text_length(last_line));
    machine_halt();
}
