// The CMOS real-time clock: a counter of seconds, on a crystal of its own. Motorola MC146818A data
// sheet; ports 0x70 (index) and 0x71 (data) as in the IBM PC AT.
//
// Two ways to count it, neither of which writes to a register of the chip:
//  - The seconds register, bracketed alone: a counter at 1 Hz. Only a value that differs from the
//    last one is held against the update-in-progress bit and the whole time of day, so that the
//    readings around a tick, which alone bound the rate, stay as dense as they can be.
//  - The periodic flag in register C, which each reading clears: where it is set, there was a tick
//    since the last reading, and just one if less than a period has passed. Real parts set it all
//    the time, QEMU and its kin only while the periodic interrupt is enabled, and then late. It is
//    used where it is set without that, at the rate that firmware left.
#include "kernel/clock.h"

#include "lib/text.h"

#define PORT_INDEX 0x70 // bit 7 masks the NMI on a PC; it is left clear, as operating systems do
#define PORT_DATA  0x71

#define SECONDS       0x00
#define MINUTES       0x02
#define HOURS         0x04
#define DAY           0x07
#define MONTH         0x08
#define REGISTER_A    0x0a
#define A_UIP         0x80
#define A_RATE(a)     ((a)&0x0f)
#define REGISTER_B    0x0b
#define B_SET         0x80 // updates are halted
#define B_BINARY      0x04 // else BCD
#define B_24_HOURS    0x02
#define HOURS_PM      0x80
#define REGISTER_C    0x0c
#define C_PERIODIC    0x40
#define SECONDS_A_DAY 86400u

// 1024, 512 and 256 Hz: slow enough for every tick to be seen, fast enough for a short window.
#define RATE_FIRST    6
#define RATE_LAST     8
#define RATE_HZ(rate) (32768u >> ((rate)-1))
// How long a flag, or the end of an update, is waited for. An update takes 2.2 ms at most.
#define PATIENCE_READS  4096
#define PATIENCE_LEAST  16
#define PATIENCE_CYCLES 20000000u
// Less than a minute on any TSC of 18 MHz and more: the same seconds are the same minute.
#define SAME_MINUTE_CYCLES (1ull << 30)
// Tuning-fork crystals are good to 20 ppm at room temperature and lose up to 100 ppm off it.
#define CRYSTAL_PPB 100000

static struct {
    bool binary, hours_24, guarded, periodic;
    uint64_t ticks;  // of the periodic flag
    uint8_t byte;    // the last seconds register,
    uint32_t time;   // the time of day that it belongs to,
    uint64_t cycles; // and when it was read
} rtc;

static uint8_t cmos(uint8_t index)
{
    machine_out8(PORT_INDEX, index);
    return machine_in8(PORT_DATA);
}

// A register's value, or `limit` if it is none below that.
static unsigned decode(uint8_t byte, unsigned limit)
{
    unsigned value = byte;

    if (!rtc.binary)
        value = (byte & 0x0f) > 9 ? limit : (byte >> 4) * 10u + (byte & 0x0f);
    return value < limit ? value : limit;
}

static unsigned decode_hours(uint8_t byte)
{
    if (rtc.hours_24)
        return decode(byte, 24);
    unsigned hours = decode(byte & (uint8_t)~HOURS_PM, 13);
    return hours == 0 || hours == 13 ? 24 : hours % 12 + (byte & HOURS_PM ? 12 : 0);
}

// The seconds since midnight; false during an update, and where it is no time.
static bool read_time(uint32_t *time)
{
    if (rtc.guarded && cmos(REGISTER_A) & A_UIP)
        return false;
    uint8_t byte = cmos(SECONDS);
    unsigned seconds = decode(byte, 60);
    unsigned minutes = decode(cmos(MINUTES), 60);
    unsigned hours = decode_hours(cmos(HOURS));
    *time = hours * 3600 + minutes * 60 + seconds;
    return cmos(SECONDS) == byte && seconds < 60 && minutes < 60 && hours < 24;
}

static void read_seconds(struct bracket *bracket)
{
    uint32_t time = rtc.time;

    machine_out8(PORT_INDEX, SECONDS);
    machine_bracket_in8(PORT_DATA, bracket);
    uint8_t byte = (uint8_t)bracket->value;
    if ((byte != rtc.byte || bracket->before - rtc.cycles > SAME_MINUTE_CYCLES) &&
        (!read_time(&time) || time % 60 != decode(byte, 60))) {
        bracket->value = CLOCK_NO_READING;
        return;
    }
    rtc.byte = byte;
    rtc.time = time;
    rtc.cycles = bracket->before;
    bracket->value = time;
}

