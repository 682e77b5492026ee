// The page at the end of a screen: what decides, on 80 by 25 cells, since nobody can scroll there.
#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

#define PAGE_ROWS    25
#define PAGE_COLUMNS 80
// Rows that are always there: title, hypervisor, TSC, the heads of claims and clocks, the clocks
// that are not used, an empty one, and the last line, which says how the machine was left.
#define ROWS_FIXED 8
// What the result's sentence fills of a row at least, where it is broken between words.
#define RESULT_COLUMNS 64

#define MILLION 1000000

// A row is written to a buffer, and cut if it is too long.
static struct {
    struct text text;
    char line[PAGE_COLUMNS + 1];
} row;

static struct text *row_begin(const char *title)
{
    text_init(&row.text, row.line, sizeof(row.line));
    text_format(&row.text, "%-12s", title);
    return &row.text;
}

static void row_end(void)
{
    if (row.text.truncated)
        memcpy(row.line + PAGE_COLUMNS - 3, "...", 3);
    emit_page("%s\n", row.line);
}

static void write_title(const struct platform *platform)
{
    unsigned cpus = platform->acpi.cpus;
    struct text *text = row_begin("hypertick " HYPERTICK_VERSION ", booted by ");

    text_string(text, boot_protocol_word(platform->boot->protocol));
    if (cpus)
        text_format(text, ", %u vCPU%s", cpus, cpus == 1 ? "" : "s");
    if (platform->memory_bytes)
        text_format(text, ", %u MiB", report_memory_mib(platform));
    text_string(text, ": summary");
    emit_page("\f");
    row_end();
}

// False: there are none. The strongest source comes last, as in docs/options.md.
static bool find_options(const struct platform *platform)
{
    const char *const lines[] = {platform->smbios.options, platform->fw_cfg.options,
                                 options_behind_file_name(platform->boot->cmdline)};
    const char *separator = "";
    struct text *text = row_begin("Options");

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        if (!lines[i][0])
            continue;
        text_format(text, "%s%s", separator, lines[i]);
        separator = "; ";
    }
    return separator[0] != '\0';
}

static void write_hypervisor(const struct platform *platform)
{
    const struct scan *scan = &platform->scan;
    struct text *text = row_begin("Hypervisor");

    const struct signature *vendor = scan_vendor(scan);
    if (platform->evidence.platform)
        text_format(text, "%s, confidence %s", platform->evidence.conclusion,
                    confidence_word(platform->evidence.confidence));
    else
        text_string(text, vendor                  ? vendor->vendor
                          : scan_main_block(scan) ? "unknown"
                          : scan->present         ? "there, but it does not say which"
                                                  : "none");
    for (size_t i = 0; i < scan->block_count; i++) {
        char ascii[SIGNATURE_ASCII_SIZE];
        signature_ascii(scan->blocks[i].signature, ascii);
        text_format(text, "; 0x%x \"%s\"", scan->blocks[i].base, ascii);
    }
    row_end();
}

