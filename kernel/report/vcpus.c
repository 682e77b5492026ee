#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

#define ROWS_SHOWN 8

static void record_bounds(const char *low_key, const char *high_key, const int64_t *low,
                          const int64_t *high)
{
    if (low) {
        record_s64(low_key, *low);
        record_s64(high_key, *high);
    } else {
        record_null(low_key);
        record_null(high_key);
    }
}

#define DIFFERENCE_SIZE 96
static const char *describe_difference(char out[DIFFERENCE_SIZE], const struct vcpu *vcpu)
{
    const struct vcpu_row *row = &vcpu->difference;
    const struct cpuid_words *words = &row->words;

    if (row->msr && !row->readable)
        text_print(out, DIFFERENCE_SIZE, "MSR 0x%x: #GP", row->leaf);
    else if (row->msr)
        text_print(out, DIFFERENCE_SIZE, "MSR 0x%x: 0x%08x%08x", row->leaf, words->edx, words->eax);
    else
        text_print(out, DIFFERENCE_SIZE, "leaf 0x%x.%u: 0x%08x 0x%08x 0x%08x 0x%08x", row->leaf,
                   row->subleaf, words->eax, words->ebx, words->ecx, words->edx);
    return out;
}

// What is wrong with it in words, or "".
#define REASON_SIZE 64
static const char *describe(char out[REASON_SIZE], const struct vcpu *vcpu)
{
    if (vcpu->status == VCPU_FAULTED)
        text_print(out, REASON_SIZE, "CPU exception %u at rip 0x%llx", vcpu->fault_vector,
                   (unsigned long long)vcpu->fault_rip);
    else
        text_print(out, REASON_SIZE, "%s",
                   vcpu->status == VCPU_ABSENT ? "it did not come up"
                   : vcpu->status == VCPU_LOST ? "it came up, but later did not answer"
                                               : vcpu->reason);
    return out;
}

struct bounds {
    int64_t low, high;
};

static struct bounds offset_ns(const struct vcpu *vcpu, uint64_t millihertz)
{
    return (struct bounds){skew_ns(vcpu->offset.low, millihertz),
                           skew_ns_up(vcpu->offset.high, millihertz)};
}

static void write_record(const struct vcpu *vcpu, size_t index, uint64_t millihertz)
{
    struct bounds ns = offset_ns(vcpu, millihertz);
    bool has_ns = vcpu->measured && millihertz;
    char text[DIFFERENCE_SIZE];
    uint64_t narrowest = vcpu->first.narrowest < vcpu->second.narrowest ? vcpu->first.narrowest
                                                                        : vcpu->second.narrowest;
    emit_record("vcpu");

    record_u64("index", index);
    record_u64("apic_id", vcpu->apic_id);
    record_string("status", vcpu_status_word(vcpu->status));
    record_bounds("offset_low_cycles", "offset_high_cycles",
                  vcpu->measured ? &vcpu->offset.low : NULL, &vcpu->offset.high);
    record_bounds("offset_low_ns", "offset_high_ns", has_ns ? &ns.low : NULL, &ns.high);
    record_bounds("rate_low_ppb", "rate_high_ppb", vcpu->rate_known ? &vcpu->rate_low_ppb : NULL,
                  &vcpu->rate_high_ppb);
    record_u64("exchanges", vcpu->first.exchanges + vcpu->second.exchanges);
    record_ns("exchange_min_ns", narrowest, has_ns ? millihertz : 0);
    if (vcpu->has_tsc_adjust)
        record_s64("tsc_adjust", (int64_t)vcpu->tsc_adjust);
    else
        record_null("tsc_adjust");
    record_u64("differences", vcpu->differences);
    record_string("difference", vcpu->differences ? describe_difference(text, vcpu) : NULL);
    record_u64("warps", vcpu->warps);
    record_u64("warp_max_cycles", vcpu->warp_cycles);
    record_string("verdict",
                  index && vcpu->status == VCPU_UP ? verdict_word(vcpu->verdict) : "none");
    record_string("reason", describe(text, vcpu));
    emit_record_end();
}

// How far its TSC may be from CPU 0's.
static uint64_t worst(const struct vcpu *vcpu)
{
    uint64_t below = vcpu->offset.low < 0 ? 0 - (uint64_t)vcpu->offset.low : 0;
    uint64_t above = vcpu->offset.high > 0 ? (uint64_t)vcpu->offset.high : 0;

    return below > above ? below : above;
}

