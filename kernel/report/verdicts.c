#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

// `known`: is the rate of its clock proven at the end of the run? With duration= earlier windows
// may have told.
static void write_verdict(const struct judged_claim *judged, bool known)
{
    bool measured = known || judged->judgement.verdict != VERDICT_INCONCLUSIVE;
    const struct claim *claim = judged->claim;
    const struct judgement *judgement = &judged->judgement;
    char error[DECIMAL_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE];
    const char *clock = claim_clock_word(claim->clock);
    const char *verdict = verdict_word(judgement->verdict);
    emit_record("verdict");

    record_string("source", claim->source);
    record_string("clock", clock);
    if (measured) {
        record_s64("error_ppb", judgement->error_ppb);
        record_s64("low_ppb", judgement->low_ppb);
        record_s64("high_ppb", judgement->high_ppb);
        record_u64("allowed_ppb", judgement->allowed_ppb);
    } else {
        record_null("error_ppb");
        record_null("low_ppb");
        record_null("high_ppb");
        record_null("allowed_ppb");
    }
    record_string("verdict", verdict);
    record_bool("nominal", claim->nominal);
    record_string("reason", judged->reason);
    emit_record_end();

    text_signed_decimal(error, judgement->error_ppb, 3, 3);
    text_signed_decimal(low, judgement->low_ppb, 3, 3);
    text_signed_decimal(high, judgement->high_ppb, 3, 3);
    if (measured)
        emit_text("  %-16s %-5s %12s %12s %12s  %s%s\n", claim->source, clock, error, low, high,
                  verdict, claim->nominal ? " (nominal)" : "");
    else
        emit_text("  %-16s %-5s %s: %s\n", claim->source, clock, verdict, judged->reason);
    // A nominal claim that is off is no failure, so TAP must not call it one.
    if (judgement->verdict == VERDICT_INCONCLUSIVE)
        emit_point(true, "inconclusive", "%s states the %s rate", claim->source, clock);
    else if (claim->nominal && judgement->verdict == VERDICT_OFF)
        emit_point(true, "a nominal source, for information", "%s states the %s rate",
                   claim->source, clock);
    else
        emit_point(judgement->verdict == VERDICT_OK, NULL, "%s states the %s rate", claim->source,
                   clock);
    if (measured)
        emit_diagnostic("error %s ppm, proven from %s to %s ppm", error, low, high);
}

static void write_expectation(const struct judged_expectation *judged)
{
    emit_record("expect");

    record_string("expect", judged->expectation->text);
    record_string("result", judged->met ? "pass" : "fail");
    record_string("actual", judged->actual);
    emit_record_end();
    emit_text("  expected %-32s  %s (found %s)\n", judged->expectation->text,
              judged->met ? "pass" : "FAIL", judged->actual);
    emit_point(judged->met, NULL, "expect %s", judged->expectation->text);
    if (!judged->met)
        emit_diagnostic("found %s", judged->actual);
}

void report_verdicts(const struct judged *judged, const struct measurement *measurement)
{
    emit_text("\nVerdicts: error of each claim against the measured rate\n");
    if (judged->claim_count)
        emit_text("  source           clock   error, ppm  proven from           to  verdict\n");
    else
        emit_text("  no rate is claimed\n");
    for (size_t i = 0; i < judged->claim_count; i++) {
        bool tsc = judged->claims[i].claim->clock == CLAIM_TSC;
        write_verdict(&judged->claims[i], tsc ? measurement->decided : measurement->bus_known);
    }
    for (size_t i = 0; i < judged->expectation_count; i++)
        write_expectation(&judged->expectations[i]);
}

void report_end(const struct judged *judged, const uint64_t *guest_ns)
{
    static const char *const words[] = {
        [OUTCOME_PASS] = "pass",
        [OUTCOME_INCONCLUSIVE] = "inconclusive",
        [OUTCOME_FAIL] = "fail",
    };
    static const char *const lines[] = {
        [OUTCOME_PASS] = "PASS",
        [OUTCOME_INCONCLUSIVE] = "INCONCLUSIVE",
        [OUTCOME_FAIL] = "FAIL",
    };
    char reason[sizeof(judged->reason) + 32];
    char more[32] = "";

    if (judged->more)
        text_print(more, sizeof(more), "; %u more above", judged->more);
    text_print(reason, sizeof(reason), "%s%s", judged->reason, more);
    emit_record("end");
    record_string("result", words[judged->outcome]);
    record_string("reason", reason);
    record_u64("records", emit_record_count() + 1);
    if (guest_ns)
        record_u64("guest_ns", *guest_ns);
    else
        record_null("guest_ns");
    emit_record_end();
    emit_diagnostic("%s: %s", lines[judged->outcome], reason);
    emit_plan();
    emit_text("\n%s: %s\n", lines[judged->outcome], reason);
}
