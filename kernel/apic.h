// This CPU's local APIC: found once, read and written in whichever mode it is. Intel SDM vol. 3A,
// chapter 10 "APIC".
#pragma once

#include "kernel/clock.h"

struct apic {
    bool x2apic;
    uint64_t base; // of the register window, where it is not in x2APIC mode
};

// Finds it, in x2APIC mode where the CPU has it: an MSR access is a shorter exit than a memory
// access that must be decoded. CLOCK_LIVE, or CLOCK_ABSENT or CLOCK_DISABLED with the reason.
enum clock_status apic_find(struct apic *apic, const struct platform *platform, char *reason,
                            size_t reason_size);

// Registers, by their offset in the window: table 10-1. Their bits: figures 10-8, 10-10 and 10-23.
#define APIC_VERSION       0x030
#define APIC_END           0x0b0 // of interrupt
#define APIC_SPURIOUS      0x0f0
#define SPURIOUS_ENABLE    (1u << 8)
#define SPURIOUS_VECTOR    0xffu
#define APIC_LVT_TIMER     0x320
#define LVT_MASKED         (1u << 16)
#define LVT_PERIODIC       (1u << 17)
#define LVT_DEADLINE       (2u << 17)
#define APIC_INITIAL_COUNT 0x380
#define APIC_CURRENT_COUNT 0x390
#define APIC_DIVIDE        0x3e0
#define DIVIDE_BY_1        0xbu

// Reads and writes one. False: #GP.
bool apic_read(const struct apic *apic, uint32_t offset, uint32_t *value);
bool apic_write(const struct apic *apic, uint32_t offset, uint32_t value);
#define APIC_X2APIC_MSR(offset) (0x800u + (offset) / 16) // 10.12.1.2

// Commands for apic_send: figure 10-12. An 8-bit page number goes into APIC_START.
#define APIC_INIT   0x4500u
#define APIC_START  0x4600u
#define APIC_OTHERS (3u << 18) // to all but this CPU, whatever the destination

// Sends an interprocessor interrupt to the CPU with this APIC id. False: it cannot be sent, since
// the id needs x2APIC mode, or the APIC does not take it in bounded time.
bool apic_send(const struct apic *apic, uint32_t apic_id, uint32_t command);

// The APIC id of the CPU that asks: leaf 0xb EDX where it is there, else leaf 1 EBX bits 31 to 24.
uint32_t apic_id_here(void);
