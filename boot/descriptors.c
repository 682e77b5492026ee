// Our GDT, TSS and IDT. Intel SDM vol. 3A: 3.4.5 and 3.5 (descriptors), 6.14 (IDT and interrupt
// stack table in 64-bit mode), 7.7 (TSS).
#include "boot/doors.h"

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

#define DESCRIPTOR_CODE 0x00af9b000000ffffull // 64-bit, present, accessed
#define DESCRIPTOR_DATA 0x00cf93000000ffffull
#define DESCRIPTOR_TSS  (0x89ull << 40) // present, available 64-bit TSS
#define GATE_INTERRUPT  0x8e            // present, ring 0, 64-bit interrupt gate

#define VECTORS 256

struct __attribute__((packed)) gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct __attribute__((packed)) task_state {
    uint32_t reserved_0;
    uint64_t rsp[3];
    uint64_t reserved_1;
    uint64_t ist[7];
    uint64_t reserved_2;
    uint16_t reserved_3, io_map_base;
};

struct __attribute__((packed)) pointer {
    uint16_t limit;
    uint64_t base;
};

_Static_assert(sizeof(struct gate) == 16 && sizeof(struct task_state) == 104 &&
                   sizeof(struct pointer) == 10,
               "fixed by the CPU");

// boot/traps.asm
#define EXCEPTIONS      32
#define TRAP_STUB_BYTES 9
extern const char trap_stubs[EXCEPTIONS + 1][TRAP_STUB_BYTES]; // the last one is for all interrupts
void descriptors_load(const struct pointer *gdt, const struct pointer *idt, uint16_t tss_selector);

// Exceptions that may come when the stack in use is not fit for them get a stack each: NMI, double
// fault, page fault (on the stack's guard page), machine check.
static const uint8_t separate[] = {2, 8, 14, 18};
#define SEPARATE_COUNT (sizeof(separate) / sizeof(separate[0]))
static uint8_t stacks[SEPARATE_COUNT][16384] __attribute__((aligned(16)));

static struct task_state task_state;
static struct gate idt[VECTORS];
static uint64_t gdt[5];

void descriptors_install(void)
{
    uint64_t base = (uint64_t)&task_state;

    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t stub = (uint64_t)trap_stubs[i < EXCEPTIONS ? i : EXCEPTIONS];
        idt[i] = (struct gate){
            .offset_low = (uint16_t)stub,
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
            .selector = SELECTOR_CODE,
            .type = GATE_INTERRUPT,
        };
    }
    for (unsigned i = 0; i < SEPARATE_COUNT; i++) {
        task_state.ist[i] = (uint64_t)&stacks[i + 1];
        idt[separate[i]].ist = (uint8_t)(i + 1);
    }
    task_state.io_map_base = sizeof(task_state); // none

    gdt[SELECTOR_CODE / 8] = DESCRIPTOR_CODE;
    gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
    gdt[SELECTOR_TSS / 8] = DESCRIPTOR_TSS | (sizeof(task_state) - 1) | (base & 0xffffff) << 16 |
                            (base >> 24 & 0xff) << 56;
    gdt[SELECTOR_TSS / 8 + 1] = base >> 32;

    struct pointer gdt_pointer = {sizeof(gdt) - 1, (uint64_t)gdt};
    struct pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};
    descriptors_load(&gdt_pointer, &idt_pointer, SELECTOR_TSS);
}
