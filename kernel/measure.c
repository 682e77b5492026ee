#include "kernel/measure.h"

#include "lib/sample.h"
#include "lib/text.h"
#include "lib/wide.h"

#define TSC_MOVES          32 // differences that its step is taken from
#define TSC_PATIENCE_LOOPS 1000000
#define WARM_UP_ROUNDS     32
#define STILL_ROUNDS_MAX   10000
#define STILL_MAX          64 // readings in a row, in a round
// The longest window while nothing tells the TSC's rate: more than two seconds up to 8 GHz.
#define BLIND_CYCLES (1ull << 34)
#define CHECKS       64 // looks at the precision, and progress reports, per window
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
        run->info.independence = platform_is_virtual(platform) ? "host-timebase" : "hardware";
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

static uint64_t now_cycles(const struct measurement *measurement)
{
    return measurement->last_tsc - measurement->base;
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
        bracket.before - measurement->base > now_cycles(measurement))
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
    } while (slow_again(run, now_cycles(measurement), alone, ++readings));
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

static void sample_round(struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        // The clock that times the window has to be read, or the window would stand still.
        if (run->sampled && (run->clock->name == measurement->window_clock ||
                             slow_due(run, now_cycles(measurement))))
            (run->info.posted_ms ? read_posted : read_clock)(measurement, i);
    }
    incident_round(measurement);
    jitter(measurement);
}

// The window may end when some clock has had a narrow bracket in its last twentieth: else the last
// part of it proves nothing.
static bool ends_well(const struct measurement *measurement, uint64_t window_cycles)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (run->sampled && run->info.nominal.numerator &&
            now_cycles(measurement) - run->last_narrow_cycles < window_cycles / 20)
            return true;
    }
    return false;
}

static bool all_judged(const struct measurement *measurement, const struct options *options,
                       const struct claim *claims, size_t claim_count)
{
    for (size_t i = 0; i < claim_count; i++) {
        const char *reason;
        if (claims[i].present && claims[i].clock != CLAIM_BCLK &&
            measure_judge(measurement, &claims[i], options->tolerance_ppb, &reason).verdict ==
                VERDICT_INCONCLUSIVE)
            return false;
    }
    return measurement->decided;
}

// Is what was asked for proven? The exact answer takes long divisions, so a rough one comes first.
static bool is_enough(struct measurement *measurement, const struct options *options,
                      const struct claim *claims, size_t claim_count)
{
    bool near = options->stop == STOP_VERDICT;

    for (size_t i = 0; i < measurement->count && !near; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        struct slope low, high;
        near = run->sampled && run->info.nominal.numerator &&
               track_enclosure(&run->track, &low, &high) &&
               slope_half_width_ppb(low, high) < options->precision_ppb + 1;
    }
    if (!near)
        return false;
    measure_conclude(measurement);
    if (measurement->decided && measurement->half_width_ppb <= options->precision_ppb &&
        options->precision_ppb) {
        measurement->stopped_by = "the precision asked for was proven";
        return true;
    }
    if (options->stop == STOP_VERDICT && all_judged(measurement, options, claims, claim_count)) {
        measurement->stopped_by = "every verdict was proven";
        return true;
    }
    return false;
}

// The rate that turns window time into cycles, as the window's own clock has it by now.
static uint64_t refine(const struct measurement *measurement, uint64_t tsc_millihertz)
{
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        struct slope low, high;
        if (run->clock->name == measurement->window_clock &&
            track_enclosure(&run->track, &low, &high) && !slope_less(high, low))
            return rate_from_slopes(run->info.nominal, low, high).estimate;
    }
    return tsc_millihertz;
}

// Four times as many rounds as fit into the window if every bracket were as narrow as the narrowest
// of the warm-up; and some, for a window that is shorter than a round.
static uint64_t rounds_within(const struct measurement *measurement, uint64_t window_cycles)
{
    return window_cycles / (measurement->round_cycles / 4 + 1) + STILL_ROUNDS_MAX;
}

// The rounds of a window.
struct bounds {
    uint64_t left;
    unsigned still;
};

// A round. The TSC times the window; if it stops, the rounds without progress end it, and if it
// crawls, the rounds that the window can hold: then false.
static bool bounded_round(struct measurement *measurement, struct bounds *bounds)
{
    uint64_t before = now_cycles(measurement);

    sample_round(measurement);
    bounds->still = now_cycles(measurement) > before ? 0 : bounds->still + 1;
    if (bounds->still <= STILL_ROUNDS_MAX && --bounds->left)
        return true;
    measurement->tsc_advances = false;
    measurement->stopped_by = "the TSC stopped, or slowed down out of all proportion";
    return false;
}

// Learns the TSC's rate from what was sampled, if that tells it.
static void learn(struct measurement *measurement, const struct options *options)
{
    uint64_t rate = refine(measurement, measurement->timing_millihertz);

    measurement->timing_millihertz = rate;
    measurement->window_cycles = rate ? rate_ns_to_cycles(options->window_ns, rate) : BLIND_CYCLES;
    for (size_t i = 0; i < measurement->count; i++)
        slow_expect(&measurement->clocks[i], rate);
}