static void write_rate(const struct measurement *measurement)
{
    const struct rate_interval *all = &measurement->all;
    char estimate[DECIMAL_SIZE], half[DECIMAL_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE];

    if (!measurement->decided) {
        emit_page("TSC         no rate is proven: %s\n", measurement->undecided);
        return;
    }
    emit_page("TSC         %s MHz +-%s ppm, proven %s..%s MHz\n",
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

// Those that decide come first.
static void write_claims(const struct judged *judged, const struct measurement *measurement,
                         size_t rows)
{
    size_t shown = judged->claim_count <= rows ? judged->claim_count : rows - 1;

    if (!judged->claim_count) {
        emit_page("Claims      none\n");
        return;
    }
    emit_page("Claims                           MHz error/ppm      from        to  verdict\n");
    for (unsigned nominal = 0; nominal < 2; nominal++)
        for (size_t i = 0; i < judged->claim_count && shown > 0; i++)
            if (judged->claims[i].claim->nominal == nominal) {
                write_claim(&judged->claims[i], measurement);
                shown--;
            }
    if (judged->claim_count > rows)
        emit_page("  and %zu more\n", judged->claim_count - rows + 1);
}

static void write_clock(const struct clock_run *run)
{
    char estimate[DECIMAL_SIZE] = "-", half[DECIMAL_SIZE] = "-";

    if (run->result != MEASUREMENT_NONE && run->result != MEASUREMENT_EMPTY) {
        text_decimal(estimate, run->widened.estimate, 9, 6);
        text_decimal(half, rate_half_width_ppb(run->widened), 3, 3);
    }
    emit_page("  %-21s %-8s %12s %10s  %s\n", run->clock->name, clock_status_word(run->status),
              estimate, half, measurement_status_word(run->result));
}

static void write_clocks(const struct measurement *measurement, size_t sampled, size_t rows)
{
    size_t shown = sampled <= rows ? sampled : rows - 1;
    const char *separator = "  not used: ";

    emit_page("Clocks                  status        TSC/MHz      +-ppm  result\n");
    for (size_t i = 0; i < measurement->count && shown > 0; i++) {
        if (!measurement->clocks[i].sampled)
            continue;
        write_clock(&measurement->clocks[i]);
        shown--;
    }
    if (sampled > rows)
        emit_page("  and %zu more\n", sampled - rows + 1);
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

// How far the other vCPUs' TSCs may be from CPU 0's.
static void write_vcpus(const struct smp *smp, uint64_t millihertz)
{
    struct skew_offset offset = {.low = INT64_MAX, .high = INT64_MIN};
    struct text *text = row_begin("vCPUs");

    for (size_t i = 1; i < smp->count; i++) {
        const struct vcpu *vcpu = &smp->vcpus[i];
        if (!vcpu->measured)
            continue;
        offset.low = vcpu->offset.low < offset.low ? vcpu->offset.low : offset.low;
        offset.high = vcpu->offset.high > offset.high ? vcpu->offset.high : offset.high;
    }
    text_format(text, "%zu of %zu are up", smp->up, smp->count);
    if (offset.low <= offset.high && millihertz)
        text_format(text, "; TSC offsets within %lld to %lld ns: %s",
                    (long long)skew_ns(offset.low, millihertz),
                    (long long)skew_ns_up(offset.high, millihertz), verdict_word(smp->verdict));
    if (smp->warps)
        text_format(text, "; %llu readings went backwards", (unsigned long long)smp->warps);
    row_end();
}

static void write_checks(const struct audit *audit)
{
    unsigned results[CHECK_SKIP + 1] = {0};
    const char *separator = ": ";
    struct text *text = row_begin("Checks");

    for (size_t i = 0; i < audit->count; i++)
        results[audit->checks[i].result]++;
    text_format(text, "%u passed, %u skipped, %u failed", results[CHECK_PASS], results[CHECK_SKIP],
                results[CHECK_FAIL]);
    for (size_t i = 0; i < audit->count; i++) {
        if (audit->checks[i].result != CHECK_FAIL)
            continue;
        text_format(text, "%s%s", separator, audit->checks[i].rule->id);
        separator = ", ";
    }
    row_end();
}

// False: all expectations are met.
static bool find_unmet(const struct judged *judged)
{
    const char *separator = "";
    struct text *text = row_begin("Expected");

    for (size_t i = 0; i < judged->expectation_count; i++) {
        const struct judged_expectation *unmet = &judged->expectations[i];
        if (unmet->met)
            continue;
        text_format(text, "%s%s (is %s)", separator, unmet->expectation->text, unmet->actual);
        separator = ", ";
    }
    return separator[0] != '\0';
}

static size_t count_notes(const struct emit_notes *notes)
{
    return notes->count <= ARRAY_SIZE(notes->first) ? notes->count : ARRAY_SIZE(notes->first) + 1;
}

static void write_notes(const struct emit_notes *notes)
{
    for (size_t i = 0; i < notes->count && i < ARRAY_SIZE(notes->first); i++)
        emit_page("%s\n", notes->first[i]);
    if (notes->count > ARRAY_SIZE(notes->first))
        emit_page("and %zu more errors and warnings\n", notes->count - ARRAY_SIZE(notes->first));
}

void report_page(const struct platform *platform, const struct judged *judged,
                 const struct measurement *measurement, const struct smp *smp,
                 const struct audit *audit)
{
    const struct emit_notes *notes = emit_notes();
    bool options = find_options(platform), unmet = find_unmet(judged);
    size_t claims = judged->claim_count, sampled = 0;
    size_t rows = ROWS_FIXED + !measurement->decided + options + smp->ran + (audit->count > 0) +
                  unmet + count_notes(notes) + 1 + text_length(judged->reason) / RESULT_COLUMNS;

    for (size_t i = 0; i < measurement->count; i++)
        sampled += measurement->clocks[i].sampled;
    // What is left is for claims and clocks: if it is too little for all, half of it for either,
    // and what the other one does not need.
    rows = rows + 4 < PAGE_ROWS ? PAGE_ROWS - rows : 4;
    size_t claim_rows = claims < rows / 2 ? claims : rows / 2;
    size_t clock_rows = rows - claim_rows;
    if (sampled < clock_rows) {
        clock_rows = sampled;
        claim_rows = rows - sampled;
    }

    write_title(platform);
    if (find_options(platform))
        row_end();
    write_hypervisor(platform);
    write_rate(measurement);
    write_claims(judged, measurement, claim_rows);
    write_clocks(measurement, sampled, clock_rows);
    if (smp->ran)
        write_vcpus(smp, measurement->tsc_millihertz);
    if (audit->count)
        write_checks(audit);
    if (find_unmet(judged))
        row_end();
    write_notes(notes);
}
