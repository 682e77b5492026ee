#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "kernel/trap.h"

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
        text_print(out, REASON_SIZE, "CPU exception %u%s at rip 0x%llx", vcpu->fault_vector,
                   vcpu->overflow ? " (stack overflow)" : "", (unsigned long long)vcpu->fault_rip);
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

// What times are shown in: where the TSC's rate is not known, a cycle for a nanosecond.
struct unit {
    uint64_t millihertz;
    const char *name;
};

static struct bounds offset_ns(const struct vcpu *vcpu, uint64_t millihertz)
{
    return (struct bounds){skew_ns(vcpu->offset.low, millihertz),
                           skew_ns_up(vcpu->offset.high, millihertz)};
}

// Cycles of the fastest exchange.
static uint64_t narrowest(const struct vcpu *vcpu)
{
    return vcpu->first.narrowest < vcpu->second.narrowest ? vcpu->first.narrowest
                                                          : vcpu->second.narrowest;
}

static void record_rate(const char *key, const struct vcpu *vcpu, unsigned source)
{
    if (vcpu->stated[source].millihertz)
        record_decimal(key, vcpu->stated[source].millihertz, 3);
    else
        record_null(key);
}

static void record_claims(const struct vcpu *vcpu)
{
    char word[24] = "";

    record_rate("pvclock_hz", vcpu, VCPU_PVCLOCK);
    if (vcpu->stated[VCPU_PVCLOCK].millihertz)
        record_bool("pvclock_stable", vcpu->pvclock.flags & PVCLOCK_TSC_STABLE);
    else
        record_null("pvclock_stable");
    record_bounds("pvclock_low_ns", "pvclock_high_ns",
                  vcpu->clock_known ? &vcpu->clock_low_ns : NULL, &vcpu->clock_high_ns);
    record_rate("hyperv_tsc_hz", vcpu, VCPU_HYPERV_MSR);
    text_print(word, sizeof(word), "0x%016llx", (unsigned long long)vcpu->platform_info);
    record_string("platform_info", vcpu->has_platform_info ? word : NULL);
    record_string("claims", vcpu_claims_word(vcpu->claims));
}

static void write_record(const struct vcpu *vcpu, size_t index, uint64_t millihertz)
{
    struct bounds ns = offset_ns(vcpu, millihertz);
    bool has_ns = vcpu->measured && millihertz;
    char text[DIFFERENCE_SIZE];
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
    record_ns("exchange_min_ns", narrowest(vcpu), has_ns ? millihertz : 0);
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
    record_claims(vcpu);
    emit_record_end();
}

// How far its TSC may be from CPU 0's.
static uint64_t worst(const struct vcpu *vcpu)
{
    uint64_t below = vcpu->offset.low < 0 ? 0 - (uint64_t)vcpu->offset.low : 0;
    uint64_t above = vcpu->offset.high > 0 ? (uint64_t)vcpu->offset.high : 0;

    return below > above ? below : above;
}

// 2: something is wrong with it; 1: too little is known; 0: all is well.
static unsigned rank(const struct vcpu *vcpu)
{
    if (vcpu->status != VCPU_UP || vcpu->verdict == VERDICT_OFF || vcpu->differences ||
        vcpu->claims > VCPU_CLAIMS_INCONCLUSIVE)
        return 2;
    return vcpu->verdict != VERDICT_OK || vcpu->claims > VCPU_CLAIMS_SAME;
}

// A rate in MHz, or "no rate".
#define RATE_SIZE (DECIMAL_SIZE + 4)
static const char *rate_text(char out[RATE_SIZE], uint64_t millihertz)
{
    char megahertz[DECIMAL_SIZE];

    if (!millihertz)
        return "no rate";
    text_print(out, RATE_SIZE, "%s MHz", text_decimal(megahertz, millihertz, 9, 6));
    return out;
}

