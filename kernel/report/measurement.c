#include "kernel/report/emit.h"
#include "kernel/report/report.h"
#include "kernel/report/rows.h"

void report_clocks(const struct measurement *measurement)
{
    emit_text("\nReference clocks\n");
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        char megahertz[DECIMAL_SIZE];
        const char *status = clock_status_word(run->status);

        if (run->status != CLOCK_LIVE && run->status != CLOCK_COARSE) {
            emit_text("  %-15s %-9s %s\n", run->clock->name, status, run->reason);
            continue;
        }
        if (run->info.nominal.numerator)
            text_decimal(megahertz, rate_millihertz(run->info.nominal), 9, 6);
        else
            text_print(megahertz, sizeof(megahertz), "no rate known");
        emit_text("  %-15s %-9s%12s%s  %2u bits, %s\n", run->clock->name, status, megahertz,
                  run->info.nominal.numerator ? " MHz" : "    ", run->info.bits, run->info.detail);
        if (run->reason[0])
            emit_text("%27s%s\n", "", run->reason);
    }
}

static bool dots;
static uint64_t asked_ns;
static unsigned progress_calls;

void report_window_start(const struct measurement *measurement, const struct options *options)
{
    char seconds[DECIMAL_SIZE];

    (void)measurement;
    // Shorter windows need no sign of life.
    dots = options->window_ns >= 1000000000u && !options->duration_ns;
    asked_ns = options->window_ns;
    progress_calls = 0;
    if (dots)
        emit_text("\nMeasuring for at most %s s ", text_decimal(seconds, options->window_ns, 9, 1));
}

void report_window_progress(unsigned percent)
{
    // Every other call, so that the dots of a window fit on a line; a long one shows a number as
    // well.
    if (!dots || progress_calls++ % 2)
        return;
    if (progress_calls % 16 == 1 && progress_calls > 1)
        emit_text("%u%%", percent);
    else
        emit_text(".");
}

static uint64_t to_ns(const struct measurement *measurement, uint64_t cycles)
{
    return rate_cycles_to_ns(cycles, measurement->tsc_millihertz);
}

static void record_clock(const struct measurement *measurement, const struct clock_run *run)
{
    emit_record("clock");
    const struct histogram *widths = &run->track.widths;

    record_string("clock", run->clock->name);
    record_string("status", clock_status_word(run->status));
    record_string("reason", run->reason);
    record_string("detail", run->info.detail);
    if (run->info.nominal.numerator)
        record_decimal("nominal_hz", rate_millihertz(run->info.nominal), 3);
    else
        record_null("nominal_hz");
    record_u64("bits", run->info.bits);
    if (run->sampled && measurement->decided && widths->count) {
        record_u64("step_ticks", run->step_ticks);
        record_u64("read_min_ns", to_ns(measurement, widths->minimum));
        record_u64("read_median_ns", to_ns(measurement, histogram_quantile(widths, 500)));
        record_u64("read_p99_ns", to_ns(measurement, histogram_quantile(widths, 990)));
        record_u64("read_max_ns", to_ns(measurement, widths->maximum));
    } else {
        static const char *const fields[] = {"step_ticks", "read_min_ns", "read_median_ns",
                                             "read_p99_ns", "read_max_ns"};
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
            record_null(fields[i]);
    }
    record_string("independence", run->info.independence);
    emit_record_end();
}

void record_interval(const char *low, const char *high, const struct rate_interval *rate)
{
    if (rate) {
        record_decimal(low, rate->low, 3);
        record_decimal(high, rate->high, 3);
    } else {
        record_null(low);
        record_null(high);
    }
}

static bool bounded(const struct clock_run *run)
{
    return run->result == MEASUREMENT_OK || run->result == MEASUREMENT_ODD ||
           run->result == MEASUREMENT_STEPPED || run->result == MEASUREMENT_DERIVED;
}

