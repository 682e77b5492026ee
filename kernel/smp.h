// The other vCPUs: started, compared with CPU 0, parked while the window is measured, stopped.
//
// A vCPU works in short visits. Each begins with INIT and SIPI and ends with HLT, interrupts off,
// so that between two visits it takes no time from anybody, and a vCPU that hangs, faults or does
// not come is lost alone. No wait is longer than SMP_PATIENCE_CYCLES without anybody's progress.
#pragma once

#include "kernel/measure.h"
#include "kernel/platform.h"
#include "lib/pvclock.h"
#include "lib/skew.h"

#define VCPUS_MAX 254 // CPU 0 included; one less than QEMU can make, so that the bed tests it

// 60 ms at 3 GHz: an overcommitted host runs each vCPU now and then in that time. A turn of a loop
// that waits takes 3 ns or more. A few turns there are in any case: under QEMU's -icount an INIT
// lets 10 ms pass at once.
#define SMP_PATIENCE_CYCLES 200000000u
#define SMP_TURNS_MOST      20000000u
#define SMP_TURNS_LEAST     130000u

#define MSR_TSC_ADJUST         0x3bu // IA32_TSC_ADJUST: Intel SDM vol. 3B, 18.17.3
#define CPUID_7_EBX_TSC_ADJUST (1u << 1)

enum vcpu_status {
    VCPU_ABSENT, // did not come up
    VCPU_UP,
    VCPU_FAULTED, // raised an exception
    VCPU_LOST,    // came up once, and later did not answer
};
const char *vcpu_status_word(enum vcpu_status status); // "absent", "up", "faulted", "lost"

// A CPUID leaf or an MSR that is the same on every vCPU.
struct vcpu_row {
    uint32_t leaf, subleaf;   // an MSR's number is in `leaf`
    bool msr;                 // its value is in EAX and EDX
    bool readable;            // false: an MSR that raises #GP
    struct cpuid_words words; // of CPU 0
};

// Sources that state a rate of the TSC to each vCPU by itself.
enum { VCPU_PVCLOCK, VCPU_HYPERV_MSR, VCPU_SOURCES };
extern const char *const vcpu_sources[VCPU_SOURCES]; // as in claims: "pvclock", "hyperv-msr"

enum vcpu_claims {
    VCPU_CLAIMS_NONE, // there is none; CPU 0's are judged with all other claims
    VCPU_CLAIMS_SAME, // as CPU 0's
    // Not as CPU 0's; held against the rate of this vCPU's own TSC, the worst of them:
    VCPU_CLAIMS_OK,
    VCPU_CLAIMS_INCONCLUSIVE,
    VCPU_CLAIMS_APART,   // its pvclock is more than skew= from CPU 0's
    VCPU_CLAIMS_MISSING, // here or on CPU 0, but not on both
    VCPU_CLAIMS_OFF,
};
const char *vcpu_claims_word(enum vcpu_claims claims); // "none", "same", "ok", "inconclusive", ...

struct vcpu {
    uint32_t apic_id;
    enum vcpu_status status;

    // Written by the vCPU itself:
    uint32_t arrived;           // visits that it began
    bool examined;              // the rest holds, but for the warp test's
    uint32_t differences;       // rows that are not as on CPU 0
    struct vcpu_row difference; // the first of them, with this vCPU's words
    bool has_tsc_adjust;
    uint64_t tsc_adjust; // IA32_TSC_ADJUST
    bool has_platform_info;
    uint64_t platform_info; // MSR_PLATFORM_INFO
    struct {
        uint64_t millihertz, granularity_millihertz; // 0: none
    } stated[VCPU_SOURCES];
    _Alignas(32) struct pvclock_time area; // KVM writes there
    struct pvclock_time pvclock;           // a copy, where a rate is stated
    uint64_t pvclock_tsc;                  // read just after it
    uint64_t reads;                        // of the warp test
    uint64_t warps; // of those that found an earlier TSC than another vCPU had read before
    uint64_t warp_cycles;
    uint64_t fault_rip, fault_address; // CR2
    const struct trap_frame *fault;    // on the stack on which it is halted
    uint32_t fault_vector;
    bool faulted;
    bool overflow; // of its stack

