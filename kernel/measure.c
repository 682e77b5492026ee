#include "kernel/measure.h"

#include "lib/sample.h"
#include "lib/text.h"
#include "lib/wide.h"

#define TSC_MOVES          32 // differences that its step is taken from
#define TSC_PATIENCE_LOOPS 1000000
#define WARM_UP_ROUNDS     32
#define STILL_MAX          64 // readings in a row, in a round
// The longest window while nothing tells the TSC's rate: more than two seconds up to 8 GHz.
#define BLIND_CYCLES (1ull << 34)
// With duration=, so long without a reading is a gap: longer than a record takes on a serial line
// of 115200 baud. After a report even a slow screen is allowed for.
#define GAP_NS      50000000u
#define GAP_BUSY_NS 1000000000u
#define QUIET_PARTS 50
#define QUIET_GAPS  4 // so long after it, in gaps, a shorter one counts

const char *measurement_status_word(enum measurement_status status)
{
    static const char *const words[] = {
        [MEASUREMENT_NONE] = "none",   [MEASUREMENT_OK] = "ok",
        [MEASUREMENT_ODD] = "odd",     [MEASUREMENT_STEPPED] = "stepped",
        [MEASUREMENT_EMPTY] = "empty", [MEASUREMENT_DERIVED] = "derived",
    };

    return words[status];
}

// Does the TSC advance, and in what steps?
static void examine_tsc(struct measurement *measurement)
{
    uint64_t first = machine_tsc();
    uint64_t last = first;
    uint64_t step = 0;

    for (unsigned i = 0; i < TSC_PATIENCE_LOOPS && last == first; i++) {
        machine_pause();
        last = machine_tsc();
    }
    measurement->tsc_advances = last != first;
    for (unsigned i = 0, moves = 0; i < TSC_PATIENCE_LOOPS && moves < TSC_MOVES; i++) {
        uint64_t now = machine_tsc();
        moves += now != last;
        step = sample_gcd(step, now - last);
        last = now;
    }
    measurement->tsc_step_cycles = step ? step : 1;
}

static bool wanted(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->clock_count; i++)
        if (text_equal(options->clocks[i], name))
            return true;
    return options->clock_count == 0;
}

static void examine(struct clock_run *run, uint64_t tsc_step_cycles, uint64_t window_ns)
{
    const struct clock_info *info = &run->info;

    if (info->posted_ms) {
        run->step_ticks = info->posted_ticks;
        // The first pair of a window only begins; two readings are to follow.
        if (window_ns >= 3ull * 1000000 * info->posted_ms)
            return;
        run->status = CLOCK_SLOW;
        text_print(run->reason, sizeof(run->reason),
                   "the host posts a reading every %u ms: it needs a window of three",
                   info->posted_ms);
        return;
    }
    if (!info->slow)
        clock_examine(run, tsc_step_cycles);
    if (run->status != CLOCK_LIVE && run->clock->fall_back && run->clock->fall_back(&run->info)) {
        run->status = CLOCK_LIVE;
        run->reason[0] = '\0';
        if (!info->slow)
            clock_examine(run, tsc_step_cycles);
    }
    if (!info->slow || run->status != CLOCK_LIVE)
        return;
    run->step_ticks = 1;
    // Both bounds take two ticks, which certainly come in a window of two.
    if (window_ns < wide_mul_div(2000000000, info->nominal.denominator, info->nominal.numerator)) {
        run->status = CLOCK_SLOW;
        text_print(run->reason, sizeof(run->reason),
                   "it ticks at %llu Hz: it needs a window of two ticks",
                   (unsigned long long)(info->nominal.numerator / info->nominal.denominator));
    }
}

