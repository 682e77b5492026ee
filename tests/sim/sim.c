#include "tests/sim/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FS_PER_S 1000000000000000u

struct model sim;

uint64_t sim_random(uint64_t *state)
{
    // splitmix64, Vigna 2015.
    uint64_t value = *state += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

uint64_t sim_random_range(uint64_t *state, uint64_t least, uint64_t most)
{
    return least + (uint64_t)((uint128)sim_random(state) * (most - least + 1) >> 64);
}

uint64_t sim_exponential(uint64_t mean)
{
    // The number of leading zeros has a geometric distribution; with a uniform fraction that makes
    // an exponential one, but for a density that is constant between halvings.
    uint64_t random = sim_random(&sim.random);
    uint64_t halvings = (uint64_t)__builtin_clzll(random | 1) << 32 | (uint32_t)random; // 32.32
    uint64_t log = (uint64_t)((uint128)halvings * 0xb17217f8u >> 32);                   // ln 2

    return (uint64_t)((uint128)mean * log >> 32);
}

// --- Time

static void next_interruption(void)
{
    const struct sim_delays *delays = &sim.config->delays;

    sim.interruption_fs = sim.preemption_fs;
    if (sim.stall < delays->stall_count) {
        uint64_t at_fs = delays->stalls[sim.stall].at_ns * FS_PER_NS;
        if (at_fs < sim.interruption_fs)
            sim.interruption_fs = at_fs;
    }
}

static void next_preemption(void)
{
    uint32_t per_s = sim.config->delays.preemptions_per_s;

    sim.preemption_fs = per_s ? sim.now_fs + sim_exponential(FS_PER_S / per_s) : UINT64_MAX;
}

static void interrupt(void)
{
    const struct sim_delays *delays = &sim.config->delays;
    bool preempted = sim.interruption_fs == sim.preemption_fs;
    uint64_t length_ns = preempted ? sim_random_range(&sim.random, delays->preemption_min_ns,
                                                      delays->preemption_max_ns)
                                   : delays->stalls[sim.stall++].length_ns;

    sim.now_fs += length_ns * FS_PER_NS;
    paravirt_delay(length_ns * FS_PER_NS);
    if (preempted)
        next_preemption();
    next_interruption();
}

static void pass(uint32_t least_ns, uint32_t jitter_ns)
{
    sim.now_fs += (uint64_t)least_ns * FS_PER_NS;
    if (jitter_ns)
        sim.now_fs += sim_exponential((uint64_t)jitter_ns * FS_PER_NS);
    while (sim.now_fs >= sim.interruption_fs)
        interrupt();
    vcpus_yield();
}

void sim_pass_ns(uint32_t ns)
{
    pass(ns, 0);
}

void sim_before(enum sim_access access)
{
    const struct sim_latency *latency = &sim.config->latency[access];

    pass(latency->before_ns, latency->jitter_ns);
}

void sim_after(enum sim_access access)
{
    const struct sim_latency *latency = &sim.config->latency[access];

    pass(latency->after_ns, latency->jitter_ns);
}

uint64_t sim_tsc(void)
{
    uint128 lost = vcpus_current() ? 0 : sim.tsc_lost;
    uint64_t value = (uint64_t)((oscillator_phase(vcpus_tsc(), sim.now_fs) - lost) >> 64);

    return sim.config->tsc_quantum > 1 ? value - value % sim.config->tsc_quantum : value;
}

// --- The run

void sim_leave(enum sim_exit exit, uint32_t value)
{
    vcpus_leave(exit, value);
    sim.result->exit = exit;
    sim.result->value = value;
    longjmp(sim.leave, 1);
}

void sim_operation(void)
{
    if (++sim.result->operations > sim.config->operations_max || sim.now_fs > sim.end_fs)
        sim_leave(SIM_HUNG, 0);
    paravirt_pass();
}

void sim_violation(const char *what, uint64_t address, uint64_t value)
{
    size_t i = sim.result->violation_count++;

    if (i < SIM_VIOLATIONS_MAX)
        sim.result->violations[i] =
            (struct sim_violation){what, address, value, sim.now_fs / FS_PER_NS};
}

void sim_print_violations(const struct sim_result *result)
{
    for (size_t i = 0; i < result->violation_count && i < SIM_VIOLATIONS_MAX; i++)
        fprintf(stderr, "violation at %.6f ms: %s, address 0x%llx, value 0x%llx\n",
                (double)result->violations[i].at_ns / 1e6, result->violations[i].what,
                (unsigned long long)result->violations[i].address,
                (unsigned long long)result->violations[i].value);
    if (result->violation_count > SIM_VIOLATIONS_MAX)
        fprintf(stderr, "and %zu more violations\n", result->violation_count - SIM_VIOLATIONS_MAX);
}

void sim_text_add(struct sim_text *text, uint8_t byte)
{
    if (text->length < SIM_TEXT_MAX) {
        text->bytes[text->length] = (char)byte;
        text->bytes[text->length + 1] = '\0';
    }
    text->length++;
}

uint32_t sim_open_bus(void)
{
    return sim.config->open_bus_zeros ? 0 : UINT32_MAX;
}

static void empty_text(struct sim_text *text)
{
    text->bytes[0] = '\0';
    text->length = 0;
}

static void result_reset(struct sim_result *result)
{
    result->exit = SIM_RETURNED;
    result->value = 0;
    result->time_ns = result->operations = result->last_bracket_ns = 0;
    result->violation_count = 0;
    result->screen[0] = '\0';
    empty_text(&result->com1);
    empty_text(&result->com2);
    empty_text(&result->com3);
    empty_text(&result->com4);
    empty_text(&result->pci_serial);
    empty_text(&result->debugcon);
    empty_text(&result->xen_console);
}

static void machine_reset(const struct sim_config *config, struct sim_result *result)
{
    sim.config = config;
    sim.result = result;
    sim.now_fs = 0;
    sim.end_fs = config->time_max_ns * FS_PER_NS;
    sim.random = config->seed;
    sim.stall = 0;
    next_preemption();
    next_interruption();
    oscillator_start(&sim.tsc, &config->tsc);
    vcpus_reset();
    for (size_t i = 0; i < SCREEN_CELLS; i++)
        sim.cells[i] = 0x0720;
    sim.crtc_index = sim.crtc_cursor[0] = sim.crtc_cursor[1] = 0;
    pit_reset();
    hpet_reset();
    oscillator_start(&sim.pm_clock, &config->pm_timer.clock);
    lapic_reset();
    interrupts_reset();
    rtc_reset();
    oscillator_start(&sim.pvclock, &config->pvclock);
    sim.pvclock_written = false;
    oscillator_start(&sim.xen_platform, &config->xen_platform);
    sim.xen_time = NULL;
    oscillator_start(&sim.refcount_clock, &config->refcount);
    uart_reset(&sim.com1, &config->com1, &result->com1);
    uart_reset(&sim.com2, &config->com2, &result->com2);
    uart_reset(&sim.com3, &config->com3, &result->com3);
    uart_reset(&sim.com4, &config->com4, &result->com4);
    uart_reset(&sim.pci_serial, &config->pci_serial, &result->pci_serial);
    pci_reset();
    if (config->framebuffer.address)
        memset(sim_framebuffer, 0x5a, sizeof(sim_framebuffer)); // the loader's picture
    paravirt_reset();
    memory_reset();
    acpi_build();
    smbios_build();
    fw_cfg_select(0);
    sim.shutdown_at = 0;
}

// The system table and the runtime services, as far as ResetSystem needs them. UEFI 2.10, 4.3.1 and
// 4.5.1.
static uint64_t efi_build(enum sim_efi kind)
{
    uint64_t runtime = SIM_EFI_SYSTEM_TABLE + 0x1000;
    uint64_t reset = SIM_EFI_RESET_SYSTEM;
    uint64_t nowhere = 0x7a00000;
    uint8_t *table = memory_add(SIM_EFI_SYSTEM_TABLE, 120);
    uint8_t *services = memory_add(runtime, 136);

    if (kind != SIM_EFI_NO_SIGNATURE)
        memcpy(table, "IBI SYST", 8);
    memcpy(table + 88, kind == SIM_EFI_RUNTIME_NOWHERE ? &nowhere : &runtime, 8);
    memcpy(services, "RUNTSERV", 8);
    memcpy(services + 104, &reset, 8);
    return SIM_EFI_SYSTEM_TABLE;
}

static void boot(struct boot_info *info, const struct sim_config *config)
{
    uint64_t top = (uint64_t)config->memory_mib << 20;

    memset(info, 0, sizeof(*info));
    info->protocol = config->protocol;
    snprintf(info->loader, sizeof(info->loader), "%s", config->loader);
    snprintf(info->cmdline, sizeof(info->cmdline), "%s", config->options);
    info->regions[info->region_count++] = (struct memory_region){0, 0x9fc00, MEMORY_RAM};
    info->regions[info->region_count++] = (struct memory_region){0x9fc00, 0x400, MEMORY_RESERVED};
    info->regions[info->region_count++] = (struct memory_region){0xf0000, 0x10000, MEMORY_RESERVED};
    info->regions[info->region_count++] =
        (struct memory_region){0x100000, top - 0x110000, MEMORY_RAM};
    info->regions[info->region_count++] =
        (struct memory_region){top - 0x10000, 0x10000, MEMORY_ACPI_RECLAIM};
    info->framebuffer = config->framebuffer;
    info->jailhouse = config->jailhouse;
    if (config->acpi.handed_over)
        info->rsdp = sim.rsdp;
    if (config->efi)
        info->efi_system_table = efi_build(config->efi);
}

static void read_screen(char *out)
{
    for (unsigned row = 0; row < 25; row++) {
        unsigned length = 80;
        while (length && (sim.cells[80 * row + length - 1] & 0xff) == ' ')
            length--;
        for (unsigned column = 0; column < length; column++)
            *out++ = (char)(sim.cells[80 * row + column] & 0xff);
        *out++ = '\n';
    }
    *out = '\0';
}

void sim_run_guest(const struct sim_config *config, void (*guest)(const struct boot_info *boot),
                   struct sim_result *result)
{
    static struct boot_info info;

    result_reset(result);
    machine_reset(config, result);
    boot(&info, config);
    if (setjmp(sim.leave) == 0)
        guest(&info);
    if (!(sim.lapic_lvt_timer >> 16 & 1))
        sim_violation("the LAPIC timer was left unmasked", 0x320, sim.lapic_lvt_timer);
    sim.result->time_ns = sim.now_fs / FS_PER_NS;
    read_screen(sim.result->screen);
}
