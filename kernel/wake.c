#include "kernel/wake.h"

#include <machine.h>

#include "kernel/apic.h"
#include "kernel/clock.h"
#include "lib/rate.h"

// 8259A data sheet, order number 231468: ICW1 to ICW4, OCW1 (the mask) and OCW2.
#define PIC_1          0x20
#define PIC_2          0xa0
#define PIC_INIT       0x11 // edge triggered, cascaded, ICW4 follows
#define PIC_8086       0x01
#define PIC_CASCADE    2    // the line of the first that the second is on
#define PIC_END        0x20 // non-specific end of interrupt
#define PIC_MASK_ALL   0xff
#define PIC_ONLY_TIMER 0xfe

// PIT channel 0 in mode 2, which interrupts each time its count ends.
#define PIT_CHANNEL_0      0x40
#define PIT_COMMAND        0x43
#define PIT_PERIODIC       0x34
#define PIT_TICKS_A_SECOND 1193182u

// Intel SDM vol. 3A.
#define MSR_TSC_DEADLINE 0x6e0u     // 10.5.4.1
#define HAS_DEADLINE     (1u << 24) // CPUID 1 ECX

// Above the exceptions; the trap handler does not tell vectors apart.
#define VECTOR_PIC   0x20
#define VECTOR_LAPIC 0x40

#define PERIOD_MS   5
#define PATIENCE_MS 20
// Of a wait, however long they take: the host may have run something else most of the time.
#define TURNS_LEAST 1000
#define TURNS_MOST  2000000 // of a wait, where the TSC stands still
// An interrupt that comes again as soon as it was answered would leave no time for anything else.
#define STORM     1000
#define RFLAGS_IF 0x200u

static struct apic apic;
static bool has_apic, expecting;
static uint32_t lapic_period; // counts
static unsigned taken, taken_at_once;
static uint64_t ms_cycles;

const char *wake_source_word(enum wake_source source)
{
    static const char *const words[] = {"lapic", "pit", "deadline"};

    return words[source];
}

const char *wake_result_word(enum wake_result result)
{
    static const char *const words[] = {"absent", "silent", "early", "works"};

    return words[result];
}

bool wake_take(uint64_t *rflags)
{
    if (!expecting)
        return false;
    taken++;
    if (++taken_at_once > STORM)
        *rflags &= ~(uint64_t)RFLAGS_IF;
    if (has_apic)
        apic_write(&apic, APIC_END, 0);
    machine_out8(PIC_1, PIC_END);
    return true;
}

// Waits until `count` interrupts have come; false if they do not. Gives the TSC after the last one.
static bool await(unsigned count, uint64_t *when)
{
    uint64_t start = machine_tsc();

    taken = 0;
    *when = start;
    for (unsigned i = 0;
         i < TURNS_MOST && (i < TURNS_LEAST || *when - start < PATIENCE_MS * ms_cycles); i++) {
        taken_at_once = 0;
        machine_take_interrupts();
        *when = machine_tsc();
        if (taken >= count)
            return true;
        machine_pause();
    }
    return false;
}

// --- Sources

static void pic_init(uint16_t port, uint8_t vector, uint8_t cascade)
{
    machine_out8(port, PIC_INIT);
    machine_out8(port + 1, vector);
    machine_out8(port + 1, cascade);
    machine_out8(port + 1, PIC_8086);
    machine_out8(port + 1, PIC_MASK_ALL);
}

static void pit_start(void)
{
    uint16_t reload = PIT_TICKS_A_SECOND * PERIOD_MS / 1000;

    machine_out8(PIT_COMMAND, PIT_PERIODIC);
    machine_out8(PIT_CHANNEL_0, reload & 0xff);
    machine_out8(PIT_CHANNEL_0, (uint8_t)(reload >> 8));
    machine_out8(PIC_1 + 1, PIC_ONLY_TIMER);
}

static void lapic_stop(void)
{
    apic_write(&apic, APIC_LVT_TIMER, LVT_MASKED | VECTOR_LAPIC);
    apic_write(&apic, APIC_INITIAL_COUNT, 0);
}

static void lapic_start(void)
{
    apic_write(&apic, APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_LAPIC);
    apic_write(&apic, APIC_INITIAL_COUNT, lapic_period);
}