static void read(struct bracket *bracket)
{
    if (!rtc.periodic) {
        read_seconds(bracket);
        return;
    }
    machine_out8(PORT_INDEX, REGISTER_C);
    machine_bracket_in8(PORT_DATA, bracket);
    rtc.ticks += (bracket->value & C_PERIODIC) != 0;
    bracket->value = (uint32_t)rtc.ticks;
}

// Does register `index` show `mask` set, or clear? Bounded.
static bool comes(uint8_t index, uint8_t mask, bool set)
{
    uint64_t start = machine_tsc();

    for (unsigned i = 0; i < PATIENCE_READS; i++) {
        if (!(cmos(index) & mask) != set)
            return true;
        // One reading may take long on a busy host; several tell.
        if (i >= PATIENCE_LEAST && machine_tsc() - start > PATIENCE_CYCLES)
            break;
    }
    return false;
}

// Is the periodic flag set time and again, though its interrupt is not enabled?
static bool flag_works(void)
{
    for (unsigned i = 0; i < 2; i++)
        if (!comes(REGISTER_C, C_PERIODIC, false) || !comes(REGISTER_C, C_PERIODIC, true))
            return false;
    return true;
}

static void count_seconds(struct clock_info *info)
{
    rtc.periodic = false;
    info->nominal = (struct hertz){1, 1};
    info->rate_source = "its seconds";
    info->bits = 17;
    info->modulus = SECONDS_A_DAY;
    info->gap_ticks = 0;
    info->slow = true;
    text_print(info->detail, sizeof(info->detail), "port 0x71, seconds%s",
               rtc.guarded ? "" : "; its UIP bit is stuck at 1");
}

static void count_periods(struct clock_info *info, unsigned rate)
{
    rtc.periodic = true;
    info->nominal = (struct hertz){RATE_HZ(rate), 1};
    info->rate_source = "32768 Hz, divided as register A says";
    info->bits = 32;
    info->modulus = 1ull << 32;
    info->gap_ticks = 1;
    text_print(info->detail, sizeof(info->detail), "port 0x71, periodic flag");
}

// The flag comes late, or ticks of it get lost: back to the seconds.
static bool fall_back(struct clock_info *info)
{
    if (!rtc.periodic)
        return false;
    count_seconds(info);
    return true;
}

static enum clock_status probe(const struct platform *platform, struct clock_info *info,
                               char *reason, size_t reason_size)
{
    uint8_t a = cmos(REGISTER_A);
    uint8_t b = cmos(REGISTER_B);
    uint32_t time;

    memset(&rtc, 0, sizeof(rtc));
    rtc.cycles = machine_tsc() - 2 * SAME_MINUTE_CYCLES; // no reading yet
    rtc.binary = b & B_BINARY;
    rtc.hours_24 = b & B_24_HOURS;
    if (a == 0xff && b == 0xff) {
        text_print(reason, reason_size, "port 0x71 reads as all ones");
        return CLOCK_ABSENT;
    }
    if (b & B_SET) {
        text_print(reason, reason_size, "the SET bit of its register B halts it");
        return CLOCK_DISABLED;
    }
    rtc.guarded = comes(REGISTER_A, A_UIP, false);
    bool is_time = read_time(&time) || read_time(&time);
    unsigned day = decode(cmos(DAY), 32);
    unsigned month = decode(cmos(MONTH), 13);
    if (!is_time || day % 32 == 0 || month % 13 == 0) {
        text_print(reason, reason_size, "ports 0x70 and 0x71 hold no time and date");
        return CLOCK_ABSENT;
    }
    info->wraps = true;
    if (platform_has_hardware_clocks(platform)) {
        info->independence = "crystal-32k";
        info->below_ppb = info->above_ppb = CRYSTAL_PPB;
    } else {
        info->independence = CLOCK_WALL;
    }
    unsigned rate = A_RATE(a);
    if (rate >= RATE_FIRST && rate <= RATE_LAST && flag_works())
        count_periods(info, rate);
    else
        count_seconds(info);
    return CLOCK_LIVE;
}

const struct reference_clock clock_rtc = {
    .name = "rtc",
    .probe = probe,
    .read = read,
    .fall_back = fall_back,
};
