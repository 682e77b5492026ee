// The page at the end of a screen: what decides, on 80 by 25 cells, since nobody can scroll there.
#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

// With the lines around them and the last line of the report, in three rows, these fill 25 rows.
#define CLAIMS_SHOWN 6
#define CLOCKS_SHOWN 5

#define MILLION 1000000

static void write_hypervisor(const struct scan *scan)
{
    const struct signature *vendor = scan_vendor(scan);
    char line[78];
    struct text text;

    text_init(&text, line, sizeof(line));
    text_format(&text, "Hypervisor  %s",
                vendor                  ? vendor->vendor
                : scan_main_block(scan) ? "unknown"
                : scan->present         ? "there, but it does not say which"
                                        : "none");
    for (size_t i = 0; i < scan->block_count; i++) {
        char ascii[SIGNATURE_ASCII_SIZE];
        signature_ascii(scan->blocks[i].signature, ascii);
        text_format(&text, "; 0x%x \"%s\"", scan->blocks[i].base, ascii);
    }
    emit_page("%s\n", line);
}

static void write_rate(const struct measurement *measurement)
{
    const struct rate_interval *all = &measurement->all;
    char estimate[DECIMAL_SIZE], half[DECIMAL_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE];

    if (!measurement->decided) {
        emit_page("TSC         no rate is proven: %s\n", measurement->undecided);
        return;
    }
    emit_page("TSC         %s MHz, +-%s ppm; proven: %s .. %s MHz\n",
              text_decimal(estimate, all->estimate, 9, 6),
              text_decimal(half, measurement->half_width_ppb, 3, 3),
              text_decimal(low, all->low, 9, 6), text_decimal(high, all->high, 9, 6));
}

// A ratio in ppm, without decimals where they would not fit and say nothing.
static const char *ppm(char out[DECIMAL_SIZE], int64_t ppb)
{
    return text_signed_decimal(out, ppb, 3, ppb > -MILLION && ppb < MILLION ? 3 : 0);
}

static void write_claim(const struct judged_claim *judged, const struct measurement *measurement)
{
    const struct claim *claim = judged->claim;
    const struct judgement *judgement = &judged->judgement;
    char megahertz[DECIMAL_SIZE], error[DECIMAL_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE];
    const char *verdict =
        judgement->verdict == VERDICT_INCONCLUSIVE ? "?" : verdict_word(judgement->verdict);
    const char *nominal = claim->nominal ? "nominal " : "";

    emit_page("  %-16s %-4s %12s", claim->source, claim_clock_word(claim->clock),
              text_decimal(megahertz, claim->millihertz, 9, 6));
    if (claim->clock == CLAIM_TSC ? measurement->decided : measurement->bus_known)
        emit_page(" %9s %9s %9s  %s%s\n", ppm(error, judgement->error_ppb),
                  ppm(low, judgement->low_ppb), ppm(high, judgement->high_ppb), nominal, verdict);
    else
        emit_page("         -         -         -  %s%s\n", nominal, verdict);
}

static void write_claims(const struct judged *judged, const struct measurement *measurement)
{
    if (!judged->claim_count) {
        emit_page("Claims      none\n");
        return;
    }
    emit_page("Claims                           MHz error/ppm      from        to  verdict\n");
    for (size_t i = 0; i < judged->claim_count && i < CLAIMS_SHOWN; i++)
        write_claim(&judged->claims[i], measurement);
    if (judged->claim_count > CLAIMS_SHOWN)
        emit_page("  and %zu more\n", judged->claim_count - CLAIMS_SHOWN);
}

static void write_clocks(const struct measurement *measurement)
{
    size_t sampled = 0;
    const char *separator = "  not used: ";

    emit_page("Clocks                  status        TSC/MHz      +-ppm  result\n");
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        char estimate[DECIMAL_SIZE] = "-", half[DECIMAL_SIZE] = "-";
        if (!run->sampled || sampled++ >= CLOCKS_SHOWN)
            continue;
        if (run->result != MEASUREMENT_NONE && run->result != MEASUREMENT_EMPTY) {
            text_decimal(estimate, run->widened.estimate, 9, 6);
            text_decimal(half, rate_half_width_ppb(run->widened), 3, 3);
        }
        emit_page("  %-21s %-8s %12s %10s  %s\n", run->clock->name, clock_status_word(run->status),
                  estimate, half, measurement_status_word(run->result));
    }
    if (sampled > CLOCKS_SHOWN)
        emit_page("  and %zu more\n", sampled - CLOCKS_SHOWN);
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (run->sampled)
            continue;
        emit_page("%s%s", separator, run->clock->name);
        separator = ", ";
    }
    if (separator[0] == ',')
        emit_page("\n");
}

void report_page(const struct platform *platform, const struct judged *judged,
                 const struct measurement *measurement)
{
    emit_page("\fhypertick " HYPERTICK_VERSION ", booted by %s: summary\n",
              boot_protocol_word(platform->boot->protocol));
    write_hypervisor(&platform->scan);
    write_rate(measurement);
    write_claims(judged, measurement);
    write_clocks(measurement);
}
