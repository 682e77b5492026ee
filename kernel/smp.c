#include <machine.h>

#include "kernel/smp.h"

#include "kernel/apic.h"
#include "lib/text.h"

// A page for the trampoline: above the BIOS data area, below what firmware keeps of the first
// 640 KiB.
#define PAGE_FAULT 14
#define PAGE_FIRST 0x8000u
#define PAGE_LAST  0x80000u

// A guard page and a page in which are the stack, one for exceptions, TSS and GDT: boot/ap.asm.
#define STACK_BYTES 8192u

// Where there is no MADT nobody says how many will come: 10 ms at 3 GHz after the last one.
#define BROADCAST_CYCLES 30000000u

static uint8_t stacks[VCPUS_MAX * STACK_BYTES]
    __attribute__((aligned(PAGE_SIZE), section(".bss.ap_stacks"))); // not cleared: linker.ld
static uint32_t apic_ids[VCPUS_MAX];
static struct machine_vcpus vcpus;
static struct apic apic;
static uint32_t page;
static uint32_t progress; // counts whatever a vCPU has done

static struct smp *smp;
static void (*visit)(struct vcpu *vcpu);

const char *vcpu_status_word(enum vcpu_status status)
{
    static const char *const words[] = {"absent", "up", "faulted", "lost"};

    return words[status];
}

// --- On the other vCPUs

static void arrive(uint32_t index)
{
    struct vcpu *vcpu = &smp->vcpus[index];

    __atomic_store_n(&vcpu->arrived, vcpu->arrived + 1, __ATOMIC_RELEASE);
    visit(vcpu);
    __atomic_fetch_add(&progress, 1, __ATOMIC_RELEASE);
    machine_halt();
}

bool smp_take_fault(uint64_t stack, uint64_t vector, uint64_t rip, uint64_t address)
{
    uint64_t offset = stack - (uint64_t)stacks, fault = address - (uint64_t)stacks;

    if (!smp || offset >= sizeof(stacks))
        return false;
    struct vcpu *vcpu = &smp->vcpus[offset / STACK_BYTES];
    if (!vcpu->faulted) {
        vcpu->fault_vector = (uint32_t)vector;
        vcpu->fault_rip = rip;
        vcpu->fault_address = address;
        vcpu->fault = (const struct trap_frame *)stack;
        vcpu->overflow = vector == PAGE_FAULT && fault / STACK_BYTES == offset / STACK_BYTES &&
                         fault % STACK_BYTES < PAGE_SIZE;
        __atomic_store_n(&vcpu->faulted, true, __ATOMIC_RELEASE);
    }
    __atomic_fetch_add(&progress, 1, __ATOMIC_RELEASE);
    return true;
}

// --- On CPU 0

struct patience {
    uint64_t cycles, start;
    uint32_t turn;
};

static struct patience patience(uint64_t cycles)
{
    return (struct patience){cycles, machine_tsc(), 0};
}

uint32_t smp_turns_a_pause = SMP_TURNS_ALONE;

// An answer may come any moment, and nothing must slow it down; later the TSC is looked at.
#define TURNS_ALERT  4096
#define TURNS_A_LOOK 16

// One turn of a wait: false when it has been long enough.
static bool wait(struct patience *patience)
{
    patience->turn++;
    if (!(patience->turn & (smp_turns_a_pause - 1)))
        machine_pause();
    if (patience->turn < TURNS_ALERT || patience->turn % TURNS_A_LOOK)
        return true;
    return patience->turn < SMP_TURNS_MOST &&
           (patience->turn < SMP_TURNS_LEAST || machine_tsc() - patience->start < patience->cycles);
}

bool smp_wait(const uint32_t *word, uint32_t old)
{
    struct patience left = {0};

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old) {
        if (!left.cycles)
            left = patience(SMP_PATIENCE_CYCLES);
        else if (!wait(&left))
            return false;
    }
    return true;
}

// INIT and SIPI, as the MP specification 1.4, B.4 has it, but without its pauses, which are for
// processors without an integrated APIC: whoever misses a SIPI gets another.
static void send_init(uint32_t apic_id, uint32_t others)
{
    apic_send(&apic, apic_id, APIC_INIT | others);
}

