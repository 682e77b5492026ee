#include "kernel/report/emit.h"
#include "kernel/report/report.h"

static void write_claim(const struct claim *claim)
{
    char megahertz[DECIMAL_SIZE];
    struct json *json = emit_record("claim");

    json_string(json, "source", claim->source);
    json_string(json, "clock", claim_clock_word(claim->clock));
    json_string(json, "status", claim->present ? "present" : "absent");
    if (claim->present) {
        json_decimal(json, "hz", claim->millihertz, 3);
        json_decimal(json, "granularity_hz", claim->granularity_millihertz, 3);
    } else {
        json_null(json, "hz");
        json_null(json, "granularity_hz");
    }
    json_bool(json, "nominal", claim->nominal);
    json_string(json, "reason", claim->reason);
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