static void sample(struct measurement *measurement, const struct options *options,
                   const struct claim *claims, size_t claim_count,
                   void (*progress)(unsigned percent))
{
    uint64_t window = measurement->window_cycles;
    uint64_t check_cycles = window / CHECKS;
    struct bounds bounds = {rounds_within(measurement, window), 0};
    unsigned checks = 0;

    measurement->stopped_by = "the window was over";
    while (now_cycles(measurement) < window ||
           (!ends_well(measurement, window) && now_cycles(measurement) < window / 20 * 23)) {
        if (!bounded_round(measurement, &bounds))
            break;
        if (now_cycles(measurement) < check_cycles)
            continue;
        if (!measurement->timing_millihertz || ++checks <= 4)
            learn(measurement, options);
        window = measurement->window_cycles;
        check_cycles = now_cycles(measurement) + window / CHECKS;
        if (progress)
            progress((unsigned)(now_cycles(measurement) / (window / 100 + 1)));
        if (is_enough(measurement, options, claims, claim_count))
            break;
    }
}

bool measure_begin(struct measurement *measurement, const struct options *options)
{
    uint64_t tsc_millihertz = choose_clocks(measurement);

    measurement->skew_ns = options->skew_ns;
    // For the times of what may happen, should no clock give an enclosure.
    measurement->tsc_millihertz = measurement->timing_millihertz = tsc_millihertz;
    measurement->window_cycles =
        tsc_millihertz ? rate_ns_to_cycles(options->window_ns, tsc_millihertz) : BLIND_CYCLES;
    for (size_t i = 0; i < measurement->count; i++)
        slow_expect(&measurement->clocks[i], tsc_millihertz);
    start_tracks(measurement);
    if (!measurement->tsc_advances || !measurement->window_clock) {
        measurement->undecided = measurement->tsc_advances
                                     ? "no reference clock of known rate is live"
                                     : "the TSC does not advance";
        return false;
    }
    // The first passes through the sampling code cost more than the later ones (translation in an
    // emulator, cold caches elsewhere): they are made before the window.
    for (unsigned i = 0; i < WARM_UP_ROUNDS; i++)
        sample_round(measurement);
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
    measurement->gap_limit_cycles = rate_ns_to_cycles(GAP_NS, measurement->timing_millihertz);
    measurement->began_cycles = measurement->base - measurement->start_tsc;
    return true;
}

void measure_end(struct measurement *measurement)
{
    measure_conclude(measurement);
    incident_conclude(measurement);
    measure_conclude(measurement);
    for (size_t i = 0; i < measurement->count; i++)
        slow_conclude(&measurement->clocks[i], measurement->tsc_millihertz,
                      now_cycles(measurement));
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled || !run->info.posted_ms || run->track.samples >= 2)
            continue;
        run->status = CLOCK_DISABLED;
        run->info.independence = CLOCK_DERIVED;
        run->clock->explain(run->reason, sizeof(run->reason));
    }
}

void measure_window(struct measurement *measurement, const struct options *options,
                    const struct claim *claims, size_t claim_count,
                    void (*progress)(unsigned percent))
{
    if (!measure_begin(measurement, options))
        return;
    sample(measurement, options, claims, claim_count, progress);
    measure_end(measurement);
}

void measure_keep(struct measurement *measurement)
{
    measurement->busy = true;
    sample_round(measurement);
}

// Is there something to tell?
static bool has_news(const struct measurement *measurement)
{
    return measurement->gap_count ||
           measurement->incident_count > (measurement->pending != SIZE_MAX);
}

void measure_next(struct measurement *measurement)
{
    measurement->window++;
    measurement->window_began = now_cycles(measurement);
    measurement->window_at_ns += measurement->window_ns;
    measurement->window_samples = measurement->samples;
    measurement->busy = true;
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        slice_begin(&run->slice);
        if (run->track.defect_millitick > run->defect_kept_millitick)
            run->defect_kept_millitick = run->track.defect_millitick;
        run->track.defect_millitick = 0;
    }
}

bool measure_slice(struct measurement *measurement, const struct options *options,
                   void (*look)(void *context), void *context)
{
    unsigned checks = 0;
    struct bounds bounds = {rounds_within(measurement, measurement->window_cycles), 0};
    measurement->gap_limit_cycles = rate_ns_to_cycles(GAP_NS, measurement->timing_millihertz);
    uint64_t check_cycles = measurement->window_cycles / CHECKS;
    // After a gap at its end, every clock is read once more.
    while (now_cycles(measurement) - measurement->window_began < measurement->window_cycles ||
           (measurement->gap_count && !measurement->gaps[0].whole)) {
        for (size_t i = 0; i < measurement->gap_count && i < GAPS_MAX; i++)
            measurement->gaps[i].whole = true;
        if (!bounded_round(measurement, &bounds))
            return false;
        if (has_news(measurement))
            look(context);
        // The windows after the first one are as long as that.
        if (measurement->window || now_cycles(measurement) < check_cycles)
            continue;
        if (!measurement->timing_millihertz || ++checks <= 4)
            learn(measurement, options);
        check_cycles = now_cycles(measurement) + measurement->window_cycles / CHECKS;
    }
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (run->sampled)
            slice_end(&run->slice, &run->track.recall, run->track.segments);
    }
    return true;
}

void measure_forget(struct measurement *measurement)
{
    measurement->began = now_cycles(measurement);
    for (size_t i = 0; i < measurement->count; i++) {
        struct clock_run *run = &measurement->clocks[i];
        if (!run->sampled)
            continue;
        track_forget(&run->track);
        slice_forget(&run->slice);
        run->first_cycles = run->track.open ? run->track.began : now_cycles(measurement);
    }
}
