#include "kernel/report/emit.h"
#include "kernel/report/report.h"

static void write_claim(const struct claim *claim)
{
    char megahertz[DECIMAL_SIZE];
    emit_record("claim");

    record_string("source", claim->source);
    record_string("clock", claim_clock_word(claim->clock));
    record_string("status", claim->present ? "present" : "absent");
    if (claim->present) {
        record_decimal("hz", claim->millihertz, 3);
        record_decimal("granularity_hz", claim->granularity_millihertz, 3);
    } else {
        record_null("hz");
        record_null("granularity_hz");
    }
    record_bool("nominal", claim->nominal);
    record_string("reason", claim->reason);
    emit_record_end();

    if (claim->present)
        emit_text("  %-16s %s %15s MHz%s%s%s\n", claim->source, claim_clock_word(claim->clock),
                  text_decimal(megahertz, claim->millihertz, 9, 6),
                  claim->nominal ? "  nominal" : "", claim->reason[0] ? "  " : "", claim->reason);
    else
        emit_text("  %-16s %s  none: %s\n", claim->source, claim_clock_word(claim->clock),
                  claim->reason);
}

void report_claims(const struct claim *claims, size_t count)
{
    emit_text("\nClaims\n");
    for (size_t i = 0; i < count; i++)
        write_claim(&claims[i]);
}