static void send_start(uint32_t apic_id, uint32_t others)
{
    apic_send(&apic, apic_id, APIC_START | page / PAGE_SIZE | others);
}

// After `first` turns, a power of 2; then after 4, 16, 64, ... times as many.
static bool is_time_to_retry(uint32_t turn, uint32_t first)
{
    return turn >= first && !(turn & (turn - 1)) && __builtin_ctz(turn / first) % 2 == 0;
}

// Waits until the vCPU has begun its visit number `visits`.
static bool wait_for(const struct vcpu *vcpu, uint32_t visits)
{
    struct patience left = patience(SMP_PATIENCE_CYCLES);

    while (__atomic_load_n(&vcpu->arrived, __ATOMIC_ACQUIRE) != visits) {
        if (!wait(&left))
            return false;
        if (is_time_to_retry(left.turn, 1u << 10))
            send_start(vcpu->apic_id, 0);
    }
    return true;
}

void smp_stop(const struct vcpu *vcpu)
{
    send_init(vcpu->apic_id, 0);
}

bool smp_visit(size_t index, void (*what)(struct vcpu *vcpu))
{
    struct vcpu *vcpu = &smp->vcpus[index];
    uint32_t visits = vcpu->arrived + 1;

    visit = what;
    send_init(vcpu->apic_id, 0);
    send_start(vcpu->apic_id, 0);
    if (wait_for(vcpu, visits))
        return true;
    send_init(vcpu->apic_id, 0); // so that it does not come too late
    return false;
}

// Begins a visit of each vCPU that has this status and one of this CPU, and waits until all are
// done.
static void visit_those(enum vcpu_status status, void (*what)(struct vcpu *vcpu))
{
    uint32_t done = 0, expected = 0;

    visit = what;
    __atomic_store_n(&progress, 0, __ATOMIC_RELEASE);
    for (size_t i = 1; i < smp->count; i++)
        if (smp->vcpus[i].status == status)
            send_init(smp->vcpus[i].apic_id, 0);
    for (size_t i = 1; i < smp->count; i++) {
        if (smp->vcpus[i].status != status)
            continue;
        send_start(smp->vcpus[i].apic_id, 0);
        expected++;
    }
    what(&smp->vcpus[0]);
    struct patience left = patience(SMP_PATIENCE_CYCLES);
    while (done < expected) {
        uint32_t now = __atomic_load_n(&progress, __ATOMIC_ACQUIRE);
        if (now != done) {
            done = now;
            left = patience(SMP_PATIENCE_CYCLES);
        } else if (!wait(&left)) {
            break;
        }
        for (size_t i = 1; is_time_to_retry(left.turn, 1u << 16) && i < smp->count; i++)
            if (smp->vcpus[i].status == status)
                send_start(smp->vcpus[i].apic_id, 0); // ignored by those that run
    }
}

static void note_faults(void)
{
    smp->up = 1;
    for (size_t i = 1; i < smp->count; i++) {
        struct vcpu *vcpu = &smp->vcpus[i];
        if (__atomic_load_n(&vcpu->faulted, __ATOMIC_ACQUIRE))
            vcpu->status = VCPU_FAULTED;
        smp->up += vcpu->status == VCPU_UP;
    }
}

void smp_visit_all(void (*what)(struct vcpu *vcpu))
{
    visit_those(VCPU_UP, what);
    note_faults();
}

// --- Who there is

static uint32_t find_page(const struct boot_info *boot)
{
    if (boot->low_page)
        return (uint32_t)boot->low_page;
    if (!boot->region_count)
        return PAGE_FIRST;
    for (uint32_t at = PAGE_FIRST; at < PAGE_LAST; at += PAGE_SIZE) {
        bool ram = false, other = false;
        for (size_t i = 0; i < boot->region_count; i++) {
            const struct memory_region *region = &boot->regions[i];
            uint64_t end = region->base + region->length;
            if (region->type == MEMORY_RAM)
                ram |= region->base <= at && at + PAGE_SIZE <= end;
            else
                other |= region->base < at + PAGE_SIZE && at < end;
        }
        if (ram && !other)
            return at;
    }
    return 0;
}

