// What is odd, by name: one list of what the other sections tell in their places, and of what
// follows from several of them. docs/oddities.md has every id, what it takes, and what cannot be
// seen from in here. Oddities inform; what decides is in docs/verdicts.md.
#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "kernel/report/rows.h"

#include "lib/compare.h"
#include "lib/oddity.h"
#include "lib/text.h"

static unsigned said;

static void __attribute__((format(printf, 3, 4)))
say(const char *id, const char *subject, const char *format, ...)
{
    char detail[320], prefix[80];
    struct text text;
    __builtin_va_list arguments;

    text_init(&text, detail, sizeof(detail));
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
    if (!said++)
        emit_text("\nOddities of claims and clocks\n");
    text_print(prefix, sizeof(prefix), "  %s: %s", id, subject);
    emit_text("%s\n", prefix);
    emit_wrapped("    ", detail);
    emit_diagnostic("oddity %s: %s: %s", id, subject, detail);
    emit_record("oddity");
    record_string("id", id);
    record_string("subject", subject);
    record_string("detail", detail);
    emit_record_end();
}

// --- Breaks

static bool has_moved(const struct incident *incident, size_t i)
{
    return incident->offsets[i].known &&
           (incident->offsets[i].least_cycles > 0 || incident->offsets[i].most_cycles < 0);
}

// "pit, hpet"
static void name_clocks(const struct measurement *measurement, unsigned which, char *names,
                        size_t size)
{
    struct text text;

    text_init(&text, names, size);
    for (size_t i = 0; i < measurement->count; i++)
        if (which >> i & 1)
            text_format(&text, "%s%s", text.used ? ", " : "", measurement->clocks[i].clock->name);
}

// Several clocks moved, and not by as much as the TSC would explain.
static void say_moved_together(const struct measurement *measurement,
                               const struct incident *incident)
{
    unsigned moved = 0, still = 0;
    char names[SUSPECTS_SIZE], others[SUSPECTS_SIZE];

    for (size_t i = 0; i < measurement->count; i++) {
        if (!incident->offsets[i].known)
            continue;
        if (has_moved(incident, i))
            moved |= 1u << i;
        else
            still |= 1u << i;
    }
    name_clocks(measurement, moved, names, sizeof(names));
    name_clocks(measurement, still, others, sizeof(others));
    say("stall", names, "they moved against the TSC, which cannot have caused it%s%s: %s",
        still ? " by " : "", others, "a time base that they share stopped, stepped, or catches up");
}

static void say_break(const struct measurement *measurement, const struct incident *incident)
{
    char suspects[SUSPECTS_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE];
    size_t clock = incident->clocks_possible ? (size_t)__builtin_ctz(incident->clocks_possible) : 0;

    name_suspects(measurement, incident, suspects);
    if (!incident->is_step) {
        say("rate-change", suspects, "no one rate fits its readings, nor is a step proven%s",
            text_equal(suspects, "tsc") ? ": its rate changed against all clocks, or that of the "
                                          "time base which they share"
                                        : "");
        return;
    }
    if (!incident->tsc_possible && !incident->clocks_possible) {
        say_moved_together(measurement, incident);
        return;
    }
    text_signed_decimal(low, incident->low_cycles, 0, 0);
    text_signed_decimal(high, incident->high_cycles, 0, 0);
    if (!incident->tsc_possible &&
        text_equal(measurement->clocks[clock].info.independence, "host-wall-clock"))
        say("wall-clock-step", suspects,
            "only the clock of the host's time of day stepped, by %s to %s TSC cycles: it was "
            "set%s",
            low, high, incident->is_pause ? ", or this machine was paused" : "");
    else
        say("step", suspects, "it stepped by %s to %s TSC cycles", low, high);
}