// How many counts of the LAPIC timer go into a period; false where it does not count.
static bool lapic_calibrate(void)
{
    uint32_t left = UINT32_MAX;
    uint64_t start = machine_tsc();

    apic_write(&apic, APIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR);
    apic_write(&apic, APIC_LVT_TIMER, LVT_MASKED | VECTOR_LAPIC);
    apic_write(&apic, APIC_DIVIDE, DIVIDE_BY_1);
    apic_write(&apic, APIC_INITIAL_COUNT, left);
    for (unsigned i = 0; i < TURNS_MOST && machine_tsc() - start < ms_cycles; i++)
        machine_pause();
    apic_read(&apic, APIC_CURRENT_COUNT, &left);
    lapic_period = (UINT32_MAX - left) * PERIOD_MS;
    return left && left != UINT32_MAX && UINT32_MAX - left < UINT32_MAX / PERIOD_MS;
}

static enum wake_result prove_lapic(void)
{
    uint64_t when;

    if (!has_apic)
        return WAKE_ABSENT;
    if (!lapic_calibrate())
        return WAKE_SILENT;
    lapic_start();
    bool came = await(2, &when);
    lapic_stop();
    return came ? WAKE_WORKS : WAKE_SILENT;
}

static enum wake_result prove_pit(bool use_pit)
{
    uint64_t when;

    if (!use_pit)
        return WAKE_ABSENT;
    pit_start();
    // What reads back as something else is no PIC.
    bool has_pic = machine_in8(PIC_1 + 1) == PIC_ONLY_TIMER;
    bool came = has_pic && await(2, &when);
    machine_out8(PIC_1 + 1, PIC_MASK_ALL);
    return came ? WAKE_WORKS : has_pic ? WAKE_SILENT : WAKE_ABSENT;
}

static enum wake_result prove_deadline(const struct platform *platform)
{
    uint64_t when, deadline;
    uint32_t lvt;

    if (!has_apic || !(cpuid_read(&platform->cpuid, 1, 0).ecx & HAS_DEADLINE))
        return WAKE_ABSENT;
    apic_write(&apic, APIC_LVT_TIMER, LVT_DEADLINE | VECTOR_LAPIC);
    // Where that is a memory access it must be over before the MSR is written.
    apic_read(&apic, APIC_LVT_TIMER, &lvt);
    deadline = machine_tsc() + ms_cycles;
    bool came = machine_wrmsr(MSR_TSC_DEADLINE, deadline) && await(1, &when);
    machine_wrmsr(MSR_TSC_DEADLINE, 0);
    lapic_stop();
    return !came ? WAKE_SILENT : when < deadline ? WAKE_EARLY : WAKE_WORKS;
}

// --- For others

void wake_prove(const struct platform *platform, uint64_t tsc_millihertz, bool use_pit,
                enum wake_result results[WAKE_SOURCES])
{
    char reason[128];

    ms_cycles = rate_ns_to_cycles(1000000, tsc_millihertz);
    has_apic = apic_find(&apic, platform, reason, sizeof(reason)) == CLOCK_LIVE;
    pic_init(PIC_1, VECTOR_PIC, 1u << PIC_CASCADE);
    pic_init(PIC_2, VECTOR_PIC + 8, PIC_CASCADE);
    expecting = true;
    results[WAKE_LAPIC] = prove_lapic();
    results[WAKE_PIT] = prove_pit(use_pit);
    results[WAKE_DEADLINE] = prove_deadline(platform);
}

bool wake_start(const enum wake_result results[WAKE_SOURCES])
{
    if (results[WAKE_LAPIC] == WAKE_WORKS)
        lapic_start();
    if (results[WAKE_PIT] == WAKE_WORKS)
        pit_start();
    return results[WAKE_LAPIC] == WAKE_WORKS || results[WAKE_PIT] == WAKE_WORKS;
}

void wake_sleep(void)
{
    taken_at_once = 0;
    machine_sleep();
}

void wake_end(void)
{
    if (has_apic)
        lapic_stop();
    machine_out8(PIC_1 + 1, PIC_MASK_ALL);
    // What was on its way is let in, so that nobody meets it later.
    machine_take_interrupts();
    expecting = false;
}