static void add_vcpu(uint32_t apic_id)
{
    smp->listed++;
    if (smp->count == vcpus.limit)
        return;
    struct vcpu *vcpu = &smp->vcpus[smp->count];
    vcpu->apic_id = apic_ids[smp->count] = apic_id;
    vcpu->reason = "";
    skew_start(&vcpu->first);
    skew_start(&vcpu->second);
    smp->count++;
}

static void list(const struct acpi_tables *acpi, uint32_t own_id)
{
    size_t kept = acpi->apic_id_count < ACPI_APIC_IDS_MAX ? acpi->apic_id_count : ACPI_APIC_IDS_MAX;

    smp->found_by = "madt";
    for (size_t i = 0; i < kept; i++)
        if (acpi->apic_ids[i] != own_id)
            add_vcpu(acpi->apic_ids[i]);
    smp->listed += acpi->apic_id_count - kept;
    vcpus.count = vcpus.limit = (uint32_t)smp->count;
}

static void nothing(struct vcpu *vcpu)
{
    (void)vcpu;
}

// Without a list, all are called, and those who come are the list.
static void call_all(void)
{
    uint32_t seen = 1;

    smp->found_by = "broadcast";
    vcpus.count = 1;
    visit = nothing;
    send_init(0, APIC_OTHERS);
    send_start(0, APIC_OTHERS);
    struct patience left = patience(BROADCAST_CYCLES);
    while (wait(&left)) {
        uint32_t count = __atomic_load_n(&vcpus.count, __ATOMIC_ACQUIRE);
        if (count == seen)
            continue;
        seen = count;
        left = patience(BROADCAST_CYCLES);
    }
    vcpus.limit = seen; // nobody else from now on
    for (uint32_t i = 1; i < seen; i++)
        add_vcpu(apic_ids[i]);
}

static bool prepare(const struct platform *platform)
{
    uint32_t own_id = apic_id_here();

    smp->count = smp->listed = smp->up = 1;
    smp->vcpus[0] = (struct vcpu){.apic_id = own_id, .status = VCPU_UP, .reason = ""};
    smp->found_by = "none";
    if (platform->options.cpus == 1 || !(platform->options.sections & SECTION_VCPUS) ||
        (platform->acpi.has_madt && platform->acpi.apic_id_count <= 1))
        return false;
    if (apic_find(&apic, platform, smp->problem, sizeof(smp->problem)) != CLOCK_LIVE)
        return false;
    page = find_page(platform->boot);
    if (!page) {
        text_print(smp->problem, sizeof(smp->problem),
                   "the memory map has no free page below 1 MiB");
        return false;
    }
    memset(apic_ids, 0xff, sizeof(apic_ids));
    apic_ids[0] = own_id;
    uint32_t asked = platform->options.cpus;
    vcpus = (struct machine_vcpus){.entry = arrive,
                                   .apic_ids = apic_ids,
                                   .stacks = stacks,
                                   .stack_bytes = STACK_BYTES,
                                   .limit = asked && asked < VCPUS_MAX ? asked : VCPUS_MAX};
    if (platform->acpi.has_madt)
        list(&platform->acpi, own_id);
    machine_trampoline(page, &vcpus);
    if (!platform->acpi.has_madt)
        call_all();
    return smp->count > 1;
}

static struct skew *first_block(struct vcpu *vcpu)
{
    return &vcpu->first;
}

static struct skew *second_block(struct vcpu *vcpu)
{
    return &vcpu->second;
}

static bool overflows; // fault=

static void examine(struct vcpu *vcpu)
{
    if (overflows && vcpu == &smp->vcpus[1])
        machine_raise_stack();
    vcpu->differences = 0;
    smp_claims_collect(vcpu);
    smp_rows_compare(vcpu);
    __atomic_store_n(&vcpu->examined, true, __ATOMIC_RELEASE);
}

