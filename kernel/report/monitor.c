#include "kernel/monitor.h"

#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "kernel/report/rows.h"

#define DEFAULT_PRECISION_PPB 500

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
    char at[DECIMAL_SIZE], rate[DECIMAL_SIZE], half[DECIMAL_SIZE], change[DECIMAL_SIZE + 8] = "";
    char odd[80] = "";
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
    emit_text("  %10s  %18s  %12s  %16s%s\n", at, text_decimal(rate, window->rate.estimate, 9, 9),
              text_decimal(half, rate_half_width_ppb(window->rate), 3, 3), change, odd);
}

static void on_gap(const struct measurement *measurement, const struct gap *gap)
{
    char at[DECIMAL_SIZE], length[DECIMAL_SIZE], lost[80];
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
    emit_text("  GAP of %s s after %s s: the guest did not run%s%s\n",
              text_decimal(length, length_ns, 9, 6), text_decimal(at, after_ns, 9, 6),
              lost[0] ? "; begun anew: " : "", lost);
}

const struct monitor_listener report_monitor_live = {on_window, write_incident, on_gap};

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
    record_u64("gaps", monitor->gaps);
    record_u64("longest_gap_ns", monitor->longest_gap_ns);
    record_bool("monotonic", monitor->monotonic);
    emit_record_end();
}

void report_monitor(const struct monitor *monitor, const struct measurement *measurement)
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
    emit_text("  steps        %llu; changes of rate %llu\n", (unsigned long long)monitor->steps,
              (unsigned long long)monitor->rate_changes);
    if (monitor->step_known)
        emit_text("  largest step at least %s us, of %s\n",
                  text_signed_decimal(size, monitor->step_ns, 3, 3), clock);
    emit_text("  gaps         %llu", (unsigned long long)monitor->gaps);
    if (monitor->gaps)
        emit_text(", the longest of %s s", text_decimal(seconds, monitor->longest_gap_ns, 9, 6));
    emit_text("\n  %s\n", monitor->monotonic ? "no clock went back" : "a clock went back");
    if (monitor->unlisted)
        emit_note("warning", "%llu more breaks of linearity are not listed",
                  (unsigned long long)monitor->unlisted);
    emit_point(!monitor->grave.is_step, NULL, "no clock stepped");
}