void measure_probe(struct measurement *measurement, const struct platform *platform)
{
    memset(measurement, 0, offsetof(struct measurement, clocks));
    measurement->pending = SIZE_MAX;
    measurement->random = 2463534242u; // any nonzero seed: runs should repeat
    examine_tsc(measurement);
    for (size_t i = 0; i < CLOCKS_MAX && clock_table[i]; i++) {
        struct clock_run *run = &measurement->clocks[i];
        memset(run, 0, offsetof(struct clock_run, track));
        run->clock = clock_table[i];
        run->info.independence =
            platform_has_hardware_clocks(platform) ? "hardware" : "host-timebase";
        measurement->count = i + 1;
        if (!wanted(&platform->options, run->clock->name)) {
            run->status = CLOCK_UNUSED;
            text_print(run->reason, sizeof(run->reason), "not among the clocks= asked for");
            continue;
        }
        run->status = run->clock->probe(platform, &run->info, run->reason, sizeof(run->reason));
        if (run->status == CLOCK_LIVE && measurement->tsc_advances)
            examine(run, measurement->tsc_step_cycles,
                    platform->options.duration_ns > platform->options.window_ns
                        ? platform->options.duration_ns
                        : platform->options.window_ns);
    }
}

static bool is_live(const struct clock_run *run)
{
    return run->status == CLOCK_LIVE || run->status == CLOCK_COARSE;
}

static bool is_derived(const struct clock_run *run)
{
    return text_equal(run->info.independence, CLOCK_DERIVED);
}

// Chooses what is sampled and what times the window: of the clocks with a nominal rate, the one
// whose examination enclosed the TSC rate most narrowly, or else a slow one. Gives the TSC rate
// that it found, 0 if there is none yet.
static uint64_t choose_clocks(struct measurement *measurement)
{
    uint64_t best_ppb = UINT64_MAX;
    uint64_t tsc_millihertz = 0;

    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        run->sampled = is_live(run);
        if (!run->sampled || !run->info.nominal.numerator || is_derived(run))
            continue;
        if (run->info.slow || run->info.posted_ms) {
            if (!measurement->window_clock)
                measurement->window_clock = run->clock->name;
            continue;
        }
        uint64_t ppb = slope_half_width_ppb(run->probe_low, run->probe_high);
        if (ppb < best_ppb) {
            best_ppb = ppb;
            measurement->window_clock = run->clock->name;
            tsc_millihertz =
                rate_from_slopes(run->info.nominal, run->probe_low, run->probe_high).estimate;
        }
    }
    return tsc_millihertz;
}

static void start_tracks(struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        // At its steepest the clock needs this long for half its range: a shorter gap hides no
        // wrap.
        uint64_t ticks = run->info.gap_ticks ? run->info.gap_ticks : run->info.modulus / 2;
        uint64_t limit =
            run->probe_high.ticks ? rate_cycles_of_ticks(ticks, run->probe_high) : UINT64_MAX;
        struct track_config config = {run->info.modulus, run->step_ticks,
                                      run->info.sticks ? UINT64_MAX : limit,
                                      measurement->tsc_step_cycles};
        track_reset(&run->track, &config);
        slice_reset(&run->slice, run->step_ticks);
        marks_reset(&run->marks);
        run->first_cycles = UINT64_MAX;
        run->last_cycles = 0;
        run->last_narrow_cycles = 0;
        run->ticks_seen = 0;
        run->jumped = false;
        if (run->clock->restart)
            run->clock->restart();
    }
    measurement->base = measurement->last_tsc = machine_tsc();
}

static void look_for_gap(struct measurement *measurement, uint64_t last_tsc, uint64_t tsc)
{
    // A report takes time as well, in which the guest does run.
    bool busy = measurement->busy;
    uint64_t limit = measurement->gap_limit_cycles * (busy ? GAP_BUSY_NS / GAP_NS : 1);
    uint64_t quiet = measurement->gap_limit_cycles / QUIET_PARTS;

    measurement->busy = false;
    if (tsc - last_tsc <= quiet)
        return;
    struct gap gap = {.after_cycles = last_tsc - measurement->base,
                      .before_cycles = tsc - measurement->base,
                      .window = measurement->window,
                      .window_began = measurement->window_began,
                      .window_at_ns = measurement->window_at_ns};
    // In a slow guest shorter ones follow before a clock shows what happened in this one.
    if (gap.before_cycles - gap.after_cycles >=
            measurement->quiet_before - measurement->quiet_after ||
        gap.after_cycles > measurement->quiet_before + QUIET_GAPS * measurement->gap_limit_cycles) {
        measurement->quiet_after = gap.after_cycles;
        measurement->quiet_before = gap.before_cycles;
    }
    if (tsc - last_tsc <= limit)
        return;
    if (measurement->gap_count < GAPS_MAX)
        measurement->gaps[measurement->gap_count] = gap;
    measurement->gap_count++;
}