// What its own claims say that CPU 0's do not.
static void write_claims(const struct vcpu *vcpu, const struct vcpu *first)
{
    char here[RATE_SIZE], there[RATE_SIZE];
    unsigned source = vcpu->claims_source;

    if (vcpu->claims > VCPU_CLAIMS_SAME && vcpu->claims != VCPU_CLAIMS_APART)
        emit_text("        %s states %s, to CPU 0 %s: %s\n", vcpu_sources[source],
                  rate_text(here, vcpu->stated[source].millihertz),
                  rate_text(there, first->stated[source].millihertz),
                  vcpu_claims_word(vcpu->claims));
    if (vcpu->clock_off)
        emit_text("        its pvclock is %lld to %lld ns ahead of CPU 0's: apart\n",
                  (long long)vcpu->clock_low_ns, (long long)vcpu->clock_high_ns);
}

// Its reason, unless the numbers and the verdict say it.
static void write_row(const struct vcpu *vcpu, size_t index, const struct vcpu *first,
                      struct unit unit)
{
    struct bounds bounds = offset_ns(vcpu, unit.millihertz);
    char text[DIFFERENCE_SIZE], low[DECIMAL_SIZE] = "?", high[DECIMAL_SIZE] = "?";
    const char *reason = describe(text, vcpu);

    emit_text("  %4zu  ", index);
    if (vcpu->rate_known) {
        text_signed_decimal(low, vcpu->rate_low_ppb, 3, 3);
        text_signed_decimal(high, vcpu->rate_high_ppb, 3, 3);
    }
    if (!vcpu->measured)
        emit_text("%s%s%s\n", vcpu_status_word(vcpu->status), *reason ? ": " : "", reason);
    else
        emit_text("%15lld %10lld  %16s %10s  %s%s\n", (long long)bounds.low, (long long)bounds.high,
                  low, high, verdict_word(vcpu->verdict),
                  vcpu->offset.constant ? "" : ": it changed");
    if (vcpu->has_tsc_adjust && first->has_tsc_adjust && vcpu->tsc_adjust != first->tsc_adjust)
        emit_text("        its IA32_TSC_ADJUST is %lld, CPU 0's %lld\n",
                  (long long)vcpu->tsc_adjust, (long long)first->tsc_adjust);
    write_claims(vcpu, first);
    if (vcpu->differences)
        emit_text("        %u difference%s to CPU 0; the first is\n          %s\n",
                  vcpu->differences, vcpu->differences == 1 ? "" : "s",
                  describe_difference(text, vcpu));
}

// Few are shown all. Of many, those that are not as they should be, the worst before those of which
// too little is known; if all are, the one that is furthest off.
static void write_rows(const struct smp *smp, struct unit unit)
{
    bool all = smp->count - 1 <= ROWS_SHOWN;
    size_t remarkable = 0, furthest = 1;

    for (size_t i = 1; i < smp->count; i++) {
        remarkable += rank(&smp->vcpus[i]) > 0;
        if (worst(&smp->vcpus[i]) > worst(&smp->vcpus[furthest]))
            furthest = i;
    }
    if (!all)
        emit_text("  %s\n", remarkable ? "those that are not ok:" : "the furthest from CPU 0:");
    emit_text("  vCPU  ahead, %-6s from         to  faster, ppm: from         to  verdict\n",
              unit.name);
    if (!all && !remarkable)
        write_row(&smp->vcpus[furthest], furthest, &smp->vcpus[0], unit);
    size_t shown = 0;
    for (unsigned wanted = 2; wanted && shown < ROWS_SHOWN; wanted--) {
        for (size_t i = 1; i < smp->count && shown < ROWS_SHOWN; i++) {
            if (all || rank(&smp->vcpus[i]) == wanted) {
                write_row(&smp->vcpus[i], i, &smp->vcpus[0], unit);
                shown++;
            }
        }
        if (all)
            break;
    }
    if (!all && remarkable > shown)
        emit_text("  and %zu more: see the records\n", remarkable - shown);
}

