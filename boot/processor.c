// What the doors need of the CPU, for our page tables above all: Intel SDM vol. 3A, 2.5 (control
// registers) and 4.1.
#include <machine.h>

#include "boot/doors.h"

#define NO_EXECUTE    (1u << 20) // in EDX
#define GIANT_PAGES   (1u << 26)
#define ADDRESS_SIZES 0x80000008u

// The two 8259 interrupt controllers' mask registers.
#define PIC_1_MASK 0x21
#define PIC_2_MASK 0xa1

#define EFER     0xc0000080u
#define EFER_NXE (1u << 11)
#define CR0_WP   (1u << 16)
#define CR4_PGE  (1u << 7)
#define CR4_LA57 (1u << 12)
#define CR4_PCID (1u << 17)
#define CR4_CET  (1u << 23)

void processor_mask_interrupts(void)
{
    machine_out8(PIC_1_MASK, 0xff);
    machine_out8(PIC_2_MASK, 0xff);
}

struct paging_cpu processor_paging(void)
{
    uint32_t max = machine_cpuid(CPUID_EXTENDED, 0).eax;
    uint32_t features =
        max >= CPUID_EXTENDED_FEATURES ? machine_cpuid(CPUID_EXTENDED_FEATURES, 0).edx : 0;
    uint64_t efer;

    return (struct paging_cpu){
        .giant = features & GIANT_PAGES,
        // Set it, or the bit is reserved in every entry.
        .no_execute = (features & NO_EXECUTE) && machine_rdmsr(EFER, &efer) &&
                      machine_wrmsr(EFER, efer | EFER_NXE),
        .five_levels = machine_cr4() & CR4_LA57,
        .address_bits = max >= ADDRESS_SIZES ? machine_cpuid(ADDRESS_SIZES, 0).eax & 0xff : 0,
    };
}

void processor_use_tables(uint64_t root)
{
    // Global and tagged translations outlive a write to CR3, and a shadow stack would have to be
    // mapped as one: a loader may have left them on.
    machine_set_cr4(machine_cr4() & ~(uint64_t)(CR4_PGE | CR4_PCID | CR4_CET));
    machine_set_cr3(root);
    machine_set_cr0(machine_cr0() | CR0_WP);
}
