// The parts of which machines are described, and the default one.
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char sim_cpu_amd[12] = "AuthenticAMD";
const char sim_cpu_intel[12] = "GenuineIntel";

// The least time before and after the sampling instant, and the mean of what comes on top.
const struct sim_latency sim_latency_tcg[SIM_ACCESSES] = {
    [SIM_TSC] = {20, 20, 4},         [SIM_PAUSE] = {15, 15, 2},   [SIM_CPUID] = {200, 200, 40},
    [SIM_MSR] = {100, 100, 20},      [SIM_PORT] = {250, 250, 50}, [SIM_PIT_LATCH] = {250, 250, 50},
    [SIM_PM_TIMER] = {250, 250, 50}, [SIM_HPET] = {200, 200, 40}, [SIM_LAPIC] = {200, 200, 40},
    [SIM_MMIO] = {200, 200, 40},
};

// The PIT and the LAPIC are in the kernel, the HPET and the PM timer in a user process.
const struct sim_latency sim_latency_kvm[SIM_ACCESSES] = {
    [SIM_TSC] = {8, 12, 1},
    [SIM_PAUSE] = {20, 20, 4},
    [SIM_CPUID] = {500, 500, 100},
    [SIM_MSR] = {400, 400, 80},
    [SIM_PORT] = {3000, 3200, 600},
    [SIM_PIT_LATCH] = {600, 700, 120},
    [SIM_PM_TIMER] = {3100, 3400, 600},
    [SIM_HPET] = {3600, 3900, 700},
    [SIM_LAPIC] = {450, 500, 90},
    [SIM_MMIO] = {3600, 3900, 700},
};

const struct sim_latency sim_latency_bare[SIM_ACCESSES] = {
    [SIM_TSC] = {8, 12, 1},          [SIM_PAUSE] = {20, 20, 2},   [SIM_CPUID] = {40, 40, 2},
    [SIM_MSR] = {30, 30, 2},         [SIM_PORT] = {500, 500, 30}, [SIM_PIT_LATCH] = {500, 500, 30},
    [SIM_PM_TIMER] = {400, 400, 30}, [SIM_HPET] = {250, 250, 20}, [SIM_LAPIC] = {15, 15, 2},
    [SIM_MMIO] = {200, 200, 20},
};

struct sim_clock sim_clock_of(uint64_t numerator, uint64_t denominator)
{
    return (struct sim_clock){.hz_numerator = numerator, .hz_denominator = denominator};
}

struct sim_clock sim_no_clock(void)
{
    return (struct sim_clock){.fault = SIM_ABSENT, .hz_numerator = 1, .hz_denominator = 1};
}

void sim_cpuid_set(struct sim_config *config, uint32_t leaf, uint32_t eax, uint32_t ebx,
                   uint32_t ecx, uint32_t edx)
{
    struct sim_cpuid *cpuid = &config->cpuid;
    size_t i = 0;

    while (i < cpuid->count && cpuid->entries[i].leaf != leaf)
        i++;
    if (i == SIM_CPUID_MAX) {
        fprintf(stderr, "more than %d CPUID leaves\n", SIM_CPUID_MAX);
        abort();
    }
    if (i == cpuid->count)
        cpuid->count++;
    cpuid->entries[i].leaf = leaf;
    cpuid->entries[i].subleaf = SIM_SUBLEAF_ANY;
    cpuid->entries[i].words = (struct cpuid_words){eax, ebx, ecx, edx};
}

void sim_cpuid_set_subleaf(struct sim_config *config, uint32_t leaf, uint32_t subleaf,
                           struct cpuid_words words)
{
    struct sim_cpuid *cpuid = &config->cpuid;

    for (size_t i = 0; i < cpuid->count; i++)
        if (cpuid->entries[i].leaf == leaf && cpuid->entries[i].subleaf == SIM_SUBLEAF_ANY)
            cpuid->entries[i].subleaf = 0;
    if (cpuid->count == SIM_CPUID_MAX) {
        fprintf(stderr, "more than %d CPUID leaves\n", SIM_CPUID_MAX);
        abort();
    }
    cpuid->entries[cpuid->count].leaf = leaf;
    cpuid->entries[cpuid->count].subleaf = subleaf;
    cpuid->entries[cpuid->count++].words = words;
}

