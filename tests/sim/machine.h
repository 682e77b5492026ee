// The seam of the simulated machine: what kernel/machine.h declares, over a model.
//
// The kernel is compiled with -Itests/sim, so that its <machine.h> is this file. Each function
// costs true time and is checked: an access that the simulated machine does not have is a
// violation. See tests/sim/sim.h.
#pragma once

#include "lib/cpuid.h"
#include "lib/phys.h"
#include "lib/types.h"

struct bracket {
    uint64_t before; // TSC cycles
    uint64_t after;
    uint64_t value; // as the device gave it, zero-extended
};

struct cpuid_words machine_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t machine_tsc(void);
void machine_pause(void);

uint8_t machine_in8(uint16_t port);
uint16_t machine_in16(uint16_t port);
uint32_t machine_in32(uint16_t port);
void machine_out8(uint16_t port, uint8_t value);
void machine_out16(uint16_t port, uint16_t value);
void machine_out32(uint16_t port, uint32_t value);

uint32_t machine_mmio_read32(uint64_t address);
void machine_mmio_write32(uint64_t address, uint32_t value);
void machine_mmio_fill32(uint64_t address, uint32_t value, uint64_t count);
void machine_mmio_write8(uint64_t address, uint8_t value);

// The trap handler's table; in here it is empty, since machine_rdmsr does not raise its #GP.
struct machine_fixup {
    int32_t fault, resume;
};

bool machine_rdmsr(uint32_t msr, uint64_t *value);
bool machine_wrmsr(uint32_t msr, uint64_t value);

enum machine_call { CALL_PORT, CALL_VMCALL, CALL_VMMCALL };
struct machine_registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi;
};
bool machine_call(enum machine_call call, struct machine_registers *r);

void machine_bracket_mmio32(uint64_t address, struct bracket *out);
void machine_bracket_in8(uint16_t port, struct bracket *out);
void machine_bracket_in32(uint16_t port, struct bracket *out);
void machine_bracket_out8(uint8_t port, uint8_t byte, struct bracket *out);
void machine_bracket_msr(uint32_t msr, struct bracket *out);
void machine_bracket_wrmsr(uint32_t msr, uint64_t written, struct bracket *out);

void machine_bracket_nothing(struct bracket *out);
void machine_bracket_bare(struct bracket *out);
void machine_bracket_backdoor(uint16_t port, uint32_t magic, uint32_t command, struct bracket *out);
#define MACHINE_NOPS 16
void machine_bracket_nops(struct bracket *out);
void machine_bracket_cpuid(uint32_t leaf, struct bracket *out);
bool machine_can_rdtscp(void);
void machine_bracket_rdtscp(struct bracket *out);

extern struct machine_resume {
    uint64_t rip, rsp;
} machine_resume;
void machine_call_firmware(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

uint64_t machine_cr2(void);
void machine_take_interrupts(void);
void machine_sleep(void);
void machine_work(uint32_t rounds);
_Noreturn void machine_halt(void);

struct machine_vcpus {
    void (*entry)(uint32_t index);
    uint32_t *apic_ids;
    uint8_t *stacks;
    uint32_t stack_bytes;
    uint32_t count;
    uint32_t limit;
};
void machine_trampoline(uint64_t page, struct machine_vcpus *vcpus);

// Exceptions go to the kernel's trap handler.
void machine_raise_de(void);
void machine_raise_ud(void);
void machine_raise_gp(void);
void machine_raise_pf(void);
void machine_raise_stack(void);

extern const struct phys machine_phys;