static void say_breaks(const struct measurement *measurement, const struct monitor *monitor)
{
    char suspects[SUSPECTS_SIZE] = "";

    for (size_t i = 0; i < measurement->incident_count && i < INCIDENTS_MAX && !monitor; i++)
        say_break(measurement, &measurement->incidents[i]);
    if (!monitor)
        return;
    if (monitor->step_known)
        name_suspects(measurement, &monitor->step, suspects);
    if (monitor->steps)
        say("step", suspects, "%llu step%s while the windows went by; this is the largest",
            (unsigned long long)monitor->steps, monitor->steps == 1 ? "" : "s");
    if (monitor->rate_changes)
        say("rate-change", "tsc or clocks", "%llu change%s of rate while the windows went by",
            (unsigned long long)monitor->rate_changes, monitor->rate_changes == 1 ? "" : "s");
}

// --- Clocks

static bool has_rate(const struct clock_run *run)
{
    return run->result == MEASUREMENT_OK || run->result == MEASUREMENT_ODD;
}

// By how much a clock runs fast if the TSC's rate is `tsc`.
static void say_wrong_rate(const char *id, const char *subject, const struct clock_run *run,
                           struct rate_interval tsc, const char *what)
{
    char error[DECIMAL_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE];

    // Where the clock is fast, the TSC seems slow.
    say(id, subject, "%s %s ppm fast (proven: %s to %s)", what,
        text_signed_decimal(error, claim_judge(tsc.estimate, 0, 0, run->widened).error_ppb, 3, 3),
        text_signed_decimal(low, claim_judge(tsc.low, 0, 0, run->widened).low_ppb, 3, 3),
        text_signed_decimal(high, claim_judge(tsc.high, 0, 0, run->widened).high_ppb, 3, 3));
}

static void say_pairs(const struct measurement *measurement, size_t i)
{
    const struct clock_run *run = &measurement->clocks[i];

    for (size_t j = 0; j < i && has_rate(run); j++) {
        const struct clock_run *other = &measurement->clocks[j];
        char names[SUSPECTS_SIZE], what[SUSPECTS_SIZE];
        if (!has_rate(other) ||
            (run->widened.low <= other->widened.high && other->widened.low <= run->widened.high))
            continue;
        name_clocks(measurement, 1u << i | 1u << j, names, sizeof(names));
        text_print(what, sizeof(what), "one of the two is wrong: by %s, %s runs",
                   other->clock->name, run->clock->name);
        say_wrong_rate("clocks-disagree", names, run, other->widened, what);
    }
}

static void say_clocks(const struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        switch (run->status) {
        case CLOCK_COARSE:
            say("coarse-clock", run->clock->name, "%s", run->reason);
            break;
        case CLOCK_DEAD:
        case CLOCK_STUCK:
        case CLOCK_BACKWARDS:
            say("dead-clock", run->clock->name, "%s: %s", clock_status_word(run->status),
                run->reason);
            break;
        default:
            break;
        }
        if (run->result == MEASUREMENT_ODD) {
            char what[SUSPECTS_SIZE];
            text_print(what, sizeof(what), "%s is the odd one out: by the others it runs",
                       run->clock->name);
            say_wrong_rate("wrong-rate", run->clock->name, run, measurement->all, what);
        }
        if (!measurement->decided)
            say_pairs(measurement, i);
    }
}

// --- Claims

// A claim about the TSC of the other kind, nominal or not, that the measurement bears out: within
// tolerance, or a nominal one within 1 %.
static const struct judged_claim *find_right(const struct judged *judged, bool nominal)
{
    for (size_t i = 0; i < judged->claim_count; i++) {
        const struct judged_claim *other = &judged->claims[i];
        if (other->claim->clock != CLAIM_TSC || other->claim->nominal != nominal)
            continue;
        if (nominal ? other->judgement.low_ppb >= -ODDITY_FOREIGN_PPB &&
                          other->judgement.high_ppb <= ODDITY_FOREIGN_PPB
                    : other->judgement.verdict == VERDICT_OK)
            return other;
    }
    return NULL;
}

