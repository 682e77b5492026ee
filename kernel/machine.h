// The seam: every instruction that C cannot say, and nothing else.
//
// The kernel includes this file as <machine.h>, never as "kernel/machine.h": the image is compiled
// with -Ikernel, the simulated machine with -Itests/sim, whose machine.h declares the same
// functions over a model. A driver that goes through this file therefore runs unchanged in both.
#pragma once

#include "lib/cpuid.h"
#include "lib/phys.h"
#include "lib/types.h"

// One reading of a clock: the value, and the TSC before and after the single access that sampled
// it.
struct bracket {
    uint64_t before; // TSC cycles
    uint64_t after;
    uint64_t value; // as the device gave it, zero-extended
};

static inline struct cpuid_words machine_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_words words;
    __asm__ volatile("cpuid"
                     : "=a"(words.eax), "=b"(words.ebx), "=c"(words.ecx), "=d"(words.edx)
                     : "a"(leaf), "c"(subleaf));
    return words;
}

// The TSC, ordered against the instructions before and after it. LFENCE on both sides, as Intel SDM
// vol. 2B "RDTSC" and AMD APM vol. 3 "RDTSC" advise; RDTSCP is not used: it kills a VM on some
// hosts.
static inline uint64_t machine_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

// A hint that this is a spin loop.
static inline void machine_pause(void)
{
    __asm__ volatile("pause");
}

static inline uint8_t machine_in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t machine_in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t machine_in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void machine_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void machine_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline void machine_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

// Device memory, by guest-physical address (mapped one to one, uncached from 3 to 4 GiB but for
// RAM, and in the VGA window; above 4 GiB as boot/paging.h says). Accesses to other memory keep
// their place before and after: a vCPU may be told to read what was just written.
static inline uint32_t machine_mmio_read32(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("movl %1, %0" : "=r"(value) : "m"(*(volatile uint32_t *)address) : "memory");
    return value;
}

static inline void machine_mmio_write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("movl %1, %0" : "=m"(*(volatile uint32_t *)address) : "r"(value) : "memory");
}

// Writes `count` words of the same value, in one instruction.
static inline void machine_mmio_fill32(uint64_t address, uint32_t value, uint64_t count)
{
    __asm__ volatile("rep stosl" : "+D"(address), "+c"(count) : "a"(value) : "memory");
}

static inline void machine_mmio_write8(uint64_t address, uint8_t value)
{
    __asm__ volatile("movb %1, %0" : "=m"(*(volatile uint8_t *)address) : "q"(value) : "memory");
}

// Where execution goes on after a fault at `fault`; both relative to the entry's own address, so
// that the table needs no relocation. The linker collects the entries between machine_fixups_start
// and machine_fixups_end; kernel/trap.c searches them on #GP and #UD.
struct machine_fixup {
    int32_t fault, resume;
};
#define MACHINE_FIXUP(fault, resume)                                                               \
    ".pushsection .fixups, \"a\"\n\t.balign 4\n\t.long " fault " - .\n\t.long " resume             \
    " - . + 4\n\t.popsection\n\t"

// Reads a model-specific register; false if the CPU raised #GP, and `value` is then 0.
static inline bool machine_rdmsr(uint32_t msr, uint64_t *value)
{
    uint32_t low, high, ok = 0;
    __asm__ volatile("1: rdmsr\n\tmovl $1, %2\n\tjmp 3f\n"
                     "2: xorl %%eax, %%eax\n\txorl %%edx, %%edx\n"
                     "3:\n\t" MACHINE_FIXUP("1b", "2b")
                     : "=a"(low), "=d"(high), "+r"(ok)
                     : "c"(msr));
    *value = (uint64_t)high << 32 | low;
    return ok;
}

// Writes a model-specific register; false if the CPU raised #GP.
static inline bool machine_wrmsr(uint32_t msr, uint64_t value)
{
    uint32_t ok = 0;
    __asm__ volatile("1: wrmsr\n\tmovl $1, %0\n"
                     "2:\n\t" MACHINE_FIXUP("1b", "2b")
                     : "+r"(ok)
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    return ok;
}

// The ways to call a hypervisor, and the registers that go in and come out.
enum machine_call { CALL_PORT, CALL_VMCALL, CALL_VMMCALL };
struct machine_registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi;
};

