// What takes two vCPUs or more: exchanges of TSC readings, and the warp test.
#include <machine.h>

#include "kernel/smp.h"

// The exchanges before the window take at most this long (0.7 s at 3 GHz), those after it as well,
// and those with one vCPU no longer than its share of what is left, which is 100 ms at most. Where
// waiting for vCPUs to come takes it up, each still gets half of what it would have had.
#define EXCHANGE_CYCLES 2000000000u
#define BLOCK_CYCLES    300000000u
#define EXCHANGES_LEAST 256 // before a verdict may end a block

// An answer that takes longer may have waited for a PAUSE.
#define WAIT_CYCLES 10000

#define READY UINT32_MAX
#define STOP  (UINT32_MAX - 1)

// Each side writes a cache line of its own.
static struct {
    uint32_t ping __attribute__((aligned(64)));
    uint32_t pong __attribute__((aligned(64)));
    uint64_t tsc;
    struct vcpu *partner;
} exchange;

// The other side: answers every ping with a reading taken after the ping and before the pong.
// cppcheck-suppress constParameter ; the type of a visit
static void answer(struct vcpu *vcpu)
{
    uint32_t seen = 0;

    // One that was given up may still come, when another is meant.
    if (vcpu != __atomic_load_n(&exchange.partner, __ATOMIC_ACQUIRE))
        return;
    __atomic_store_n(&exchange.pong, READY, __ATOMIC_RELEASE);
    while (smp_wait(&exchange.ping, seen)) {
        seen = __atomic_load_n(&exchange.ping, __ATOMIC_ACQUIRE);
        exchange.tsc = machine_tsc();
        __atomic_store_n(&exchange.pong, seen, __ATOMIC_RELEASE);
        if (seen == STOP)
            return;
    }
}

static bool is_conclusive(const struct smp *smp, const struct vcpu *vcpu, const struct skew *block)
{
    struct skew_offset offset = skew_join(&vcpu->first, block);

    return !offset.constant ||
           skew_judge(offset.low, offset.high, smp->limit_cycles) != VERDICT_INCONCLUSIVE;
}

// Which way to wait gets the faster answers? Both are tried, the second only if the first had to
// wait for long. `fastest` is of the exchanges so far, this one the latest of `count`.
#define TRIALS 4
static void choose_wait(uint32_t count, uint64_t cycles, uint64_t fastest[2])
{
    bool in_turns = smp_turns_a_pause == SMP_TURNS_IN_TURNS;

    if (count <= 2 * TRIALS && cycles < fastest[in_turns])
        fastest[in_turns] = cycles;
    if (count == TRIALS && fastest[0] > WAIT_CYCLES)
        smp_turns_a_pause = SMP_TURNS_IN_TURNS;
    if (count == 2 * TRIALS && fastest[0] <= fastest[1])
        smp_turns_a_pause = SMP_TURNS_ALONE;
}

// False if it did not come, or stopped answering.
static bool exchange_with(struct smp *smp, size_t index, struct skew *block, size_t exchanges_max,
                          uint64_t cycles)
{
    struct vcpu *vcpu = &smp->vcpus[index];
    uint64_t fastest[2] = {UINT64_MAX, UINT64_MAX};

    smp_turns_a_pause = SMP_TURNS_ALONE;
    exchange.ping = exchange.pong = 0;
    __atomic_store_n(&exchange.partner, vcpu, __ATOMIC_RELEASE);
    if (!smp_visit(index, answer) || !smp_wait(&exchange.pong, 0))
        return false;
    uint64_t start = machine_tsc();
    uint32_t last = READY, next = 1;
    while (last != STOP) {
        if (next > exchanges_max || machine_tsc() - start > cycles ||
            (next > EXCHANGES_LEAST && is_conclusive(smp, vcpu, block)))
            next = STOP;
        uint64_t before = machine_tsc();
        __atomic_store_n(&exchange.ping, next, __ATOMIC_RELEASE);
        if (!smp_wait(&exchange.pong, last)) {
            smp_stop(vcpu);
            return false;
        }
        uint64_t after = machine_tsc();
        skew_add(block, before, exchange.tsc, after);
        choose_wait(next, after - before, fastest);
        last = next++;
    }
    __atomic_store_n(&exchange.partner, NULL, __ATOMIC_RELEASE);
    return true;
}

