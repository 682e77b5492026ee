#include "kernel/leave.h"

#include <machine.h>

#include "kernel/console/console.h"
#include "lib/text.h"

#define DEBUG_EXIT 0xf4 // QEMU's isa-debug-exit as CI conventionally places it; docs/options.md

// ACPI 6.5, 4.8.3.2.1 "PM1 Control Registers".
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK  (7u << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE     (1u << 13)

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

static void leave_by_acpi(const struct acpi_tables *acpi)
{
    if (!acpi->has_s5 || !acpi->pm1a_control_port)
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

static void leave_by_reset(const struct acpi_tables *acpi)
{
    if (acpi->has_reset) {
        machine_out8(acpi->reset_port, acpi->reset_value);
        wait();
    }
    machine_out8(RESET_CONTROL, RESET_HARD);
    wait();
    for (unsigned i = 0; i < 1000 && machine_in8(KEYBOARD_COMMAND) & KEYBOARD_BUSY; i++)
        machine_pause();
    machine_out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
    wait();
}

// May port 0xf4 be written unasked? Where a known hypervisor is, or with the ACPI tables of QEMU
// and Bochs; elsewhere it would be a write to who knows what. The signature is read here, since an
// exception may come before the scan.
static bool debug_exit_is_safe(const struct platform *platform)
{
    char bytes[12];

    signature_bytes(machine_cpuid(CPUID_HYPERVISOR_BASE, 0), bytes);
    if (signature_find(bytes))
        return true;
    for (size_t i = 0; platform && i < platform->scan.block_count; i++)
        if (platform->scan.blocks[i].known)
            return true;
    return platform && text_starts_with(platform->acpi.oem_id, "BOCHS");
}

_Noreturn void machine_leave(enum outcome outcome, const struct platform *platform)
{
    static const char last_line[] = "Halted.\n";
    enum option_exit way = platform ? platform->options.exit : EXIT_AUTO;

    if (way == EXIT_QEMU || (way == EXIT_AUTO && debug_exit_is_safe(platform)))
        leave_by_debug_exit(outcome);
    if (platform && way == EXIT_EFI)
        leave_by_efi(platform, EFI_RESET_SHUTDOWN);
    if (platform && way != EXIT_RESET && way != EXIT_HALT) {
        leave_by_acpi(&platform->acpi);
        if (way != EXIT_EFI)
            leave_by_efi(platform, EFI_RESET_SHUTDOWN);
    }
    if (platform && way == EXIT_RESET) {
        leave_by_reset(&platform->acpi);
        leave_by_efi(platform, EFI_RESET_COLD);
    }
    console_write(SINK_TEXT, last_line, sizeof(last_line) - 1);
    machine_halt();
}