// Starts and examines those that are not up yet, and sees to it that none comes too late. Gives how
// many did not come to the end of it; of these `status` is what they become that came at all.
static size_t start_absent(enum vcpu_status status)
{
    size_t missing = 0;

    visit_those(VCPU_ABSENT, examine);
    for (size_t i = 1; i < smp->count; i++) {
        struct vcpu *vcpu = &smp->vcpus[i];
        if (__atomic_load_n(&vcpu->examined, __ATOMIC_ACQUIRE) ||
            __atomic_load_n(&vcpu->faulted, __ATOMIC_ACQUIRE)) {
            vcpu->status = VCPU_UP;
            continue;
        }
        send_init(vcpu->apic_id, 0);
        missing++;
        if (vcpu->arrived)
            vcpu->status = status;
    }
    return missing;
}

// Enough for the narrowest of 256 to be near the least, and more where a verdict needs it.
#define EXCHANGES_FIRST  256
#define EXCHANGES_SECOND 4096

void smp_start(struct smp *out, const struct platform *platform)
{
    uint64_t start = machine_tsc();

    smp = out;
    memset(smp, 0, sizeof(*smp));
    smp->limit_cycles = UINT64_MAX;
    smp->ran = prepare(platform);
    if (!smp->ran)
        return;
    overflows = platform->options.fault == FAULT_VCPU_STACK;
    smp->rows = smp_rows_collect(platform);
    smp_claims_start(platform);
    if (start_absent(VCPU_ABSENT)) // a busy host may need longer
        start_absent(VCPU_LOST);
    note_faults();
    smp->start_cycles = machine_tsc() - start;
    smp_exchange(smp, first_block, EXCHANGES_FIRST);
    note_faults();
    smp->spent_cycles = machine_tsc() - start;
}

// --- Verdicts

static void judge_vcpu(struct vcpu *vcpu)
{
    vcpu->verdict = VERDICT_INCONCLUSIVE;
    vcpu->reason = "too few exchanges";
    if (!vcpu->first.exchanges || !vcpu->second.exchanges)
        return;
    vcpu->measured = true;
    vcpu->offset = skew_join(&vcpu->first, &vcpu->second);
    vcpu->rate_known =
        skew_rate(&vcpu->first, &vcpu->second, &vcpu->rate_low_ppb, &vcpu->rate_high_ppb);
    vcpu->verdict = skew_judge(vcpu->offset.low, vcpu->offset.high, smp->limit_cycles);
    vcpu->reason = "";
    if (!vcpu->offset.constant) {
        vcpu->verdict = VERDICT_OFF;
        vcpu->reason = "its offset to CPU 0 changed";
    } else if (smp->limit_cycles == UINT64_MAX) {
        vcpu->verdict = VERDICT_INCONCLUSIVE;
        vcpu->reason = "the rate of the TSC is not known";
    } else if (vcpu->verdict == VERDICT_OFF) {
        vcpu->reason = "its offset to CPU 0 is above skew=";
    } else if (vcpu->verdict == VERDICT_INCONCLUSIVE) {
        vcpu->reason = "the exchange is too slow to tell";
    }
}

static unsigned severity(enum verdict verdict)
{
    return verdict == VERDICT_OFF ? 2 : verdict == VERDICT_INCONCLUSIVE;
}

void smp_finish(struct smp *out, const struct options *options,
                const struct measurement *measurement)
{
    uint64_t start = machine_tsc();

    if (!out->ran)
        return;
    smp->skew_ns = options->skew_ns;
    if (measurement->tsc_millihertz)
        smp->limit_cycles = rate_ns_to_cycles(options->skew_ns, measurement->tsc_millihertz);
    smp_exchange(smp, second_block, EXCHANGES_SECOND);
    note_faults();
    smp_warp(smp);
    // Two that are within skew= of CPU 0 are within twice that of each other.
    smp->warped = smp->limit_cycles != UINT64_MAX && smp->warp_cycles > 2 * smp->limit_cycles;
    smp->verdict = smp->warped ? VERDICT_OFF : VERDICT_OK;
    for (size_t i = 0; i < smp->count; i++) {
        struct vcpu *vcpu = &smp->vcpus[i];
        if (i && vcpu->status == VCPU_UP) {
            judge_vcpu(vcpu);
            smp_claims_judge(vcpu, &smp->vcpus[0], options, measurement);
        }
        if (severity(vcpu->verdict) > severity(smp->verdict))
            smp->verdict = vcpu->verdict;
    }
    smp->spent_cycles += machine_tsc() - start;
}
