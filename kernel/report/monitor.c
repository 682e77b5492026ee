#include "kernel/monitor.h"

#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "kernel/report/rows.h"

#define DEFAULT_PRECISION_PPB 500
#define REMARKS_BESIDE        34

void report_monitor_start(const struct options *options)
{
    char window[DECIMAL_SIZE], duration[DECIMAL_SIZE];

    text_decimal(window, options->window_ns, 9, 3);
    emit_text("\nMonitor: windows of %s s, %s%s%s\n", window,
              options->duration_ns == DURATION_FOREVER ? "until the machine is switched off"
                                                       : "for ",
              options->duration_ns == DURATION_FOREVER
                  ? ""
                  : text_decimal(duration, options->duration_ns, 9, 3),
              options->duration_ns == DURATION_FOREVER ? "" : " s");
    if (options->stop != STOP_PRECISION ||
        (options->precision_ppb != DEFAULT_PRECISION_PPB && options->precision_ppb))
        emit_note("info", "duration=: precision= and stop= do not end a window early");
    emit_text("        s     proven TSC rate in MHz     +-ppm       change\n");
}

static void on_window(const struct measurement *measurement, const struct monitor_window *window)
{
    char at[DECIMAL_SIZE], rate[DECIMAL_SIZE], half[DECIMAL_SIZE], change[DECIMAL_SIZE + 8] = "-";
    char odd[128] = "";
    struct text text;
    struct row row = row_of_all(measurement, true);

    record_row(&row);
    text_decimal(at, window->at_ns, 9, 3);
    text_init(&text, odd, sizeof(odd));
    for (size_t i = 0; i < measurement->count; i++)
        if (window->odd >> i & 1)
            text_format(&text, " %s is odd;", measurement->clocks[i].clock->name);
    if (window->apart)
        text_format(&text, " the rate is another one;");
    if (window->gaps)
        text_format(&text, " %u gap%s;", window->gaps, window->gaps == 1 ? "" : "s");
    if (text.used)
        odd[text.used - 1] = '\0'; // the last semicolon
    if (!window->decided) {
        emit_text("  %10s  no rate is proven%s%s\n", at, odd[0] ? ";" : "", odd);
        return;
    }
    if (window->change_known) {
        char ppb[DECIMAL_SIZE];
        text_print(change, sizeof(change), "%12s ppb",
                   text_signed_decimal(ppb, window->change_ppb, 0, 0));
    }
    // What does not fit beside the numbers stands below them.
    emit_text("  %10s  %18s  %12s  %16s%s%s\n", at, text_decimal(rate, window->rate.estimate, 9, 9),
              text_decimal(half, rate_half_width_ppb(window->rate), 3, 3), change,
              text.used > REMARKS_BESIDE ? "\n             " : "", odd);
}

static void on_gap(const struct measurement *measurement, const struct gap *gap)
{
    char at[DECIMAL_SIZE], length[DECIMAL_SIZE], lost[80], sentence[192];
    uint64_t length_ns =
        rate_cycles_to_ns(gap->before_cycles - gap->after_cycles, measurement->tsc_millihertz);
    uint64_t after_ns = gap->window_at_ns + rate_cycles_to_ns(gap->after_cycles - gap->window_began,
                                                              measurement->tsc_millihertz);
    struct text text;

    text_init(&text, lost, sizeof(lost));
    for (size_t i = 0; i < measurement->count; i++)
        if (gap->lost >> i & 1)
            text_format(&text, "%s%s", text.used ? ", " : "", measurement->clocks[i].clock->name);
    emit_record("gap");
    record_u64("window", gap->window);
    record_u64("at_ns", gap->window_at_ns);
    record_u64("after_ns", after_ns);
    record_u64("length_ns", length_ns);
    record_string("lost", lost);
    emit_record_end();
    text_print(sentence, sizeof(sentence), "GAP of %s s after %s s: the guest did not run%s%s",
               text_decimal(length, length_ns, 9, 6), text_decimal(at, after_ns, 9, 6),
               lost[0] ? "; begun anew: " : "", lost);
    emit_wrapped("  ", sentence);
}

static void record_hertz(const char *key, const struct claim *claim)
{
    if (claim && claim->present)
        record_decimal(key, claim->millihertz, 3);
    else
        record_null(key);
}

static const char *show_hertz(char megahertz[DECIMAL_SIZE], const struct claim *claim)
{
    return claim->present ? text_decimal(megahertz, claim->millihertz, 9, 6) : "none";
}

static void on_reread(const struct measurement *measurement, const struct claim *old,
                      const struct claim *now)
{
    char before[DECIMAL_SIZE], after[DECIMAL_SIZE];

    emit_record("reread");
    record_u64("window", measurement->window);
    record_u64("at_ns", measurement->window_at_ns);
    record_bool("changed", old);
    if (old) {
        record_string("source", old->source);
        record_string("clock", claim_clock_word(old->clock));
    } else {
        record_null("source");
        record_null("clock");
    }
    record_hertz("from_hz", old);
    record_hertz("to_hz", now);
    emit_record_end();
    if (old)
        emit_text("  claim %s of the %s changed: from %s to %s MHz\n", old->source,
                  claim_clock_word(old->clock), show_hertz(before, old), show_hertz(after, now));
    else
        emit_text("  claims read again: unchanged\n");
}

const struct monitor_listener report_monitor_live = {on_window, write_incident, on_gap, on_reread};

