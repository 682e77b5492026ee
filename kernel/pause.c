// Pauses: breaks that are explained by a machine that stood still while its clocks did, or did not.
//
// docs/monitor.md says what is a pause, docs/monitor-stop-save-migrate.md what hypervisors do. A
// pause in which all stood still but the TSC looks like a step of the TSC. Then the time of day
// bears witness: its next tick tells whether so much time has passed. It is also the only clock to
// tell a pause in which the TSC stood still, too.
#include "kernel/measure.h"

#include "lib/text.h"

// A small step of the TSC may be what remains between two clocks that were stopped one after the
// other: up to this part of a tick of the time of day.
#define SMALL_PARTS 10000
// and up to this part of the pause.
#define CLEAR_PARTS 16
// A larger one can be told from a pause if it is this part of a tick at least.
#define SLEPT_PARTS 256

// What is the least that a step in [low, high] may be? 0 if it may be none.
static uint64_t least(int64_t low, int64_t high)
{
    return low > 0 ? (uint64_t)low : high < 0 ? -(uint64_t)high : 0;
}

static uint64_t most(int64_t low, int64_t high)
{
    uint64_t below = low < 0 ? -(uint64_t)low : (uint64_t)low;
    uint64_t above = high < 0 ? -(uint64_t)high : (uint64_t)high;

    return below > above ? below : above;
}

// In a pause a clock may have stood still for no longer than nothing was read, or a little longer,
// where a busy host stopped the clocks some time before it stopped the CPU. One that shows the
// time of day may have run on while the TSC did not, and one that is programmed may have been
// started anew.
bool incident_is_pause(const struct measurement *measurement, const struct incident *incident)
{
    bool stood = false;

    if (!incident->is_step || incident->back_cycles)
        return false;
    if (incident->is_jump ||
        (incident->wall_only && !incident->tsc_possible && incident->low_cycles > 0))
        return true;
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        int64_t low = incident->offsets[i].least_cycles, high = incident->offsets[i].most_cycles;
        uint64_t size = least(low, high);
        if (!incident->offsets[i].known || !size)
            continue;
        if (low > 0 && text_equal(run->info.independence, CLOCK_WALL)) {
            // The TSC may have run on for a part of the pause.
            if (incident->tsc_possible)
                return (incident->low_cycles > 0 &&
                        (uint64_t)incident->low_cycles <= incident->gap_cycles) ||
                       most(incident->low_cycles, incident->high_cycles) < size / CLEAR_PARTS;
            stood = true;
        } else if (low < 0 && size <= incident->gap_cycles + incident->gap_cycles / CLEAR_PARTS) {
            stood = true;
        } else if (!run->clock->restart) {
            return false;
        }
    }
    return stood && !incident->tsc_possible;
}

bool incident_needs_witness(const struct measurement *measurement, struct incident *incident)
{
    if (incident->witness || !incident->is_step || !incident->tsc_possible ||
        incident->back_cycles || incident->is_pause)
        return false;
    uint64_t size = least(incident->low_cycles, incident->high_cycles);
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        bool last = run->tick.until <= incident->after_cycles;
        if (!run->sampled || !slow_is_wall(run) || run->ticks_seen < 2u - last)
            continue;
        const struct slow_tick *from = last ? &run->tick : &run->tick_before;
        bool small =
            most(incident->low_cycles, incident->high_cycles) < run->tick_cycles / SMALL_PARTS;
        bool slept = incident->low_cycles > 0 && size <= incident->gap_cycles &&
                     size > run->tick_cycles / SLEPT_PARTS;
        if (from->until > incident->after_cycles || !(small || slept))
            continue;
        incident->sized = false;
        incident->witness = i + 1;
        incident->witness_from = *from;
        incident->witness_until = measurement->last_tsc - measurement->base + 2 * run->tick_cycles;
        return true;
    }
    return false;
}

void incident_tick(struct measurement *measurement, size_t index, const struct reading *reading)
{
    const struct clock_run *run = &measurement->clocks[index];

    if (reading->raw == run->last_value)
        return;
    for (size_t n = 0; n < measurement->incident_count && n < INCIDENTS_MAX; n++) {
        struct incident *incident = &measurement->incidents[n];
        // The value that comes right after the break may be late by the length of a pause.
        if (incident->sized || incident->witness != index + 1 ||
            run->last_cycles <= incident->before_cycles)
            continue;
        incident->offsets[index].known = true;
        slow_ahead(run, &incident->witness_from, reading, &incident->offsets[index].least_cycles,
                   &incident->offsets[index].most_cycles);
        incident_attribute(measurement, incident);
    }
}

void incident_forgo(struct measurement *measurement, uint64_t cycles)
{
    for (size_t n = 0; n < measurement->incident_count && n < INCIDENTS_MAX; n++) {
        struct incident *incident = &measurement->incidents[n];
        if (incident->witness && !incident->sized && cycles > incident->witness_until)
            incident_attribute(measurement, incident);
    }
}

bool incident_is_grave(const struct measurement *measurement, const struct incident *incident)
{
    uint64_t size = least(incident->low_cycles, incident->high_cycles);

    if (!incident->is_step || incident->is_pause || (incident->wall_only && incident->tsc_possible))
        return false;
    // Of several clocks, the one that is known to have stepped furthest.
    for (size_t i = 0; !incident_suspects(incident) && i < measurement->count; i++) {
        uint64_t one = least(incident->offsets[i].least_cycles, incident->offsets[i].most_cycles);
        size = one > size ? one : size;
    }
    return incident->back_cycles || !measurement->tsc_millihertz ||
           size >= rate_ns_to_cycles(measurement->skew_ns, measurement->tsc_millihertz);
}
