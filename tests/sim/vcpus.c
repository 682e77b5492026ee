// The vCPUs besides CPU 0. Each runs the kernel's own code on a stack and in a time of its own; the
// one whose time is earliest goes on, so that whatever they do to each other happens in the order
// of true time.
#include <assert.h>
#include <stdlib.h>
#include <ucontext.h>

#include "tests/sim/model.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (256u << 10)
#define WAKE_FS     (5000 * (uint64_t)FS_PER_NS) // from SIPI to its first instruction
#define HANGS_AT    20

#define SHORTHAND      (3u << 18)
#define OTHERS         (3u << 18)
#define KIND_AND_LEVEL 0xff00u
#define INIT           0x4500u
#define START          0x4600u

static struct vcpu_state {
    enum { HALTED, WAITS, RUNS } state; // WAITS: for SIPI
    uint64_t now_fs;
    unsigned inits, sipis, readings;
    struct oscillator tsc;
    ucontext_t context;
    uint8_t *stack;   // the kernel's
    void *fake_stack; // the sanitizer's
} vcpus[SIM_VCPUS_MAX];

static uint8_t stacks[SIM_VCPUS_MAX][STACK_BYTES] __attribute__((aligned(16)));
#ifdef SANITIZED
static const void *main_stack;
static size_t main_stack_bytes;
#endif

static unsigned current, running; // running: besides CPU 0
static uint64_t page;
static struct machine_vcpus *table;
static bool leaving;
static enum sim_exit leave_exit;
static uint32_t leave_value;

unsigned vcpus_current(void)
{
    return current;
}

uint32_t vcpus_apic_id(unsigned number)
{
    uint32_t id = sim.config->vcpus[number].apic_id;

    return id ? id : number;
}

void vcpus_reset(void)
{
    current = running = 0;
    page = 0;
    leaving = false;
    for (unsigned i = 1; i < sim.config->acpi.cpus; i++) {
        const struct sim_vcpu *config = &sim.config->vcpus[i];
        assert(i < SIM_VCPUS_MAX);
        vcpus[i].state = WAITS;
        vcpus[i].inits = vcpus[i].sipis = vcpus[i].readings = 0;
        oscillator_start(&vcpus[i].tsc, config->own_tsc ? &config->tsc : &sim.config->tsc);
    }
}

// --- Going from one to the other

static void switch_to(unsigned next)
{
    struct vcpu_state *from = &vcpus[current], *to = &vcpus[next];

    from->now_fs = sim.now_fs;
    sim.now_fs = to->now_fs;
    current = next;
#ifdef SANITIZED
    __sanitizer_start_switch_fiber(&from->fake_stack, next ? stacks[next] : main_stack,
                                   next ? STACK_BYTES : main_stack_bytes);
#endif
    swapcontext(&from->context, &to->context);
#ifdef SANITIZED
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
    if (leaving && !current)
        sim_leave(leave_exit, leave_value);
}

static unsigned earliest(void)
{
    unsigned best = 0;

    vcpus[current].now_fs = sim.now_fs;
    for (unsigned i = 1; i < sim.config->acpi.cpus; i++)
        if (vcpus[i].state == RUNS && vcpus[i].now_fs < vcpus[best].now_fs)
            best = i;
    return best;
}

void vcpus_yield(void)
{
    if (!running)
        return;
    unsigned next = earliest();
    if (next != current && vcpus[next].now_fs < sim.now_fs)
        switch_to(next);
}

void vcpus_stop(void)
{
    running--;
    vcpus[current].state = HALTED;
    switch_to(earliest());
    abort(); // it was started again with a stack of its own
}

void vcpus_leave(enum sim_exit exit, uint32_t value)
{
    if (!current)
        return;
    leaving = true;
    leave_exit = exit;
    leave_value = value;
    switch_to(0);
}

struct oscillator *vcpus_tsc(void)
{
    struct vcpu_state *vcpu = &vcpus[current];

