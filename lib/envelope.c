#include "lib/envelope.h"

#include "lib/wide.h"

// Twice the signed area of the triangle a, b, c: positive where c lies above the line from a to b.
static int128 turn(struct point a, struct point b, struct point c)
{
    return (int128)(int64_t)(b.cycles - a.cycles) * (int64_t)(c.ticks - a.ticks) -
           (int128)(int64_t)(b.ticks - a.ticks) * (int64_t)(c.cycles - a.cycles);
}

bool slope_less(struct slope a, struct slope b)
{
    return (uint128)a.ticks * b.cycles < (uint128)b.ticks * a.cycles;
}

// Appends a point to the right end of a hull. `side` is +1 for an upper hull, -1 for a lower one.
static void hull_add(struct hull *hull, struct point new, int side)
{
    size_t count = hull->count;

    if (count && hull->points[count - 1].cycles == new.cycles) {
        if ((side > 0) == (new.ticks <= hull->points[count - 1].ticks))
            return;
        count--;
    }
    while (count >= 2) {
        int128 area = turn(hull->points[count - 2], hull->points[count - 1], new);
        if (side > 0 ? area < 0 : area > 0)
            break;
        count--;
    }
    if (count == HULL_MAX) {
        for (size_t i = HULL_MAX / 2; i + 1 < HULL_MAX; i++)
            hull->points[i] = hull->points[i + 1];
        count--;
    }
    hull->points[count] = new;
    hull->count = count + 1;
}

void envelope_reset(struct envelope *envelope, uint64_t step)
{
    envelope->floor.count = 0;
    envelope->ceiling.count = 0;
    envelope->step = step;
    envelope->samples = 0;
    envelope->low = (struct slope){0, 0};
    envelope->high = (struct slope){0, 0};
}

// The new ceiling point lowers `high` if it lies below the line that attains it. Every floor point
// lies on or below that line, so one comparison decides and the hull is walked only for a gain.
static void tighten_high(struct envelope *envelope, struct point ceiling)
{
    if (envelope->high.cycles) {
        struct point along = envelope->high_floor;
        along.cycles += envelope->high.cycles;
        along.ticks += envelope->high.ticks;
        if (turn(envelope->high_floor, along, ceiling) >= 0)
            return;
    }
    for (size_t i = 0; i < envelope->floor.count; i++) {
        struct point floor = envelope->floor.points[i];
        if (floor.cycles >= ceiling.cycles)
            break;
        struct slope slope = {ceiling.ticks - floor.ticks, ceiling.cycles - floor.cycles};
        if (!envelope->high.cycles || slope_less(slope, envelope->high)) {
            envelope->high = slope;
            envelope->high_floor = floor;
        }
    }
}

// The mirror image: a new floor point raises `low` if it lies above the line that attains it.
static void tighten_low(struct envelope *envelope, struct point floor)
{
    if (envelope->low.cycles) {
        struct point along = envelope->low_ceiling;
        along.cycles += envelope->low.cycles;
        along.ticks += envelope->low.ticks;
        if (turn(envelope->low_ceiling, along, floor) <= 0)
            return;
    }
    for (size_t i = 0; i < envelope->ceiling.count; i++) {
        struct point ceiling = envelope->ceiling.points[i];
        if (ceiling.cycles >= floor.cycles)
            break;
        if (ceiling.ticks >= floor.ticks)
            continue; // a slope of 0 or less bounds nothing
        struct slope slope = {floor.ticks - ceiling.ticks, floor.cycles - ceiling.cycles};
        if (!envelope->low.cycles || slope_less(envelope->low, slope)) {
            envelope->low = slope;
            envelope->low_ceiling = ceiling;
        }
    }
}

// Does the last point of a hull imply the new one for every p in [low, high]? Then the new one
// binds nothing, now or later, since p never leaves that interval. For floor points that is so if
// it lies on or below the line of slope `low` through the last one, for ceiling points if on or
// above that of slope `high`. It is so for nearly every bracket that is wider than its neighbours.
static bool implied(const struct hull *hull, struct point new, struct slope p, int side)
{
    if (!hull->count || !p.cycles)
        return false;
    struct point last = hull->points[hull->count - 1];
    uint128 rise = (uint128)(new.ticks - last.ticks) * p.cycles;
    uint128 allowed = (uint128)(new.cycles - last.cycles) * p.ticks;
    return side > 0 ? rise <= allowed : rise >= allowed;
}