void record_row(const struct row *row)
{
    emit_record("measurement");

    record_string("clock", row->clock);
    record_u64("window_ns", row->window_ns);
    record_u64("samples", row->samples);
    record_u64("segments", row->segments);
    record_interval("low_hz", "high_hz", row->rate);
    if (row->rate)
        record_decimal("estimate_hz", row->rate->estimate, 3);
    else
        record_null("estimate_hz");
    record_interval("raw_low_hz", "raw_high_hz", row->raw);
    record_u64("limit_ppb", row->limit_ppb);
    record_u64("defect_ns", row->defect_ns);
    record_string("status", row->status);
    record_u64("began_ns", row->began_ns);
    if (row->window)
        record_u64("window", *row->window);
    else
        record_null("window");
    record_u64("at_ns", row->at_ns);
    emit_record_end();
}

static struct row row_of(const struct measurement *measurement, const struct clock_run *run)
{
    return (struct row){
        .clock = run->clock->name,
        .status = measurement_status_word(run->result),
        .window_ns = to_ns(measurement, run->last_cycles - run->first_cycles),
        .samples = run->track.samples,
        .segments = run->track.segments,
        .rate = bounded(run) ? &run->widened : NULL,
        .raw = bounded(run) ? &run->raw : NULL,
        .limit_ppb = run->limit_ppb,
        .defect_ns = run->defect_ns,
        .began_ns = to_ns(measurement, measurement->began_cycles),
        .window = measurement->repeats ? NULL : &measurement->window,
    };
}

struct row row_of_all(const struct measurement *measurement, bool slice)
{
    struct row all = {
        .clock = "all",
        .status =
            measurement_status_word(measurement->decided ? MEASUREMENT_OK : MEASUREMENT_EMPTY),
        .window_ns = measurement->window_ns,
        .samples = measurement->samples - (slice ? measurement->window_samples : 0),
        .rate = measurement->decided ? &measurement->all : NULL,
        .raw = measurement->decided && measurement->raw_known ? &measurement->raw : NULL,
        .limit_ppb = measurement->decided ? measurement->limit_ppb : 0,
        .began_ns = to_ns(measurement, measurement->began_cycles),
        .window = slice || !measurement->repeats ? &measurement->window : NULL,
        .at_ns = slice ? measurement->window_at_ns : 0,
    };

    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        unsigned segments = slice ? run->slice.segments : run->track.segments;
        if (segments > all.segments)
            all.segments = segments;
        if (run->defect_ns > all.defect_ns)
            all.defect_ns = run->defect_ns;
    }
    return all;
}

static void record_measurements(const struct measurement *measurement)
{
    struct row row;

    for (size_t i = 0; i < measurement->count; i++) {
        if (!measurement->clocks[i].sampled)
            continue;
        row = row_of(measurement, &measurement->clocks[i]);
        record_row(&row);
    }
    row = row_of_all(measurement, false);
    record_row(&row);
}

// Whole ppm where thousandths would not fit into the column.
static const char *ppm(char out[DECIMAL_SIZE], uint64_t ppb)
{
    return text_decimal(out, ppb, 3, ppb < 9999999 ? 3 : 0);
}

// Whole ms, or s, where ns would not fit into the column.
static const char *defect(char out[DECIMAL_SIZE], uint64_t ns)
{
    uint64_t ms = ns / 1000000;

    if (ms < 100)
        text_print(out, DECIMAL_SIZE, "%llu", (unsigned long long)ns);
    else if (ms < 100000)
        text_print(out, DECIMAL_SIZE, "%llu ms", (unsigned long long)ms);
    else
        text_print(out, DECIMAL_SIZE, "%llu s", (unsigned long long)ms / 1000);
    return out;
}

// In thousands or millions where it would not fit into the column: after half a minute and more.
static const char *samples(char out[DECIMAL_SIZE], uint64_t count)
{
    uint64_t unit = count < 10000000 ? 1 : count < 1000000000 ? 1000 : 1000000;

    text_print(out, DECIMAL_SIZE, "%llu%s", (unsigned long long)(count / unit),
               unit == 1      ? ""
               : unit == 1000 ? "k"
                              : "M");
    return out;
}