#define MACHINE_CALL(instruction)                                                                  \
    __asm__ volatile("1: " instruction "\n\tmovl $1, %[ok]\n"                                      \
                     "2:\n\t" MACHINE_FIXUP("1b", "2b")                                            \
                     : [ok] "+r"(ok), "+a"(r->rax), "+b"(r->rbx), "+c"(r->rcx), "+d"(r->rdx),      \
                       "+S"(r->rsi), "+D"(r->rdi)::"memory")

// IN EAX, DX, VMCALL or VMMCALL. False if the CPU raised #UD or #GP, and `r` is then as it was.
static inline bool machine_call(enum machine_call call, struct machine_registers *r)
{
    uint32_t ok = 0;

    if (call == CALL_PORT)
        MACHINE_CALL("inl %%dx, %%eax");
    else if (call == CALL_VMCALL)
        MACHINE_CALL("vmcall");
    else
        MACHINE_CALL("vmmcall");
    return ok;
}

// The brackets. Between the two RDTSC stand only the sampling access, its fences and the two
// register moves that keep the first reading: some hypervisors emulate every instruction, and each
// one there would widen the bracket by half a microsecond.
#define MACHINE_BRACKET(access)                                                                    \
    "lfence\n\trdtsc\n\tlfence\n\tmovl %%eax, %k[low]\n\tmovl %%edx, %k[high]\n\t" access          \
    "\n\tlfence\n\trdtsc\n\tlfence"

// What the halves that RDTSC gave make.
static inline struct bracket machine_bracket_of(uint64_t low, uint64_t high, uint32_t after_low,
                                                uint32_t after_high, uint64_t value)
{
    return (struct bracket){
        .before = high << 32 | low,
        .after = (uint64_t)after_high << 32 | after_low,
        .value = value,
    };
}

static inline void machine_bracket_mmio32(uint64_t address, struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high, value;
    __asm__ volatile(MACHINE_BRACKET("movl %[memory], %[value]")
                     : [low] "=&r"(low), [high] "=&r"(high), [value] "=&r"(value), "=&a"(after_low),
                       "=&d"(after_high)
                     : [memory] "m"(*(volatile uint32_t *)address)
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, value);
}

static inline void machine_bracket_in32(uint16_t port, struct bracket *out)
{
    uint64_t low, high, value;
    uint32_t after_low, after_high;
    // IN wants DX and EAX, which RDTSC overwrites: the port and the value wait in other registers.
    __asm__ volatile(MACHINE_BRACKET("movl %k[port], %%edx\n\tinl %%dx, %%eax\n\t"
                                     "movl %%eax, %k[value]")
                     : [low] "=&r"(low), [high] "=&r"(high), [value] "=&r"(value), "=&a"(after_low),
                       "=&d"(after_high)
                     : [port] "r"((uint32_t)port)
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, value);
}

static inline void machine_bracket_in8(uint16_t port, struct bracket *out)
{
    uint64_t low, high, value;
    uint32_t after_low, after_high;
    __asm__ volatile(MACHINE_BRACKET("movl %k[port], %%edx\n\tinb %%dx, %%al\n\t"
                                     "movl %%eax, %k[value]")
                     : [low] "=&r"(low), [high] "=&r"(high), [value] "=&r"(value), "=&a"(after_low),
                       "=&d"(after_high)
                     : [port] "r"((uint32_t)port)
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, (uint8_t)value);
}

// Brackets a write: for the PIT, whose sampling access is the latch command. `value` becomes 0.
static inline void machine_bracket_out8(uint8_t port, uint8_t byte, struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high;
    __asm__ volatile(MACHINE_BRACKET("movl %k[byte], %%eax\n\toutb %%al, %[port]")
                     : [low] "=&r"(low), [high] "=&r"(high), "=&a"(after_low), "=&d"(after_high)
                     : [port] "N"((uint32_t)port), [byte] "r"((uint32_t)byte)
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, 0);
}

// Brackets an MSR that is known to be readable (machine_rdmsr said so before). `value` is its low
// 32 bits: every clock that is read so is a 32-bit counter.
static inline void machine_bracket_msr(uint32_t msr, struct bracket *out)
{
    uint64_t low, high, value;
    uint32_t after_low, after_high;
    __asm__ volatile(MACHINE_BRACKET("rdmsr\n\tmovl %%eax, %k[value]")
                     : [low] "=&r"(low), [high] "=&r"(high), [value] "=&r"(value), "=&a"(after_low),
                       "=&d"(after_high)
                     : "c"(msr)
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, value);
}

