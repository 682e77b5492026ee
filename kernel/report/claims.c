#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "lib/compare.h"

#define COLUMNS      98 // of a text line
#define CLAIM_INDENT 6

static void write_record(const struct claim *claim)
{
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
}

// One line; `also` is a further clock about which the source says the same, or NULL.
static void write_text(const struct claim *claim, const struct claim *also)
{
    const char *separator = claim->present ? "  " : " ";
    char megahertz[DECIMAL_SIZE], line[COLUMNS + 1];
    struct text text;

    text_init(&text, line, sizeof(line));
    text_format(&text, "  %-16s ", claim->source);
    if (also)
        text_format(&text, "%s, %s", claim_clock_word(claim->clock), claim_clock_word(also->clock));
    else
        text_format(&text, "%-4s", claim_clock_word(claim->clock));
    if (claim->present)
        text_format(&text, " %15s MHz%s", text_decimal(megahertz, claim->millihertz, 9, 6),
                    claim->nominal ? "  nominal" : "");
    else
        text_string(&text, " none:");
    if (text.used + 2 + text_length(claim->reason) <= COLUMNS)
        emit_text("%s%s%s\n", line, claim->reason[0] ? separator : "", claim->reason);
    else
        emit_text("%s\n%*s%s\n", line, CLAIM_INDENT, "", claim->reason);
}

// Do two claims of a source, of which it has no more, lack for the same reason?
static bool same_absence(const struct claim *a, const struct claim *b)
{
    return !a->present && !b->present && a->clock == CLAIM_TSC && b->clock != CLAIM_TSC &&
           text_equal(a->source, b->source) && text_equal(a->reason, b->reason);
}

// The sources of other hypervisors and CPUs, by name only.
static void write_foreign(const struct claim *claims, size_t count)
{
    size_t column = 0;

    for (size_t i = 0; i < count; i++) {
        if (!claims[i].foreign)
            continue;
        size_t length = text_length(claims[i].source);
        if (column == 0 || column + 1 + length > COLUMNS) {
            emit_text(column ? "\n    %s" : "  of other machines: %s", claims[i].source);
            column = column ? 4 : 21;
        } else {
            emit_text(" %s", claims[i].source);
            column++;
        }
        column += length;
    }
    if (column)
        emit_text("\n");
}

static void write_comparison(const struct claim *a, const struct claim *b,
                             struct comparison comparison)
{
    emit_record("compare");

    record_string("a", a->source);
    record_string("b", b->source);
    record_string("clock", claim_clock_word(a->clock));
    record_s64("difference_ppb", comparison.difference_ppb);
    record_u64("granularity_ppb", comparison.granularity_ppb);
    record_bool("agree", comparison.agree);
    emit_record_end();
}

// Where a claim disagrees with `count` others, the first of which is `other`.
static void write_disagreement(const struct claim *claim, const struct claim *other,
                               int64_t difference_ppb, unsigned count)
{
    char ppm[DECIMAL_SIZE], more[24] = "";

    if (count > 1)
        text_print(more, sizeof(more), " and %u more", count - 1);
    emit_text("  %s: %s is %s ppm from %s%s%s\n", claim_clock_word(claim->clock), claim->source,
              text_signed_decimal(ppm, difference_ppb, 3, 3), other->source, more,
              claim->nominal ? " (nominal)" : "");
}

// What the claims about one clock have in common. Where some are not nominal, only those count.
struct agreement {
    enum claim_clock clock;
    bool rated; // some are not nominal
    unsigned claims;
    bool agree;
    uint64_t most_ppb; // the largest difference
};

static bool is_about(const struct claim *claim, enum claim_clock clock)
{
    return claim->present && claim->clock == clock;
}

static bool counts(const struct agreement *agreement, const struct claim *claim)
{
    return !agreement->rated || !claim->nominal;
}

// A claim against each of the `count` before it.
static void compare_claim(struct agreement *agreement, const struct claim *claim,
                          const struct claim *before, size_t count)
{
    const struct claim *other = NULL;
    int64_t first_ppb = 0;
    unsigned apart = 0;

    agreement->claims += counts(agreement, claim);
    for (const struct claim *b = before; b < before + count; b++) {
        if (!is_about(b, agreement->clock))
            continue;
        struct comparison comparison = claim_compare(claim, b);
        int64_t ppb = comparison.difference_ppb;
        uint64_t size = ppb_size(ppb);
        write_comparison(claim, b, comparison);
        if (!comparison.agree && apart++ == 0) {
            other = b;
            first_ppb = ppb;
        }
        if (!counts(agreement, claim) || !counts(agreement, b))
            continue;
        agreement->agree &= comparison.agree;
        if (size > agreement->most_ppb)
            agreement->most_ppb = size;
    }
    if (apart)
        write_disagreement(claim, other, first_ppb, apart);
}

static void compare_clock(const struct claim *claims, size_t count, enum claim_clock clock)
{
    struct agreement agreement = {.clock = clock, .agree = true};

    for (size_t i = 0; i < count; i++)
        agreement.rated |= is_about(&claims[i], clock) && !claims[i].nominal;
    for (size_t i = 0; i < count; i++)
        if (is_about(&claims[i], clock))
            compare_claim(&agreement, &claims[i], claims, i);
    if (agreement.claims > 1 && agreement.agree)
        emit_text("  %s: %u claims agree within %llu ppb\n", claim_clock_word(clock),
                  agreement.claims, (unsigned long long)agreement.most_ppb);
}

void report_claims(const struct claim *claims, size_t count)
{
    emit_text("\nClaims\n");
    for (size_t i = 0; i < count; i++) {
        write_record(&claims[i]);
        bool said = i > 0 && same_absence(&claims[i - 1], &claims[i]);
        if (!claims[i].foreign && !said)
            write_text(&claims[i], i + 1 < count && same_absence(&claims[i], &claims[i + 1])
                                       ? &claims[i + 1]
                                       : NULL);
    }
    write_foreign(claims, count);
    compare_clock(claims, count, CLAIM_TSC);
    compare_clock(claims, count, CLAIM_BUS);
    compare_clock(claims, count, CLAIM_BCLK);
}