void sim_msr_set(struct sim_config *config, uint32_t index, uint64_t value)
{
    size_t i = 0;

    while (i < config->msr_count && config->msrs[i].index != index)
        i++;
    if (i == SIM_MSR_MAX) {
        fprintf(stderr, "more than %d MSRs\n", SIM_MSR_MAX);
        abort();
    }
    if (i == config->msr_count)
        config->msr_count++;
    config->msrs[i].index = index;
    config->msrs[i].value = value;
}

void sim_cpuid_sign(struct sim_config *config, uint32_t leaf, uint32_t eax,
                    const char signature[12])
{
    uint32_t words[3];

    memcpy(words, signature, sizeof(words));
    sim_cpuid_set(config, leaf, eax, words[0], words[1], words[2]);
}

void sim_set_cpu(struct sim_config *config, const char vendor[12], uint32_t max_basic)
{
    uint32_t words[3];

    memcpy(words, vendor, sizeof(words)); // leaf 0 has its text in EBX, EDX, ECX
    config->cpuid.count = 0;
    sim_cpuid_set(config, 0, max_basic, words[0], words[2], words[1]);
    sim_cpuid_set(config, 1, 0x00800f12, 0x00000800, 0x76d8320b, 0x0f8bfbff);
    sim_cpuid_set(config, 7, 0, 0x001803a9, 0, 0);
    sim_cpuid_set(config, 0xd, 0x21f, 0x240, 0xa88, 0);
    sim_cpuid_set(config, 0x80000000, 0x80000008, words[0], words[2], words[1]);
    sim_cpuid_set(config, 0x80000007, 0, 0, 0, 1u << 8); // invariant TSC
    sim_cpuid_set(config, 0x80000008, 0x3028, 0, 0, 0);
}

void sim_set_latency(struct sim_config *config, const struct sim_latency latency[SIM_ACCESSES])
{
    memcpy(config->latency, latency, sizeof(config->latency));
}

struct sim_config sim_default(void)
{
    struct sim_config config = {
        .seed = 1,
        .options = "",
        .loader = "qemu",
        .protocol = BOOT_MULTIBOOT1,
        .memory_mib = 128,
        .tsc = sim_clock_of(SIM_TSC_HZ, 1),
        .pit = {.clock = sim_clock_of(SIM_PIT_NOMINAL), .has_port_61 = true, .gate_ignored = true},
        .pic = true,
        .hpet = {.clock = sim_clock_of(100000000, 1),
                 .address = 0xfed00000,
                 .period_fs = 10000000,
                 .vendor = 0x8086,
                 .is_64_bit = true},
        .pm_timer = {.clock = sim_clock_of(SIM_PM_TIMER_NOMINAL), .port = 0x608, .bits = 24},
        .lapic = {.clock = sim_clock_of(1000000000, 1), .address = 0xfee00000, .version = 0x50014},
        .rtc = {.clock = sim_clock_of(32768, 1), .rate = 6},
        .pvclock = sim_no_clock(),
        .xen_platform = sim_clock_of(1000000000, 1),
        .refcount = sim_no_clock(),
        .cpuid = {.hypervisor_bit = true, .fallback = SIM_ECHO},
        .unknown_msrs_read_zero = true,
        .acpi = {.present = true,
                 .has_hpet = true,
                 .has_madt = true,
                 .cpus = 1,
                 .pm1a_port = 0x604,
                 .has_s5 = true,
                 .reset_port = 0xcf9,
                 .reset_value = 0x0f},
        .com1 = {.present = true},
        .com2 = {.present = true},
        .pci = {.present = true},
        .screen = true,
        .debug_exit = true,
        .keyboard_reset = true,
        .cf9_reset = true,
        .operations_max = 20000000,
        .time_max_ns = 20000000000u,
    };

    config.rtc.clock.start_ticks = 45296ull * 32768 + 20000; // 12:34:56.6
    config.tsc.start_ticks = 12345678901u;
    config.pm_timer.clock.start_ticks = 1234567;
    sim_set_latency(&config, sim_latency_tcg);
    sim_set_cpu(&config, sim_cpu_amd, 0xd);
    sim_cpuid_sign(&config, 0x40000000, 0x40000001, "TCGTCGTCGTCG");
    sim_cpuid_set(&config, 0x40000001, 0, 0, 0, 0);
    return config;
}