    struct skew first, second; // before and after the window
    bool measured;             // the rest holds
    struct skew_offset offset; // of its TSC to CPU 0's
    bool rate_known;
    int64_t rate_low_ppb, rate_high_ppb; // by which it runs faster
    enum verdict verdict;
    const char *reason; // where it is not ok, else ""

    enum vcpu_claims claims;
    unsigned claims_source; // the one to which `claims` is due, where it is not SAME or NONE
    bool clock_known;       // by how much the pvclock that it reads is ahead of CPU 0's:
    int64_t clock_low_ns, clock_high_ns;
    bool clock_off; // by more than skew=
};

struct smp {
    bool ran;              // false: there is one vCPU, or `problem` or cpus= says why not
    const char *found_by;  // "madt", or "broadcast" where there is no MADT, or "none"
    char problem[96];      // why no vCPU could be started, or ""
    size_t listed;         // vCPUs that are known of
    size_t count;          // in `vcpus`: CPU 0 is the first
    size_t up;             // how many are up, CPU 0 included
    uint64_t start_cycles; // until the last one had come and compared itself
    uint64_t spent_cycles; // all that this file's functions took
    size_t rows;           // CPUID leaves and MSRs compared
    uint64_t skew_ns;      // skew=
    uint64_t limit_cycles; // the same, UINT64_MAX where the TSC's rate is not known
    uint64_t warp_cycles;  // the largest warp
    uint64_t warps, reads; // of all vCPUs
    size_t warp_vcpus;     // that took part
    bool warped;           // by so much that not all can be within skew=
    enum verdict verdict;  // the worst
    struct vcpu vcpus[VCPUS_MAX];
};

// Starts every vCPU that cpus= lets pass, compares it, and does the first block of exchanges.
// Leaves them halted. `out` must stay.
void smp_start(struct smp *out, const struct platform *platform);

// The second block of exchanges, the warp test, and the verdicts. Leaves them halted.
void smp_finish(struct smp *out, const struct options *options,
                const struct measurement *measurement);

// Was the exception whose frame lies at `stack` raised by one of the other vCPUs? Then it is noted
// for that vCPU, which is to be halted. `address`: of a page fault.
bool smp_take_fault(uint64_t stack, uint64_t vector, uint64_t rip, uint64_t address);

// From here: what kernel/smp*.c share.

// kernel/smp_rows.c
size_t smp_rows_collect(const struct platform *platform); // reads them on CPU 0; gives how many
void smp_rows_compare(struct vcpu *vcpu);                 // by the vCPU itself

// kernel/smp_claims.c
void smp_claims_start(const struct platform *platform); // on CPU 0
void smp_claims_collect(struct vcpu *vcpu);             // by the vCPU itself
// On CPU 0, once the vCPU has its verdict.
void smp_claims_judge(struct vcpu *vcpu, const struct vcpu *first, const struct options *options,
                      const struct measurement *measurement);

// kernel/smp.c: begins a visit of vCPU `index`, on which `what` runs. It has come when its
// `arrived` has counted up: false if it does not come.
bool smp_visit(size_t index, void (*what)(struct vcpu *vcpu));
// The same for all that are up, at once, and here; waits for the end of the visits.
void smp_visit_all(void (*what)(struct vcpu *vcpu));
// Ends it, whatever the vCPU is at.
void smp_stop(const struct vcpu *vcpu);
// How many turns of a wait there are to a PAUSE; a power of 2. Where one thread emulates all vCPUs
// in turn, PAUSE makes it go to the next one, and must come soon. Where each has its own thread,
// QEMU's PAUSE takes a lock that all share and does not let go of it fairly: it must not come at
// all while the other one is about to answer.
#define SMP_TURNS_ALONE    4096u
#define SMP_TURNS_IN_TURNS 16u
extern uint32_t smp_turns_a_pause;
// Waits until *word is no longer `old`; false if that took too long.
bool smp_wait(const uint32_t *word, uint32_t old);

// kernel/smp_skew.c
void smp_exchange(struct smp *smp, struct skew *(*block)(struct vcpu *vcpu), size_t exchanges_max);
void smp_warp(struct smp *smp);