// Brackets a write of an MSR that is known to be writable. `value` becomes 0.
static inline void machine_bracket_wrmsr(uint32_t msr, uint64_t written, struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high;
    __asm__ volatile(
        MACHINE_BRACKET("movl %k[low_half], %%eax\n\tmovl %k[high_half], %%edx\n\twrmsr")
        : [low] "=&r"(low), [high] "=&r"(high), "=&a"(after_low), "=&d"(after_high)
        : "c"(msr), [low_half] "r"((uint32_t)written), [high_half] "r"((uint32_t)(written >> 32))
        : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, 0);
}

// Brackets of what has no value, for what it costs. Nothing at all: two fenced readings in a row.
static inline void machine_bracket_nothing(struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high;
    __asm__ volatile(MACHINE_BRACKET("")
                     : [low] "=&r"(low), [high] "=&r"(high), "=&a"(after_low), "=&d"(after_high)
                     :
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, 0);
}

// Two readings in a row without a fence.
static inline void machine_bracket_bare(struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high;
    __asm__ volatile("rdtsc\n\tmovl %%eax, %k[low]\n\tmovl %%edx, %k[high]\n\trdtsc"
                     : [low] "=&r"(low), [high] "=&r"(high), "=&a"(after_low), "=&d"(after_high)
                     :
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, 0);
}

// A command of VMware's backdoor, which is known to answer: IN EAX, DX, and what it gives in the
// other registers is dropped.
static inline void machine_bracket_backdoor(uint16_t port, uint32_t magic, uint32_t command,
                                            struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high, rbx = UINT32_MAX;
    __asm__ volatile(
        MACHINE_BRACKET("movl %k[magic], %%eax\n\tmovl %k[port], %%edx\n\tinl %%dx, %%eax")
        : [low] "=&r"(low), [high] "=&r"(high), "=&a"(after_low), "=&d"(after_high), "+b"(rbx),
          "+c"(command)
        : [magic] "r"(magic), [port] "r"((uint32_t)port)
        : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, 0);
}

