// CPU exceptions: the kernel's trap handler itself, called with the frame that boot/traps.asm would
// push.
#include "kernel/trap.c"

#include "tests/sim/model.h"

#define DIVIDE_ERROR   0
#define INVALID_OPCODE 6

// What the linker script would define: the fixups, of which there are none, and the page below the
// stack.
__asm__(".pushsection .rodata\n\t.balign 4\n"
        "\t.globl machine_fixups_start\nmachine_fixups_start:\n"
        "\t.globl machine_fixups_end\nmachine_fixups_end:\n\t.popsection");
char stack_guard[PAGE_SIZE];

static uint64_t page_fault_at;

static void raise(unsigned vector, uint64_t address)
{
    struct trap_frame frame = {.vector = vector, .rip = 0x100123, .cs = 8, .rflags = 2};

    page_fault_at = address;
    trap_handle(&frame);
}

uint64_t machine_cr2(void)
{
    sim_operation();
    return page_fault_at;
}

void exception_interrupt(void)
{
    raise(EXCEPTIONS, 0);
}

void machine_raise_de(void)
{
    raise(DIVIDE_ERROR, 0);
}

void machine_raise_ud(void)
{
    raise(INVALID_OPCODE, 0);
}

void machine_raise_gp(void)
{
    raise(GENERAL_PROTECTION, 0);
}

void machine_raise_pf(void)
{
    raise(PAGE_FAULT, 0x7f0000001000);
}

static void raise_on_vcpu(unsigned vector, uint64_t address)
{
    uint8_t *end = vcpus_stack() + 2 * PAGE_SIZE;
    struct trap_frame *frame = (struct trap_frame *)(void *)(end - sizeof(*frame));

    page_fault_at = address;
    *frame = (struct trap_frame){.vector = vector, .rip = 0x100456, .cs = 8, .rflags = 2};
    trap_handle(frame);
}

void machine_raise_stack(void)
{
    if (vcpus_current())
        raise_on_vcpu(PAGE_FAULT, (uint64_t)vcpus_stack() + PAGE_SIZE - 8);
    else
        raise(PAGE_FAULT, (uint64_t)stack_guard + PAGE_SIZE - 8);
}

void exception_on_vcpu(void)
{
    raise_on_vcpu(INVALID_OPCODE, 0);
}