void smp_exchange(struct smp *smp, struct skew *(*block)(struct vcpu *vcpu), size_t exchanges_max)
{
    uint64_t start = machine_tsc();
    bool done[VCPUS_MAX] = {false};

    // A host that has too much to do may leave a vCPU waiting for long, and later have time for it.
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 1; i < smp->count; i++) {
            struct vcpu *vcpu = &smp->vcpus[i];
            if (vcpu->status != VCPU_UP || done[i])
                continue;
            uint64_t spent = machine_tsc() - start;
            uint64_t left = spent < EXCHANGE_CYCLES ? EXCHANGE_CYCLES - spent : 0;
            uint64_t cycles = left / (smp->count - i), least = EXCHANGE_CYCLES / 2 / smp->count;
            if (cycles < least)
                cycles = least;
            done[i] = exchange_with(smp, i, block(vcpu), exchanges_max,
                                    cycles < BLOCK_CYCLES ? cycles : BLOCK_CYCLES);
            if (!done[i] && round)
                vcpu->status = VCPU_LOST;
        }
    }
}

// --- The warp test
//
// All vCPUs at once: each takes the latest TSC that anybody has read so far, and then reads its
// own. If that is earlier, the two TSCs differ by at least as much.

#define WARP_READS_LEAST 500
#define WARP_READS_MOST  20000
#define WARP_CYCLES      3000000u // 1 ms at 3 GHz

static struct {
    uint64_t latest __attribute__((aligned(64)));
    uint32_t ready __attribute__((aligned(64))); // vCPUs that wait for the others
    uint32_t expected;
} warp;

static void read_and_compare(struct vcpu *vcpu)
{
    uint64_t start = machine_tsc(), now = start;

    while (vcpu->reads < WARP_READS_LEAST ||
           (vcpu->reads < WARP_READS_MOST && now - start < WARP_CYCLES)) {
        uint64_t latest = __atomic_load_n(&warp.latest, __ATOMIC_ACQUIRE);
        now = machine_tsc();
        vcpu->reads++;
        if (now < latest) {
            vcpu->warps++;
            if (latest - now > vcpu->warp_cycles)
                vcpu->warp_cycles = latest - now;
        } else {
            // If somebody else was faster, that reading will do as well.
            __atomic_compare_exchange_n(&warp.latest, &latest, now, false, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED);
        }
        if (vcpu->reads % (smp_turns_a_pause / 4) == 0)
            machine_pause();
    }
}

static void join_warp(struct vcpu *vcpu)
{
    uint32_t ready = __atomic_add_fetch(&warp.ready, 1, __ATOMIC_ACQ_REL);

    // Without those who do not come, after a while.
    while (ready < warp.expected && smp_wait(&warp.ready, ready))
        ready = __atomic_load_n(&warp.ready, __ATOMIC_ACQUIRE);
    read_and_compare(vcpu);
}

void smp_warp(struct smp *smp)
{
    warp.latest = 0;
    warp.ready = 0;
    warp.expected = (uint32_t)smp->up;
    if (smp->up > 1)
        smp_visit_all(join_warp);
    for (size_t i = 0; i < smp->count; i++) {
        const struct vcpu *vcpu = &smp->vcpus[i];
        smp->warp_vcpus += vcpu->reads > 0;
        smp->reads += vcpu->reads;
        smp->warps += vcpu->warps;
        if (vcpu->warp_cycles > smp->warp_cycles)
            smp->warp_cycles = vcpu->warp_cycles;
    }
}