// How far this clock counted in the gaps that were found since its last reading is not known.
static void lose(struct measurement *measurement, size_t index)
{
    for (size_t i = 0; i < measurement->gap_count && i < GAPS_MAX; i++)
        measurement->gaps[i].lost |= 1u << index;
}

// Brings the TSC values of a bracket into cycles of the window; false if the TSC went back.
static bool in_window(struct measurement *measurement, const struct bracket *bracket,
                      struct reading *reading)
{
    uint64_t last = measurement->last_tsc;
    // Did it go back before the bracket, or in it?
    uint64_t high = bracket->before < last ? last : bracket->before;
    uint64_t low = bracket->before < last ? bracket->before : bracket->after;

    measurement->last_tsc = bracket->after;
    if (measurement->gap_limit_cycles && bracket->after > last)
        look_for_gap(measurement, last, bracket->after);
    if (low < high) {
        // Window time stands still over the step, and goes on from there.
        uint64_t at = high - measurement->base;
        measurement->base = low - at;
        incident_backwards(measurement, at, high - low);
        return false;
    }
    reading->before = bracket->before - measurement->base;
    reading->after = bracket->after - measurement->base;
    reading->raw = bracket->value;
    return true;
}

static void use_reading(struct measurement *measurement, size_t index,
                        const struct reading *reading)
{
    struct clock_run *run = &measurement->clocks[index];
    struct track *track = &run->track;

    if (!run->info.wraps && reading->raw >= run->info.modulus) {
        // It ran out during a stall: since when, nobody knows.
        track->dropped++;
        track_close(track);
        slice_cut(&run->slice);
        lose(measurement, index);
        run->clock->restart();
        return;
    }
    uint64_t whole;
    bool whole_known = run->info.whole && track_wants_whole(track, reading->after);
    if (whole_known) {
        whole = run->clock->read_whole();
        // It tells nothing about the reading if the low half may have gone round in between.
        whole_known = machine_tsc() - measurement->last_tsc < track->config.gap_limit_cycles;
    }
    enum slow_jump jump = slow_jump(run, reading);
    if (jump == SLOW_JUMPED) {
        track_break(track, run->tick.until);
        slice_break(&run->slice, run->tick.until);
    } else if (jump == SLOW_SIZED) {
        incident_jump(measurement, index);
    }
    incident_tick(measurement, index, reading);
    enum track_event event = track_add(track, reading, whole_known ? &whole : NULL);
    measurement->samples++;
    slow_note(run, reading);
    if (event == TRACK_GAP)
        lose(measurement, index);
    if (measurement->repeats && event != TRACK_BROKEN) {
        struct sample taken = {reading->before, reading->after + track->config.tsc_step,
                               track->ticks};
        if (event == TRACK_GAP)
            slice_cut(&run->slice);
        slice_add(&run->slice, &taken);
    }
    if (run->first_cycles == UINT64_MAX)
        run->first_cycles = reading->before;
    run->last_before = reading->before;
    run->last_cycles = reading->after;
    if (4 * (reading->after - reading->before) <= 5 * track->widths.minimum)
        run->last_narrow_cycles = reading->after;
    if (event == TRACK_BROKEN)
        incident_open(measurement, index, reading->after);
    if (!run->info.wraps && reading->raw > run->info.modulus / 2) {
        track_close(track);
        slice_cut(&run->slice);
        run->clock->restart();
    }
}

// A reading that the host took, some time ago.
static void read_posted(struct measurement *measurement, size_t index)
{
    const struct clock_run *run = &measurement->clocks[index];
    uint64_t now = machine_tsc();
    struct bracket bracket, passing = {now, now, 0};
    struct reading reading;

    if (!in_window(measurement, &passing, &reading))
        return;
    run->clock->read(&bracket);
    // One from before the window lies, in its cycles, beyond all of them.
    if (bracket.value == CLOCK_NO_READING ||
        bracket.before - measurement->base > measure_now(measurement))
        return;
    reading = (struct reading){bracket.before - measurement->base,
                               bracket.after - measurement->base, bracket.value};
    use_reading(measurement, index, &reading);
}