// Of 10 GHz and more a digit less.
static const char *mhz(char out[DECIMAL_SIZE], uint64_t millihertz)
{
    return text_decimal(out, millihertz, 9, millihertz < 10000000000000ull ? 6 : 5);
}

static void write_row(const struct row *row)
{
    char low[DECIMAL_SIZE], high[DECIMAL_SIZE], estimate[DECIMAL_SIZE];
    char half[DECIMAL_SIZE], raw[DECIMAL_SIZE] = "-", limit[DECIMAL_SIZE], ns[DECIMAL_SIZE];
    char count[DECIMAL_SIZE];

    if (row->raw)
        ppm(raw, rate_half_width_ppb(*row->raw));
    emit_text("  %-15s %7s %11s  %11s..%-11s %8s %8s %8s %8s\n", row->clock,
              samples(count, row->samples), mhz(estimate, row->rate->estimate),
              mhz(low, row->rate->low), mhz(high, row->rate->high),
              ppm(half, rate_half_width_ppb(*row->rate)), raw, ppm(limit, row->limit_ppb),
              defect(ns, row->defect_ns));
}

static void write_rows(const struct measurement *measurement)
{
    struct row row;

    emit_text(
        "  clock           samples    estimate  proven TSC rate in MHz     +-ppm  raw +-    limit"
        " defect/ns\n");
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        row = row_of(measurement, run);
        if (row.rate)
            write_row(&row);
        else
            emit_text("  %-15s %7llu  %s\n", run->clock->name,
                      (unsigned long long)run->track.samples,
                      !run->info.nominal.numerator ? "it has no nominal rate: it is measured below"
                      : run->result == MEASUREMENT_EMPTY
                          ? "no single rate fits its readings: it is not linear in the TSC"
                          : "too few readings to enclose the rate");
    }
    row = row_of_all(measurement, false);
    if (row.rate)
        write_row(&row);
}

static void write_brackets(const struct measurement *measurement)
{
    emit_text("  clock    one reading takes, in ns: least    median       99%%      most\n");
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        const struct histogram *widths = &run->track.widths;
        if (!run->sampled)
            continue;
        emit_text("  %-28s%11llu %9llu %9llu %9llu\n", run->clock->name,
                  (unsigned long long)to_ns(measurement, widths->minimum),
                  (unsigned long long)to_ns(measurement, histogram_quantile(widths, 500)),
                  (unsigned long long)to_ns(measurement, histogram_quantile(widths, 990)),
                  (unsigned long long)to_ns(measurement, widths->maximum));
    }
}

void name_suspects(const struct measurement *measurement, const struct incident *incident,
                   char name[SUSPECTS_SIZE])
{
    // Against two clocks the rate of the TSC alone has changed.
    bool tsc = (incident->changed & (incident->changed - 1)) != 0;
    unsigned clocks = incident->is_step ? incident->clocks_possible : tsc ? 0 : incident->seen;
    struct text text;

    text_init(&text, name, SUSPECTS_SIZE);
    if (incident->tsc_possible || !incident->is_step)
        text_string(&text, "tsc");
    for (size_t i = 0; i < measurement->count; i++)
        if (clocks >> i & 1)
            text_format(&text, "%s%s", text.used ? " or " : "", measurement->clocks[i].clock->name);
    if (!text.used)
        text_string(&text, "more than one clock");
}

static int64_t signed_ns(const struct measurement *measurement, int64_t cycles)
{
    return cycles < 0 ? -(int64_t)to_ns(measurement, (uint64_t)-cycles)
                      : (int64_t)to_ns(measurement, (uint64_t)cycles);
}