static int64_t middle(const struct monitor *monitor)
{
    return monitor->drift_low_ppb + (monitor->drift_high_ppb - monitor->drift_low_ppb) / 2;
}

static void write_allan(const struct monitor *monitor, uint64_t window_ns)
{
    uint64_t ppt, pairs;

    if (!monitor->allan_clock || !allan_deviation(&monitor->allan, 0, &ppt, &pairs))
        return;
    emit_text("  Allan deviation by %s%s\n           tau/s         ppb     pairs\n",
              monitor->allan_clock,
              monitor->allan.clamped ? ", too low since a change of 0.1 % counts as that" : "");
    for (unsigned n = 0; n < ALLAN_OCTAVES && allan_deviation(&monitor->allan, n, &ppt, &pairs);
         n++) {
        char tau[DECIMAL_SIZE], ppb[DECIMAL_SIZE];
        uint64_t tau_ns = window_ns << n;
        emit_record("allan");
        record_string("clock", monitor->allan_clock);
        record_u64("tau_ns", tau_ns);
        record_decimal("deviation_ppb", ppt, 3);
        record_u64("samples", pairs);
        emit_record_end();
        emit_text("  %14s  %10s  %8llu\n", text_decimal(tau, tau_ns, 9, 3),
                  text_decimal(ppb, ppt, 3, 3), (unsigned long long)pairs);
    }
}

static void record_summary(const struct monitor *monitor, const char *step_clock)
{
    const struct rate_interval *rate = monitor->decided ? &monitor->rate : NULL;

    emit_record("monitor");
    record_u64("windows", monitor->windows);
    record_u64("duration_ns", monitor->duration_ns);
    record_interval("low_hz", "high_hz", rate);
    if (rate)
        record_decimal("estimate_hz", rate->estimate, 3);
    else
        record_null("estimate_hz");
    record_interval("raw_low_hz", "raw_high_hz",
                    monitor->decided && monitor->raw_known ? &monitor->raw : NULL);
    record_u64("stretches", monitor->stretches);
    record_u64("rate_changes", monitor->rate_changes);
    record_u64("steps", monitor->steps);
    if (monitor->step_known) {
        record_s64("largest_step_ns", monitor->step_ns);
        record_string("largest_step_clock", step_clock);
    } else {
        record_null("largest_step_ns");
        record_null("largest_step_clock");
    }
    if (monitor->drift_clock) {
        record_s64("drift_ppb_per_hour", middle(monitor));
        record_s64("drift_low_ppb_per_hour", monitor->drift_low_ppb);
        record_s64("drift_high_ppb_per_hour", monitor->drift_high_ppb);
    } else {
        record_null("drift_ppb_per_hour");
        record_null("drift_low_ppb_per_hour");
        record_null("drift_high_ppb_per_hour");
    }
    record_string("drift_clock", monitor->drift_clock);
    record_u64("gaps", monitor->gaps);
    record_u64("longest_gap_ns", monitor->longest_gap_ns);
    record_bool("monotonic", monitor->monotonic);
    record_u64("pauses", monitor->pauses);
    emit_record_end();
}

void report_monitor(const struct monitor *monitor, const struct measurement *measurement,
                    uint64_t window_ns)
{
    char seconds[DECIMAL_SIZE], rate[DECIMAL_SIZE], half[DECIMAL_SIZE], clock[SUSPECTS_SIZE];
    char size[DECIMAL_SIZE];

    if (monitor->step_known)
        name_suspects(measurement, &monitor->step, clock);
    record_summary(monitor, clock);
    emit_text("\nOver time: %s s in %llu windows\n",
              text_decimal(seconds, monitor->duration_ns, 9, 3),
              (unsigned long long)monitor->windows);
    if (monitor->decided)
        emit_text("  rate         %s MHz +-%s ppm%s\n",
                  text_decimal(rate, monitor->rate.estimate, 9, 6),
                  text_decimal(half, rate_half_width_ppb(monitor->rate), 3, 3),
                  monitor->stretches > 1 ? " at every time" : "");
    if (monitor->stretches > 1)
        emit_text(
            "               it changed; the table above is of the time since the last change\n");
    emit_text("  steps        %llu; pauses %llu; changes of rate %llu\n",
              (unsigned long long)monitor->steps, (unsigned long long)monitor->pauses,
              (unsigned long long)monitor->rate_changes);
    if (monitor->step_known)
        emit_text("  largest step at least %s us, of %s\n",
                  text_signed_decimal(size, monitor->step_ns, 3, 3), clock);
    emit_text("  gaps         %llu", (unsigned long long)monitor->gaps);
    if (monitor->gaps)
        emit_text(", the longest of %s s", text_decimal(seconds, monitor->longest_gap_ns, 9, 6));
    emit_text("\n  %s\n", monitor->monotonic ? "no clock went back" : "a clock went back");
    // A middle value would say little.
    if (monitor->drift_clock)
        emit_text("  drift        %sproven: %lld to %lld ppb an hour, by %s\n",
                  monitor->drift_low_ppb <= 0 && monitor->drift_high_ppb >= 0 ? "none seen; " : "",
                  (long long)monitor->drift_low_ppb, (long long)monitor->drift_high_ppb,
                  monitor->drift_clock);
    write_allan(monitor, window_ns);
    if (monitor->unlisted)
        emit_note("warning", "%llu more breaks of linearity are not listed",
                  (unsigned long long)monitor->unlisted);
    emit_point(!monitor->grave.is_step, NULL, "no clock stepped");
}