// What all of them have in common.
static void write_summary(const struct smp *smp, struct unit unit)
{
    unsigned verdicts[3] = {0, 0, 0};
    uint64_t fastest = UINT64_MAX, slowest = 0;
    const struct vcpu *first = &smp->vcpus[0];
    int64_t low = INT64_MAX, high = INT64_MIN;
    bool same_rate = true;

    for (size_t i = 1; i < smp->count; i++) {
        const struct vcpu *vcpu = &smp->vcpus[i];
        if (vcpu->clock_known) {
            low = vcpu->clock_low_ns < low ? vcpu->clock_low_ns : low;
            high = vcpu->clock_high_ns > high ? vcpu->clock_high_ns : high;
            same_rate &=
                vcpu->stated[VCPU_PVCLOCK].millihertz == first->stated[VCPU_PVCLOCK].millihertz;
        }
        if (!vcpu->measured)
            continue;
        verdicts[vcpu->verdict]++;
        fastest = narrowest(vcpu) < fastest ? narrowest(vcpu) : fastest;
        slowest = narrowest(vcpu) > slowest ? narrowest(vcpu) : slowest;
    }
    if (slowest)
        emit_text("  TSC against CPU 0's, allowed +-%llu ns: %u ok, %u inconclusive, %u off\n"
                  "  the fastest exchange with each took %llu to %llu %s\n",
                  (unsigned long long)smp->skew_ns, verdicts[VERDICT_OK],
                  verdicts[VERDICT_INCONCLUSIVE], verdicts[VERDICT_OFF],
                  (unsigned long long)rate_cycles_to_ns(fastest, unit.millihertz),
                  (unsigned long long)rate_cycles_to_ns(slowest, unit.millihertz), unit.name);
    if (verdicts[VERDICT_INCONCLUSIVE])
        emit_text("  inconclusive: the exchange was too slow; a less busy host or a larger skew= "
                  "decides\n");
    if (low <= high)
        emit_text("  pvclock: %s; ahead of CPU 0's by %lld to %lld ns\n",
                  same_rate ? "one rate for all" : "not one rate for all", (long long)low,
                  (long long)high);
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

static void write_faults(const struct smp *smp)
{
    for (size_t i = 1; i < smp->count; i++) {
        const struct vcpu *vcpu = &smp->vcpus[i];
        if (vcpu->status != VCPU_FAULTED)
            continue;
        emit_text("  the registers of vCPU %zu:\n", i);
        trap_report(vcpu->fault, vcpu->fault_address, i);
    }
}

static void write_warp(const struct smp *smp, uint64_t millihertz, struct unit unit)
{
    uint64_t size = rate_cycles_to_ns(smp->warp_cycles, unit.millihertz);
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
        emit_text("%llu went backwards, by up to %llu %s\n", (unsigned long long)smp->warps,
                  (unsigned long long)size, unit.name);
    else
        emit_text("none went backwards\n");
}

void report_vcpus(const struct smp *smp, const struct measurement *measurement)
{
    uint64_t millihertz = measurement->tsc_millihertz;
    struct unit unit =
        millihertz ? (struct unit){millihertz, "ns"} : (struct unit){MILLIHERTZ_PER_GHZ, "cycles"};
    size_t differing = 0;
    char ms[DECIMAL_SIZE];

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
    if (millihertz)
        emit_text(" after %s ms",
                  text_decimal(ms, rate_cycles_to_ns(smp->start_cycles, millihertz), 6, 1));
    if (differing)
        emit_text("; %zu differ from CPU 0", differing);
    else
        emit_text("; the same in %zu CPUID leaves and MSRs", smp->rows);
    emit_text("\n");
    if (smp->listed > smp->count)
        emit_note("info", "%zu vCPUs are listed, %zu were examined: %s", smp->listed, smp->count,
                  smp->count == VCPUS_MAX ? "it takes no more" : "cpus=");
    write_summary(smp, unit);
    write_rows(smp, unit);
    write_faults(smp);
    write_warp(smp, millihertz, unit);
    emit_point(smp->verdict != VERDICT_OFF,
               smp->verdict == VERDICT_INCONCLUSIVE ? "inconclusive" : NULL, "the vCPUs agree");
}