// Where no single culprit is possible: each clock, as it stood against the TSC afterwards.
static void write_offsets(const struct measurement *measurement, const struct incident *incident,
                          uint64_t number)
{
    for (size_t i = 0; i < measurement->count; i++) {
        char low[DECIMAL_SIZE], high[DECIMAL_SIZE];
        int64_t low_ns = signed_ns(measurement, incident->offsets[i].least_cycles);
        int64_t high_ns = signed_ns(measurement, incident->offsets[i].most_cycles);
        if (!incident->offsets[i].known)
            continue;
        emit_record("offset");
        record_string("clock", measurement->clocks[i].clock->name);
        record_u64("segment", number);
        record_s64("low_ns", low_ns);
        record_s64("high_ns", high_ns);
        emit_record_end();
        emit_text("    %-8s by %s to %s us\n", measurement->clocks[i].clock->name,
                  text_signed_decimal(low, low_ns, 3, 3), text_signed_decimal(high, high_ns, 3, 3));
    }
}

// When it was, from the beginning of measuring.
static uint64_t at_ns(const struct measurement *measurement, const struct incident *incident,
                      uint64_t cycles)
{
    if (cycles >= incident->window_began)
        return incident->window_at_ns + to_ns(measurement, cycles - incident->window_began);
    uint64_t before = to_ns(measurement, incident->window_began - cycles);
    return before < incident->window_at_ns ? incident->window_at_ns - before : 0;
}

void write_incident(const struct measurement *measurement, const struct incident *incident,
                    uint64_t number)
{
    char suspects[SUSPECTS_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE], from[DECIMAL_SIZE],
        until[DECIMAL_SIZE], sentence[224];
    struct text text;
    int64_t low_ns = signed_ns(measurement, incident->low_cycles);
    int64_t high_ns = signed_ns(measurement, incident->high_cycles);
    uint64_t after_ns = at_ns(measurement, incident, incident->after_cycles);
    uint64_t before_ns = at_ns(measurement, incident, incident->before_cycles);

    name_suspects(measurement, incident, suspects);
    emit_record("step");
    record_string("clock", suspects);
    record_string("kind", incident->is_pause ? "pause" : incident->is_step ? "step" : "rate");
    record_u64("segment", number);
    record_u64("after_ns", after_ns);
    record_u64("before_ns", before_ns);
    record_s64("low_ns", low_ns);
    record_s64("high_ns", high_ns);
    record_u64("window", incident->window);
    record_u64("at_ns", incident->window_at_ns);
    record_bool("fails", incident_is_grave(measurement, incident));
    emit_record_end();

    text_decimal(from, after_ns, 9, 6);
    text_decimal(until, before_ns, 9, 6);
    const char *word = incident->is_pause  ? "PAUSE: a step"
                       : incident->is_step ? "STEP"
                                           : "change of rate";
    text_init(&text, sentence, sizeof(sentence));
    text_format(&text, "%s of %s between %s and %s s", word, suspects, from, until);
    if (incident->is_step && incident_suspects(incident))
        text_format(&text, ": %s to %s us", text_signed_decimal(low, low_ns, 3, 3),
                    text_signed_decimal(high, high_ns, 3, 3));
    emit_wrapped("  ", sentence);
    if (incident->is_step && !incident_suspects(incident))
        write_offsets(measurement, incident, number);
}

static void write_incidents(const struct measurement *measurement)
{
    bool step = false;

    for (size_t i = 0; i < measurement->incident_count && i < INCIDENTS_MAX; i++) {
        const struct incident *incident = &measurement->incidents[i];
        write_incident(measurement, incident, i + 1);
        step |= incident_is_grave(measurement, incident);
    }
    if (measurement->incident_count > INCIDENTS_MAX)
        emit_note("warning", "%zu more breaks of linearity are not listed",
                  measurement->incident_count - INCIDENTS_MAX);
    emit_point(!step, NULL, "no clock stepped");
}