bool envelope_bounded(const struct envelope *envelope)
{
    return envelope->low.cycles && envelope->high.cycles;
}

enum fit envelope_add(struct envelope *envelope, const struct sample *sample)
{
    struct point floor = {sample->after, sample->ticks};
    struct point ceiling = {sample->before, sample->ticks + envelope->step};

    if (sample->after < sample->before)
        return FIT_BACKWARDS;
    if (envelope->samples &&
        (sample->after < envelope->last_after || sample->before < envelope->last_before))
        return FIT_BACKWARDS;
    envelope->last_before = sample->before;
    envelope->last_after = sample->after;
    bool binds_low = !implied(&envelope->floor, floor, envelope->low, +1);
    bool binds_high = !implied(&envelope->ceiling, ceiling, envelope->high, -1);
    // Against the earlier samples only: a sample bounds nothing together with itself.
    if (binds_high)
        tighten_high(envelope, ceiling);
    if (binds_low) {
        tighten_low(envelope, floor);
        hull_add(&envelope->floor, floor, +1);
    }
    if (binds_high)
        hull_add(&envelope->ceiling, ceiling, -1);
    envelope->samples++;
    if (envelope_bounded(envelope) && slope_less(envelope->high, envelope->low))
        return FIT_BROKEN;
    return FIT_OK;
}

// One floor and one ceiling point: for slope p the floor point stands base + p * run ticks above
// the ceiling point, which no line may allow.
struct conflict {
    int128 base; // ticks
    int128 run;  // cycles
};

// The worst conflict at slope p = ticks / cycles.
static struct conflict worst_conflict(const struct envelope *envelope, struct slope p)
{
    int128 top = 0, bottom = 0;
    struct point floor = {0, 0}, ceiling = {0, 0};

    for (size_t i = 0; i < envelope->floor.count; i++) {
        struct point at = envelope->floor.points[i];
        int128 height = (int128)at.ticks * (int64_t)p.cycles - (int128)at.cycles * (int64_t)p.ticks;
        if (i == 0 || height > top) {
            top = height;
            floor = at;
        }
    }
    for (size_t i = 0; i < envelope->ceiling.count; i++) {
        struct point at = envelope->ceiling.points[i];
        int128 height = (int128)at.ticks * (int64_t)p.cycles - (int128)at.cycles * (int64_t)p.ticks;
        if (i == 0 || height < bottom) {
            bottom = height;
            ceiling = at;
        }
    }
    return (struct conflict){(int128)floor.ticks - (int128)ceiling.ticks,
                             (int128)ceiling.cycles - (int128)floor.cycles};
}

uint64_t envelope_defect_millitick(const struct envelope *envelope)
{
    if (!envelope_bounded(envelope) || !slope_less(envelope->high, envelope->low))
        return 0;

    // The conflict as a function of p is convex. It is held between one pair of points on which it
    // falls with p and one on which it rises; where the two lines cross is a lower bound of its
    // minimum, and the worst pair there replaces one of them until nothing changes. The first such
    // bounds may be negative and prove nothing yet.
    struct conflict rising = worst_conflict(envelope, envelope->low);
    struct conflict falling = worst_conflict(envelope, envelope->high);
    uint64_t defect = 0;

    for (int turns = 0; turns < 64 && rising.run > 0 && falling.run < 0; turns++) {
        struct slope p = {(uint64_t)(falling.base - rising.base),
                          (uint64_t)(rising.run - falling.run)};
        if (falling.base < rising.base)
            break;
        int128 height = rising.base * (int64_t)p.cycles + rising.run * (int64_t)p.ticks;
        if (height > 0)
            defect = wide_thousandths((uint128)height, p.cycles);
        struct conflict worst = worst_conflict(envelope, p);
        int128 worst_height = worst.base * (int64_t)p.cycles + worst.run * (int64_t)p.ticks;
        if (worst_height <= height)
            break;
        if (worst.run > 0)
            rising = worst;
        else if (worst.run < 0)
            falling = worst;
        else
            return wide_thousandths((uint128)worst.base, 1);
    }
    return defect;
}
