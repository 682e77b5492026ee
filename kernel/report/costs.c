#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

static void write_cost(const struct cost *cost, uint64_t millihertz)
{
    static const char *const keys[3][2] = {
        {"min_cycles", "min_ns"}, {"median_cycles", "median_ns"}, {"p99_cycles", "p99_ns"}};
    uint64_t cycles[3] = {cost->min_cycles, cost->median_cycles, cost->p99_cycles};

    emit_record("bench");
    record_string("access", cost->access);
    record_u64("samples", cost->samples);
    for (size_t i = 0; i < ARRAY_SIZE(cycles); i++)
        record_u64(keys[i][0], cycles[i]);
    for (size_t i = 0; i < ARRAY_SIZE(cycles); i++)
        record_ns(keys[i][1], cycles[i], millihertz);
    emit_record_end();

    emit_text("  %-22s %7zu", cost->access, cost->samples);
    for (size_t i = 0; i < ARRAY_SIZE(cycles); i++)
        emit_text(" %9llu", (unsigned long long)cycles[i]);
    for (size_t i = 0; i < ARRAY_SIZE(cycles) && millihertz; i++)
        emit_text("%s %8llu", i ? "" : " ",
                  (unsigned long long)rate_cycles_to_ns(cycles[i], millihertz));
    emit_text("\n");
}

static void write_tsc_record(const struct costs *costs)
{
    emit_record("tsc");
    record_string("rdtsc", rdtsc_kind_word(costs->rdtsc));
    record_u64("rdtsc_cycles", costs->rdtsc_cycles);
    record_u64("nop_cycles", costs->nop_cycles);
    record_u64("step_cycles", costs->step_cycles);
    record_bool("one_ghz", costs->one_ghz);
    record_string("rdtscp", rdtscp_state_word(costs->rdtscp));
    if (costs->has_adjust)
        record_s64("tsc_adjust", (int64_t)costs->adjust);
    else
        record_null("tsc_adjust");
    record_bool("deadline_timer", costs->has_deadline);
    emit_record_end();
}

static void write_tsc_text(const struct costs *costs)
{
    unsigned long long step = costs->step_cycles;
    char sentence[160], adjust[48];

    static const char *const kinds[] = {
        [RDTSC_UNKNOWN] = "Whether RDTSC is trapped cannot be told in steps so coarse",
        [RDTSC_DIRECT] = "RDTSC is not trapped",
        [RDTSC_TRAPPED] = "RDTSC is trapped",
        [RDTSC_EMULATED] = "Every instruction is emulated",
    };
    text_print(sentence, sizeof(sentence),
               "%s. Cycles for two RDTSC in a row: %llu; for a NOP: %llu.", kinds[costs->rdtsc],
               (unsigned long long)costs->rdtsc_cycles, (unsigned long long)costs->nop_cycles);
    emit_wrapped("  ", sentence);
    if (step > 1) {
        text_print(sentence, sizeof(sentence),
                   "The TSC is quantised: it moves in steps of %llu cycles.", step);
        emit_wrapped("  ", sentence);
    }
    if (costs->one_ghz) {
        text_print(sentence, sizeof(sentence),
                   "The TSC runs at 1 GHz, as far as can be told%s: a clock of nanoseconds or "
                   "instructions rather than a CPU's counter.",
                   step > 1 ? ", and in steps" : "");
        emit_wrapped("  ", sentence);
    }
    text_print(adjust, sizeof(adjust), "absent");
    if (costs->has_adjust)
        text_print(adjust, sizeof(adjust), "%lld", (long long)costs->adjust);
    text_print(
        sentence, sizeof(sentence), "RDTSCP: %s. IA32_TSC_ADJUST: %s. TSC-deadline timer: %s.",
        rdtscp_state_word(costs->rdtscp), adjust, costs->has_deadline ? "offered" : "not offered");
    emit_wrapped("  ", sentence);
}

void report_costs(const struct costs *costs, uint64_t millihertz)
{
    if (!costs->ran)
        return;
    emit_text("\nWhat an access costs: each row but the first includes one fenced RDTSC\n"
              "  access                 samples cycles min    median       p99%s\n",
              millihertz ? "    ns min   median      p99" : "");
    for (size_t i = 0; i < costs->count; i++)
        write_cost(&costs->rows[i], millihertz);
    write_tsc_record(costs);
    write_tsc_text(costs);
    if (costs->rdtscp == RDTSCP_INCONSISTENT)
        emit_note("warning", "RDTSCP reads something else than RDTSC");
}