static void write_bus(const struct measurement *measurement)
{
    char megahertz[DECIMAL_SIZE], half[DECIMAL_SIZE];

    if (!measurement->bus_known)
        return;
    emit_record("rate");
    record_string("clock", "lapic");
    record_string("of", "bus");
    record_interval("low_hz", "high_hz", &measurement->bus);
    record_decimal("estimate_hz", measurement->bus.estimate, 3);
    record_string("against", measurement->bus_against);
    emit_record_end();
    emit_text("  the LAPIC timer runs at %s MHz +-%s ppm by %s\n",
              text_decimal(megahertz, measurement->bus.estimate, 9, 6),
              text_decimal(half, rate_half_width_ppb(measurement->bus), 3, 3),
              measurement->bus_against);
}

// The time bases of the clocks that agree, each once, and how many there are.
static unsigned name_bases(const struct measurement *measurement, char *names, size_t size)
{
    unsigned count = 0;
    struct text text;

    text_init(&text, names, size);
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        bool seen = run->result != MEASUREMENT_OK;
        for (size_t j = 0; j < i && !seen; j++)
            seen = measurement->clocks[j].result == MEASUREMENT_OK &&
                   text_equal(measurement->clocks[j].info.independence, run->info.independence);
        if (!seen)
            text_format(&text, "%s%s", count++ ? " and " : "", run->info.independence);
    }
    return count;
}

// What "proven" means here: relative to which clocks, at which rates.
static void write_basis(const struct measurement *measurement)
{
    char names[96], bases[96];
    unsigned agreeing = 0;
    bool lapic = false;
    struct text text;

    text_init(&text, names, sizeof(names));
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (run->result == MEASUREMENT_DERIVED)
            emit_note("info", "%s is computed from the TSC: it repeats a claim, and has no vote",
                      run->clock->name);
        if (run->status == CLOCK_STUCK && run->sampled)
            emit_note("warning", "%s: %s", run->clock->name, run->reason);
        if (run->result != MEASUREMENT_OK)
            continue;
        text_format(&text, "%s%s", agreeing++ ? ", " : "", run->clock->name);
        lapic = text_equal(run->clock->name, "lapic");
    }
    if (!measurement->decided) {
        emit_note("warning", "no rate is proven: %s", measurement->undecided);
        return;
    }
    emit_text("  Proven relative to %s at %s nominal rate%s.\n", names,
              agreeing == 1 ? "its" : "their", agreeing == 1 ? "" : "s");
    unsigned count = name_bases(measurement, bases, sizeof(bases));
    emit_text("  Time base%s: %s. The error of a base cannot be seen from in here.\n",
              count == 1 ? "" : "s", bases);
    if (lapic && agreeing == 1)
        emit_note("info",
                  "the result rests on the LAPIC timer alone, at the 1 GHz at which KVM and "
                  "QEMU emulate it");
}

void report_measurement(const struct measurement *measurement)
{
    char seconds[DECIMAL_SIZE];

    if (dots)
        emit_text("%s\n", measurement->window_ns >= asked_ns ? "100%" : " enough");
    for (size_t i = 0; i < measurement->count; i++)
        record_clock(measurement, &measurement->clocks[i]);
    record_measurements(measurement);

    emit_text("\nMeasurement");
    if (measurement->window_clock)
        emit_text(": %s s, timed by %s; %s", text_decimal(seconds, measurement->window_ns, 9, 3),
                  measurement->window_clock, measurement->stopped_by);
    emit_text("\n");
    if (measurement->window_clock) {
        write_rows(measurement);
        write_bus(measurement);
        write_brackets(measurement);
    }
    emit_point(measurement->tsc_advances, NULL, "the TSC advances");
    emit_point(measurement->decided, measurement->decided ? NULL : "inconclusive",
               "reference clocks enclose the TSC rate");
    if (measurement->tsc_step_cycles > 1)
        emit_text("  The TSC moves in steps of %llu cycles.\n",
                  (unsigned long long)measurement->tsc_step_cycles);
    if (!measurement->repeats) // those were told when they happened
        write_incidents(measurement);
    write_basis(measurement);
}