    if (!current)
        return &sim.tsc;
    enum sim_vcpu_manner manner = sim.config->vcpus[current].manner;
    if (++vcpu->readings == HANGS_AT && manner == SIM_VCPU_STALLS)
        vcpus_stop();
    if (vcpu->readings >= HANGS_AT && manner == SIM_VCPU_HANGS)
        vcpus_stop();
    return &vcpu->tsc;
}

uint8_t *vcpus_stack(void)
{
    return vcpus[current].stack;
}

// --- Starting

// What boot/ap.asm does: finds out which one it is, and calls C.
static void begin(void)
{
    uint32_t index = 0, id = vcpus_apic_id(current);

#ifdef SANITIZED
    static bool known;
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
    if (!known) { // the first one always comes from CPU 0
        main_stack = bottom;
        main_stack_bytes = bytes;
        known = true;
    }
#endif
    while (index < table->count && table->apic_ids[index] != id)
        index++;
    if (index == table->count) {
        if (table->count >= table->limit)
            vcpus_stop();
        table->apic_ids[table->count++] = id;
    }
    vcpus[current].stack = table->stacks + (size_t)index * table->stack_bytes;
    if (sim.config->vcpus[current].manner == SIM_VCPU_FAULTS)
        exception_on_vcpu();
    table->entry(index);
    vcpus_stop();
}

static void start(unsigned number)
{
    struct vcpu_state *vcpu = &vcpus[number];

    getcontext(&vcpu->context);
    vcpu->context.uc_stack.ss_sp = stacks[number];
    vcpu->context.uc_stack.ss_size = STACK_BYTES;
    vcpu->context.uc_link = NULL;
#ifdef SANITIZED
    __asan_unpoison_memory_region(stacks[number], STACK_BYTES);
#endif
    makecontext(&vcpu->context, begin, 0);
    vcpu->state = RUNS;
    vcpu->now_fs = sim.now_fs + WAKE_FS;
    running++;
}

static void init(unsigned number)
{
    if (vcpus[number].state == RUNS)
        running--;
    vcpus[number].state = WAITS;
    vcpus[number].sipis = 0;
    vcpus[number].inits++;
}

static void take_start(unsigned number, uint32_t vector)
{
    enum sim_vcpu_manner manner = sim.config->vcpus[number].manner;

    if (!page || vector != page >> 12)
        sim_violation("SIPI to a page without a trampoline", vector, page);
    else if (vcpus[number].state == WAITS && manner != SIM_VCPU_NEVER &&
             (manner != SIM_VCPU_LATE || vcpus[number].inits > 1) &&
             ++vcpus[number].sipis > (manner == SIM_VCPU_SECOND))
        start(number);
}

void vcpus_command(uint32_t apic_id, uint32_t command)
{
    bool others = (command & SHORTHAND) == OTHERS;
    uint32_t kind = command & KIND_AND_LEVEL;

    if ((!others && command & SHORTHAND) || (kind != INIT && kind != START))
        sim_violation("an IPI that the design does not send", apic_id, command);
    for (unsigned i = 1; i < sim.config->acpi.cpus; i++) {
        if (!others && vcpus_apic_id(i) != apic_id)
            continue;
        if (kind == INIT)
            init(i);
        else
            take_start(i, command & 0xff);
    }
}

void machine_trampoline(uint64_t at, struct machine_vcpus *vcpus_table)
{
    sim_operation();
    if (page)
        sim_violation("a second trampoline", at, page);
    if (!at || at % 4096 || at + 4096 > 0x9fc00)
        sim_violation("the trampoline is not in a page of RAM below 1 MiB", at, 0);
    if ((uintptr_t)vcpus_table->stacks % 4096 || vcpus_table->stack_bytes != 8192)
        sim_violation("stacks without a guard page each", (uintptr_t)vcpus_table->stacks,
                      vcpus_table->stack_bytes);
    page = at;
    table = vcpus_table;
}