// So many NOPs.
#define MACHINE_NOPS 16
static inline void machine_bracket_nops(struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high;
    __asm__ volatile(MACHINE_BRACKET(".rept %c[nops]\n\tnop\n\t.endr")
                     : [low] "=&r"(low), [high] "=&r"(high), "=&a"(after_low), "=&d"(after_high)
                     : [nops] "i"(MACHINE_NOPS)
                     : "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, 0);
}

// CPUID of this leaf, subleaf 0.
static inline void machine_bracket_cpuid(uint32_t leaf, struct bracket *out)
{
    uint64_t low, high;
    uint32_t after_low, after_high;
    __asm__ volatile(MACHINE_BRACKET("movl %k[leaf], %%eax\n\txorl %%ecx, %%ecx\n\tcpuid")
                     : [low] "=&r"(low), [high] "=&r"(high), "=&a"(after_low), "=&d"(after_high)
                     : [leaf] "r"(leaf)
                     : "rbx", "rcx", "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, 0);
}

// Can RDTSCP be executed? False if the CPU raised #UD or #GP: Xen does where it fails to emulate
// it. Only where CPUID 0x80000001 EDX bit 27 offers it, and never for anything but itself: it kills
// a VM on some hosts.
static inline bool machine_can_rdtscp(void)
{
    uint32_t ok = 0;
    __asm__ volatile("1: rdtscp\n\tmovl $1, %0\n"
                     "2:\n\t" MACHINE_FIXUP("1b", "2b")
                     : "+r"(ok)
                     :
                     : "rax", "rcx", "rdx", "memory");
    return ok;
}

// Brackets RDTSCP, after machine_can_rdtscp; `value` is its TSC.
static inline void machine_bracket_rdtscp(struct bracket *out)
{
    uint64_t low, high, value_low, value_high;
    uint32_t after_low, after_high;
    __asm__ volatile(
        MACHINE_BRACKET("rdtscp\n\tmovl %%eax, %k[value_low]\n\tmovl %%edx, %k[value_high]")
        : [low] "=&r"(low), [high] "=&r"(high), [value_low] "=&r"(value_low),
          [value_high] "=&r"(value_high), "=&a"(after_low), "=&d"(after_high)
        :
        : "rcx", "memory");
    *out = machine_bracket_of(low, high, after_low, after_high, value_high << 32 | value_low);
}

// Where execution goes on after an exception in code that is not ours, by the trap handler; rip 0:
// nowhere.
extern struct machine_resume {
    uint64_t rip, rsp;
} machine_resume;

// Calls a function of UEFI firmware: Microsoft's x64 calling convention (UEFI Specification 2.10,
// 2.3.4.2). Comes back after an exception in there, too, which therefore ends nothing; where
// firmware hangs, so does this.
static inline void machine_call_firmware(uint64_t function, uint64_t a, uint64_t b, uint64_t c,
                                         uint64_t d)
{
    register uint64_t third __asm__("r8") = c;
    register uint64_t fourth __asm__("r9") = d;

    // Nothing but memory is relied on afterwards.
    __asm__ volatile("pushq %%rbp\n\t"
                     "leaq 1f(%%rip), %%r10\n\tmovq %%r10, machine_resume(%%rip)\n\t"
                     "movq %%rsp, 8+machine_resume(%%rip)\n\t"
                     "andq $-16, %%rsp\n\tsubq $32, %%rsp\n\t"
                     "call *%%rax\n"
                     "1:\tmovq 8+machine_resume(%%rip), %%rsp\n\t"
                     "movq $0, machine_resume(%%rip)\n\tpopq %%rbp\n\tcld"
                     : "+a"(function), "+c"(a), "+d"(b), "+r"(third), "+r"(fourth)
                     :
                     : "rbx", "rsi", "rdi", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
                       "memory");
}

// The control registers of paging: Intel SDM vol. 3A, 2.5. Writing CR3 forgets all translations but
// global ones, and those go with CR4.PGE.
static inline uint64_t machine_cr0(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr0, %0" : "=r"(value));
    return value;
}

static inline uint64_t machine_cr3(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}

static inline uint64_t machine_cr4(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}

static inline void machine_set_cr0(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr0" ::"r"(value) : "memory");
}

static inline void machine_set_cr3(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr3" ::"r"(value) : "memory");
}

static inline void machine_set_cr4(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr4" ::"r"(value) : "memory");
}

// CR2, the address of the last page fault.
static inline uint64_t machine_cr2(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

// Lets interrupts in that are pending, and no others.
static inline void machine_take_interrupts(void)
{
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" ::: "memory");
}

// Halts this CPU until an interrupt comes. One that is pending already ends it at once, since STI
// lets none in before the next instruction is over.
static inline void machine_sleep(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}

// So many multiplications, each of which needs the one before.
static inline void machine_work(uint32_t rounds)
{
    uint64_t product = 3;
    __asm__ volatile("1: imulq %0, %0\n\tdecl %1\n\tjnz 1b" : "+r"(product), "+r"(rounds)::"cc");
}

// Stops this CPU for good: interrupts are off and stay off.
_Noreturn static inline void machine_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt");
}

// What another vCPU needs to come from its trampoline to C; boot/ap.asm knows the layout.
struct machine_vcpus {
    void (*entry)(uint32_t index); // called on each vCPU that is started
    uint32_t *apic_ids;            // which one it is: its index is that of its APIC id in here
    uint8_t *stacks;               // of index 0; the next one's follows. Aligned to a page
    uint32_t stack_bytes;          // of which a guard page takes 4096; 8192
    uint32_t count;                // of APIC ids
    uint32_t limit; // a vCPU that is not listed adds itself as long as count < limit, else it halts
};

// Makes the 4 KiB page at guest-physical `page`, below 1 MiB, the place where a vCPU that gets SIPI
// with this page's number starts. It takes over this CPU's control registers, page tables and
// exception handlers. `limit` stacks are made ready. Call it once.
void machine_trampoline(uint64_t page, struct machine_vcpus *vcpus);

// Raises exceptions on purpose, for fault= (see docs/options.md). Each returns if nothing happened.
static inline void machine_raise_de(void)
{
    __asm__ volatile("xorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\tdivl %%ecx" ::
                         : "eax", "ecx", "edx");
}

static inline void machine_raise_ud(void)
{
    __asm__ volatile("ud2");
}

// #GP: a non-canonical address.
static inline void machine_raise_gp(void)
{
    __asm__ volatile("movabsq $0x8000000000000000, %%rax\n\tmovb (%%rax), %%al" ::: "rax");
}

// #PF: an address beyond what the page tables map.
static inline void machine_raise_pf(void)
{
    __asm__ volatile("movabsq $0x7f0000001000, %%rax\n\tmovb (%%rax), %%al" ::: "rax");
}

// A stack overflow: pushes until the guard page stops it.
static inline void machine_raise_stack(void)
{
    __asm__ volatile("1: pushq %rax\n\tjmp 1b");
}

// Guest-physical memory as the page tables map it, whatever that is: the low 4 GiB, and more where
// boot/paging.c found it.
extern const struct phys machine_phys;