static void say_foreign(const struct judged *judged, const struct judged_claim *off,
                        const struct measurement *measurement)
{
    const struct claim *claim = off->claim;
    // One clock scaled and not the other: only claims about the TSC tell.
    const struct judged_claim *right =
        claim->clock == CLAIM_TSC ? find_right(judged, !claim->nominal) : NULL;
    uint64_t measured =
        claim->clock == CLAIM_TSC ? measurement->all.estimate : measurement->bus.estimate;
    char ratio[48] = "", error[DECIMAL_SIZE];
    unsigned over, under;

    if (simple_quotient(claim->millihertz, measured, &over, &under))
        text_print(ratio, sizeof(ratio), ", %u/%u of the measured rate", over, under);
    text_signed_decimal(error, off->judgement.error_ppb, 3, 0);
    if (!right)
        say("other-machine", claim->source, "it is %s ppm off%s: it describes another machine",
            error, ratio);
    else if (claim->nominal)
        say("tsc-scaled", claim->source,
            "it is %s ppm off%s, and %s is right: the TSC is scaled, and this source is the host's",
            error, ratio, right->claim->source);
    else
        say("tsc-unscaled", claim->source,
            "it is %s ppm off%s: the TSC runs at the rate of %s, as if scaling were announced and "
            "not done",
            error, ratio, right->claim->source);
}

// Do the reference clocks run on a clock of a host? Its time of day is steered as the other one is.
static bool has_host(const struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (run->result == MEASUREMENT_OK && (text_equal(run->info.independence, "host-timebase") ||
                                              text_equal(run->info.independence, CLOCK_WALL)))
            return true;
    }
    return false;
}

static void say_deviations(const struct judged *judged, const struct measurement *measurement,
                           uint64_t tolerance_ppb)
{
    const char *by_host = NULL;
    char error[DECIMAL_SIZE];

    for (size_t i = 0; i < judged->claim_count; i++) {
        const struct judged_claim *claim = &judged->claims[i];
        // What firmware tells of the processor is a constant in most hypervisors, 2000 MHz in QEMU.
        if (text_equal(claim->claim->source, "smbios"))
            continue;
        switch (deviation_of(claim->claim, &claim->judgement, tolerance_ppb)) {
        case DEVIATION_PLAIN:
            break;
        case DEVIATION_HOST:
            by_host = by_host ? by_host : claim->claim->source;
            break;
        case DEVIATION_SPREAD:
            say("spread-spectrum", claim->claim->source,
                "the TSC runs %s ppm below crystal times ratio, as a spread-spectrum clock does "
                "(0 to 5000); a window of 1 s or more tells its mean",
                text_decimal(error, (uint64_t)claim->judgement.error_ppb, 3, 3));
            break;
        case DEVIATION_FOREIGN:
            say_foreign(judged, claim, measurement);
            break;
        }
    }
    if (by_host && has_host(measurement))
        say("host-deviation", by_host,
            "1 to 500 ppm that all reference clocks agree on is the size of a host's own error, "
            "and no fault of this guest: its idea of its TSC rate (tsc_khz), and NTP steering the "
            "clock that they share");
}

// Claims of the platform itself against each other: each that differs from one before it.
static void say_disagreements(const struct claim *claims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct claim *a = &claims[i], *b = &claims[j];
            if (!a->present || !b->present || a->nominal || b->nominal || a->clock != b->clock)
                continue;
            struct comparison comparison = claim_compare(a, b);
            if (comparison.agree)
                continue;
            say("claims-disagree", a->source, "its %s rate is %lld ppb from that of %s",
                claim_clock_word(a->clock), (long long)comparison.difference_ppb, b->source);
            break;
        }
    }
}

void report_oddities(const struct platform *platform, const struct judged *judged,
                     const struct measurement *measurement, const struct monitor *monitor,
                     const struct claim *claims, size_t claim_count)
{
    said = 0;
    say_breaks(measurement, monitor);
    say_clocks(measurement);
    say_deviations(judged, measurement, platform->options.tolerance_ppb);
    say_disagreements(claims, claim_count);
    if (!said)
        emit_text("\nOddities of claims and clocks: none\n");
}
