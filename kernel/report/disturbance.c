#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"
#include "lib/wide.h"

#define PPB 1000000000u

static void write_record(const struct disturbance *d, uint64_t millihertz, uint64_t lost_ppb)
{
    bool has_steal = d->steal != STEAL_ABSENT;

    emit_record("disturbance");
    record_u64("spin_cycles", d->spin_cycles);
    record_ns("spin_ns", d->spin_cycles, millihertz);
    record_u64("reads", d->reads);
    record_u64("backwards", d->backwards);
    record_bool("stopped", d->stopped);
    record_u64("typical_cycles", d->typical_cycles);
    record_u64("limit_cycles", d->limit_cycles);
    record_u64("gaps", d->gaps);
    if (millihertz && d->spin_cycles)
        record_decimal("gaps_per_s", wide_mul_div(d->gaps, millihertz, d->spin_cycles), 3);
    else
        record_null("gaps_per_s");
    record_u64("longest_cycles", d->longest_cycles);
    record_ns("longest_ns", d->longest_cycles, millihertz);
    record_u64("lost_cycles", d->lost_cycles);
    record_ns("lost_ns", d->lost_cycles, millihertz);
    record_u64("lost_ppb", lost_ppb);
    record_string("steal", steal_state_word(d->steal));
    if (has_steal)
        record_u64("steal_ns", d->steal_ns);
    else
        record_null("steal_ns");
    record_string("reason", d->steal_reason);
    emit_record_end();
}

// The distances between readings by octaves: all of them as records, the gaps as text.
static void write_octaves(const struct disturbance *d, uint64_t millihertz)
{
    for (unsigned i = 0; i < ARRAY_SIZE(d->octaves); i++) {
        uint64_t from = i ? 1ull << i : 0, to = i < 63 ? 2ull << i : UINT64_MAX;
        char from_us[DECIMAL_SIZE], to_us[DECIMAL_SIZE];
        if (!d->octaves[i])
            continue;
        emit_record("gap_bucket");
        record_u64("from_cycles", from);
        record_u64("to_cycles", to);
        record_ns("from_ns", from, millihertz);
        record_ns("to_ns", to, millihertz);
        record_u64("count", d->octaves[i]);
        emit_record_end();
        if (to > d->limit_cycles && millihertz)
            emit_text("  %12s to %12s us %9u\n",
                      text_decimal(from_us, rate_cycles_to_ns(from, millihertz), 3, 1),
                      text_decimal(to_us, rate_cycles_to_ns(to, millihertz), 3, 1), d->octaves[i]);
    }
}

static const char *us(char out[DECIMAL_SIZE], uint64_t cycles, uint64_t millihertz)
{
    return text_decimal(out, rate_cycles_to_ns(cycles, millihertz), 3, 3);
}

void report_disturbance(const struct disturbance *d, uint64_t millihertz)
{
    char spin[DECIMAL_SIZE], typical[DECIMAL_SIZE], limit[DECIMAL_SIZE], longest[DECIMAL_SIZE],
        lost[DECIMAL_SIZE], rate[DECIMAL_SIZE];
    uint64_t lost_ppb = d->spin_cycles ? wide_mul_div(d->lost_cycles, PPB, d->spin_cycles) : 0;

    if (!d->ran)
        return;
    write_record(d, millihertz, lost_ppb);
    if (millihertz)
        emit_text("\nDisturbance: %s s of reading the TSC, %llu times, most often %s us apart\n",
                  text_decimal(spin, rate_cycles_to_ns(d->spin_cycles, millihertz), 9, 3),
                  (unsigned long long)d->reads, us(typical, d->typical_cycles, millihertz));
    else
        emit_text("\nDisturbance: %llu cycles of reading the TSC, %llu times\n",
                  (unsigned long long)d->spin_cycles, (unsigned long long)d->reads);
    if (millihertz && d->gaps)
        emit_text(
            "  longer than %s us: %llu, %s a second, the longest %s us; %s %% of the time lost\n",
            us(limit, d->limit_cycles, millihertz), (unsigned long long)d->gaps,
            text_decimal(rate, wide_mul_div(d->gaps, millihertz, d->spin_cycles), 3, 1),
            us(longest, d->longest_cycles, millihertz), text_decimal(lost, lost_ppb, 7, 4));
    else
        emit_text("  %llu gaps of more than %llu cycles\n", (unsigned long long)d->gaps,
                  (unsigned long long)d->limit_cycles);
    write_octaves(d, millihertz);
    if (d->steal == STEAL_ABSENT)
        emit_text("  KVM's steal time: %s\n", d->steal_reason);
    else
        emit_text("  KVM's steal time: %s us, of %s us that were lost%s\n",
                  text_decimal(spin, d->steal_ns, 3, 3), us(lost, d->lost_cycles, millihertz),
                  d->steal == STEAL_MORE   ? ": more than there was"
                  : d->steal == STEAL_LESS ? ": less than half"
                                           : "");
    if (d->backwards)
        emit_note("warning", "the TSC went back %llu times while it was read in a row",
                  (unsigned long long)d->backwards);
    if (d->stopped)
        emit_note("warning", "the TSC stopped while it was read in a row");
}
