#include "lib/allan.h"

void allan_gap(struct allan *allan)
{
    for (unsigned n = 0; n < ALLAN_OCTAVES; n++)
        allan->octaves[n].any = allan->octaves[n].half = false;
}

void allan_add(struct allan *allan, int64_t ppt)
{
    int64_t sum = ppt;

    if (sum > ALLAN_MOST_PPT || sum < -ALLAN_MOST_PPT) {
        allan->clamped = true;
        sum = sum < 0 ? -ALLAN_MOST_PPT : ALLAN_MOST_PPT;
    }
    // Every second sum of an octave completes one of the next.
    for (unsigned n = 0; n < ALLAN_OCTAVES; n++) {
        struct allan_octave *octave = &allan->octaves[n];
        if (octave->any) {
            int64_t change = sum - octave->last;
            uint64_t size = change < 0 ? -(uint64_t)change : (uint64_t)change;
            octave->squares += (uint128)size * size;
            octave->pairs++;
        }
        octave->any = true;
        octave->last = sum;
        octave->half = !octave->half;
        if (octave->half) {
            octave->first = sum;
            return;
        }
        sum += octave->first;
    }
}

static uint64_t square_root(uint64_t value)
{
    uint64_t root = 0;

    for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= value)
            root += bit;
    return root;
}

bool allan_deviation(const struct allan *allan, unsigned octave, uint64_t *ppt, uint64_t *pairs)
{
    const struct allan_octave *at = &allan->octaves[octave];

    if (!at->pairs)
        return false;
    // The sums are 2^n times the averages, and the squares 4^n times theirs.
    *ppt = square_root(wide_quotient(at->squares, (uint128)at->pairs * (2ull << 2 * octave)));
    *pairs = at->pairs;
    return true;
}