static bool is_remarkable(const struct vcpu *vcpu)
{
    return vcpu->status != VCPU_UP || vcpu->verdict != VERDICT_OK || vcpu->differences;
}

static void write_row(const struct vcpu *vcpu, size_t index, uint64_t millihertz)
{
    struct bounds ns = offset_ns(vcpu, millihertz);
    char text[DIFFERENCE_SIZE];

    emit_text("  vCPU %-4zu ", index);
    if (vcpu->measured && millihertz)
        emit_text("%11lld to %lld ns  %s", (long long)ns.low, (long long)ns.high,
                  verdict_word(vcpu->verdict));
    else
        emit_text("%s", vcpu_status_word(vcpu->status));
    const char *reason = describe(text, vcpu);
    emit_text("%s%s\n", *reason ? ": " : "", reason);
    if (vcpu->differences)
        emit_text("            differs from CPU 0: %s\n", describe_difference(text, vcpu));
}

// Those that are not as they should be; if all are, the one that is furthest off.
static void write_rows(const struct smp *smp, uint64_t millihertz)
{
    size_t remarkable = 0, furthest = 1;

    for (size_t i = 1; i < smp->count; i++) {
        const struct vcpu *vcpu = &smp->vcpus[i];
        if (worst(vcpu) > worst(&smp->vcpus[furthest]))
            furthest = i;
        if (is_remarkable(vcpu) && remarkable++ < ROWS_SHOWN)
            write_row(vcpu, i, millihertz);
    }
    if (remarkable > ROWS_SHOWN)
        emit_text("  and %zu more: see the records\n", remarkable - ROWS_SHOWN);
    if (!remarkable) {
        emit_text("  furthest from CPU 0:\n");
        write_row(&smp->vcpus[furthest], furthest, millihertz);
    }
}

static void write_summary_record(const struct smp *smp, uint64_t millihertz)
{
    emit_record("vcpus");
    record_u64("listed", smp->listed);
    record_u64("examined", smp->count);
    record_u64("up", smp->up);
    record_string("found_by", smp->found_by);
    record_u64("rows", smp->rows);
    record_ns("start_ns", smp->start_cycles, millihertz);
    record_ns("spent_ns", smp->spent_cycles, millihertz);
    record_string("reason", smp->problem);
    emit_record_end();
}

static void write_warp(const struct smp *smp, uint64_t millihertz)
{
    uint64_t ns = rate_cycles_to_ns(smp->warp_cycles, millihertz);
    emit_record("warp");

    record_u64("vcpus", smp->warp_vcpus);
    record_u64("reads", smp->reads);
    record_u64("warps", smp->warps);
    record_u64("max_cycles", smp->warp_cycles);
    record_ns("max_ns", smp->warp_cycles, millihertz);
    emit_record_end();
    emit_text("  warp test: %llu readings by %zu vCPUs at once, ", (unsigned long long)smp->reads,
              smp->warp_vcpus);
    if (smp->warps)
        emit_text("%llu went backwards, by up to %llu ns\n", (unsigned long long)smp->warps,
                  (unsigned long long)ns);
    else
        emit_text("none went backwards\n");
}

void report_vcpus(const struct smp *smp, const struct measurement *measurement)
{
    uint64_t millihertz = measurement->tsc_millihertz;
    size_t differing = 0;

    write_summary_record(smp, millihertz);
    if (!smp->ran) {
        if (smp->problem[0])
            emit_note("info", "no other vCPU was started: %s", smp->problem);
        emit_point(true, "one vCPU", "the vCPUs agree");
        return;
    }
    for (size_t i = 0; i < smp->count; i++) {
        differing += smp->vcpus[i].differences != 0;
        write_record(&smp->vcpus[i], i, millihertz);
    }
    emit_text("\nvCPUs: %zu of %zu are up", smp->up, smp->count);
    if (differing)
        emit_text(", %zu differ from CPU 0", differing);
    else
        emit_text(", the same in %zu CPUID leaves and MSRs", smp->rows);
    emit_text("; offset of each TSC to CPU 0\n");
    if (smp->listed > smp->count)
        emit_note("info", "%zu vCPUs are listed, %zu were examined", smp->listed, smp->count);
    write_rows(smp, millihertz);
    write_warp(smp, millihertz);
    emit_point(smp->verdict != VERDICT_OFF,
               smp->verdict == VERDICT_INCONCLUSIVE ? "inconclusive" : NULL, "the vCPUs agree");
}