static void read_clock(struct measurement *measurement, size_t index)
{
    struct clock_run *run = &measurement->clocks[index];
    bool alone = run->clock->name == measurement->window_clock;
    struct reading held = {0, 0, CLOCK_NO_READING};
    unsigned readings = 0, still = 0;

    // Of readings in a row that show one value, only the last one tells something.
    do {
        struct bracket bracket;
        struct reading reading;
        run->clock->read(&bracket);
        if (!in_window(measurement, &bracket, &reading))
            return;
        if (reading.raw == CLOCK_NO_READING)
            continue;
        // The TSC has stopped: whoever counts the rounds must learn it.
        if (held.raw != CLOCK_NO_READING && reading.after == held.after && ++still > STILL_MAX)
            break;
        if (held.raw != CLOCK_NO_READING && reading.raw != held.raw) {
            use_reading(measurement, index, &held);
            use_reading(measurement, index, &reading);
            return;
        }
        held = reading;
        if (reading.raw != run->last_value)
            break;
    } while (slow_again(run, measure_now(measurement), alone, ++readings));
    if (held.raw != CLOCK_NO_READING)
        use_reading(measurement, index, &held);
}

// A short pause of random length, so that the readings fall on all phases of the clocks' ticks.
static void jitter(struct measurement *measurement)
{
    uint32_t random = measurement->random;

    random ^= random << 13; // xorshift32, Marsaglia 2003
    random ^= random >> 17;
    random ^= random << 5;
    measurement->random = random;
    for (uint32_t i = random & 7; i > 0; i--)
        machine_pause();
}

void measure_round(struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        // The clock that times the window has to be read, or the window would stand still.
        if (run->sampled && (run->clock->name == measurement->window_clock ||
                             slow_due(run, measure_now(measurement))))
            (run->info.posted_ms ? read_posted : read_clock)(measurement, i);
    }
    incident_round(measurement);
    jitter(measurement);
}

void measure_time_by(struct measurement *measurement, const struct options *options,
                     uint64_t tsc_millihertz)
{
    measurement->timing_millihertz = tsc_millihertz;
    measurement->window_cycles =
        tsc_millihertz ? rate_ns_to_cycles(options->window_ns, tsc_millihertz) : BLIND_CYCLES;
    for (size_t i = 0; i < measurement->count; i++)
        slow_expect(&measurement->clocks[i], tsc_millihertz);
}

void measure_limit_gaps(struct measurement *measurement)
{
    measurement->gap_limit_cycles = rate_ns_to_cycles(GAP_NS, measurement->timing_millihertz);
}

// Is there a clock that a longer window would make one of use? The slowest needs 3 s (examine).
static bool has_slow(const struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++)
        if (measurement->clocks[i].status == CLOCK_SLOW)
            return true;
    return false;
}

bool measure_begin(struct measurement *measurement, const struct options *options)
{
    uint64_t tsc_millihertz = choose_clocks(measurement);

    measurement->skew_ns = options->skew_ns;
    // For the times of what may happen, should no clock give an enclosure.
    measurement->tsc_millihertz = tsc_millihertz;
    measure_time_by(measurement, options, tsc_millihertz);
    start_tracks(measurement);
    if (!measurement->tsc_advances || !measurement->window_clock) {
        measurement->undecided = !measurement->tsc_advances ? "the TSC does not advance"
                                 : has_slow(measurement)
                                     ? "no reference clock of known rate is live; try window=3s"
                                     : "no reference clock of known rate is live";
        text_print(measurement->bus_reason, sizeof(measurement->bus_reason), "%s",
                   measurement->undecided);
        return false;
    }
    // The first passes through the sampling code cost more than the later ones (translation in an
    // emulator, cold caches elsewhere): they are made before the window.
    for (unsigned i = 0; i < WARM_UP_ROUNDS; i++)
        measure_round(measurement);
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (run->sampled && !run->info.posted_ms)
            measurement->round_cycles += run->track.widths.minimum;
        run->stepped = false;
    }
    measurement->samples = 0;
    measurement->incident_count = 0;
    measurement->pending = SIZE_MAX;
    start_tracks(measurement);
    measurement->repeats = options->duration_ns != 0;
    measure_limit_gaps(measurement);
    measurement->began_cycles = measurement->base - measurement->start_tsc;
    return true;
}
