#include "tools/scan/dump.h"

#include "lib/scan.h"
#include "lib/text.h"

#define BLOCK_MASK      0xffffff00u
#define RUN_MAX         65536u // leaves of a record: those of a wide scan
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define SHOWN_MAX       40 // characters of a malformed line

// InstLatx64 dumps, all older ones and some leaves of the others, list sub-leaves in order and do
// not number them.
#define SUBLEAF_UNSTATED 0xffffffffu

// What is left of a line.
struct cursor {
    const char *at, *end;
};

static void skip_spaces(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
        cursor->at++;
}

static bool take(struct cursor *cursor, const char *word)
{
    size_t length = text_length(word);

    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

// Moves behind the first `word` in the line; false: there is none.
static bool go_behind(struct cursor *cursor, const char *word)
{
    struct cursor try = *cursor;

    for (; try.at < try.end; try.at++) {
        struct cursor behind = try;
        if (take(&behind, word)) {
            *cursor = behind;
            return true;
        }
    }
    return false;
}

static int digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

// How many hex digits the rest of the line begins with.
static size_t digits(const struct cursor *cursor)
{
    const char *at = cursor->at;

    while (at < cursor->end && digit(*at) >= 0)
        at++;
    return (size_t)(at - cursor->at);
}

// 1 to 8 digits of this base, and no digit behind them.
static bool take_number(struct cursor *cursor, int base, uint32_t *value)
{
    unsigned length = 0;

    *value = 0;
    while (cursor->at < cursor->end && digit(*cursor->at) >= 0 && digit(*cursor->at) < base) {
        if (++length > 8)
            return false;
        *value = *value * (uint32_t)base + (uint32_t)digit(*cursor->at++);
    }
    return length && !(cursor->at < cursor->end && digit(*cursor->at) >= 0);
}

static bool take_hex(struct cursor *cursor, uint32_t *value)
{
    return take_number(cursor, 16, value);
}

static bool take_0x(struct cursor *cursor, uint32_t *value)
{
    return take(cursor, "0x") && take_hex(cursor, value);
}

// A register: 8 digits in every format. One with fewer is cut off, and another value.
static bool take_word(struct cursor *cursor, uint32_t *value)
{
    return digits(cursor) == 8 && take_hex(cursor, value);
}

static bool take_0x_word(struct cursor *cursor, uint32_t *value)
{
    return take(cursor, "0x") && take_word(cursor, value);
}

// --- The formats. `begins` moves behind what a line of the format begins with.

static bool cpuid_begins(struct cursor *cursor)
{
    return take(cursor, "0x");
}

static bool cpuid_goes_on(struct cursor *cursor, struct cpuid_entry *entry)
{
    static const char *const names[] = {"eax=", "ebx=", "ecx=", "edx="};
    uint32_t *const registers[] = {&entry->words.eax, &entry->words.ebx, &entry->words.ecx,
                                   &entry->words.edx};

    if (!take_hex(cursor, &entry->leaf))
        return false;
    skip_spaces(cursor);
    if (!take_0x(cursor, &entry->subleaf) || !take(cursor, ":"))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        skip_spaces(cursor);
        if (!take(cursor, names[i]) || !take_0x_word(cursor, registers[i]))
            return false;
    }
    return true;
}

// Other lines begin with CPUID, too, but none with a decimal digit or eight hex ones behind it.
static bool instlatx64_begins(struct cursor *cursor)
{
    if (!take(cursor, "CPUID ") || cursor->at == cursor->end)
        return false;
    return (*cursor->at >= '0' && *cursor->at <= '9') || digits(cursor) == 8;
}

static bool instlatx64_goes_on(struct cursor *cursor, struct cpuid_entry *entry)
{
    uint32_t *const registers[] = {&entry->words.eax, &entry->words.ebx, &entry->words.ecx,
                                   &entry->words.edx};

    if (!take_hex(cursor, &entry->leaf))
        return false;
    take(cursor, ":");
    skip_spaces(cursor);
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        if ((i && !take(cursor, "-")) || !take_word(cursor, registers[i]))
            return false;
    // Behind it there may be the sub-leaf, or a remark.
    if (go_behind(cursor, "[SL "))
        return take_hex(cursor, &entry->subleaf) && take(cursor, "]");
    entry->subleaf = SUBLEAF_UNSTATED;
    return true;
}

static bool guest_begins(struct cursor *cursor)
{
    return go_behind(cursor, "guestCPUID level ");
}

static bool host_begins(struct cursor *cursor)
{
    return go_behind(cursor, "hostCPUID level ");
}

static bool vmware_goes_on(struct cursor *cursor, struct cpuid_entry *entry)
{
    uint32_t *const registers[] = {&entry->words.eax, &entry->words.ebx, &entry->words.ecx,
                                   &entry->words.edx};

    if (!take_hex(cursor, &entry->leaf) ||
        (take(cursor, ", ") && !take_hex(cursor, &entry->subleaf)) || !take(cursor, ":"))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        skip_spaces(cursor);
        if (!take_0x_word(cursor, registers[i]))
            return false;
    }
    return true;
}

static bool record_begins(struct cursor *cursor)
{
    return go_behind(cursor, "{\"record\":\"leaf\"");
}

// The fields may come in any order: `cursor` stays where it is.
static bool take_field(const struct cursor *cursor, const char *key, uint32_t *value)
{
    struct cursor field = *cursor;

    return go_behind(&field, key) && take_0x_word(&field, value) && take(&field, "\"");
}

static bool record_goes_on(struct cursor *cursor, struct cpuid_entry *entry)
{
    struct cursor count = *cursor;

    if (!take_field(cursor, "\"leaf\":\"", &entry->leaf) ||
        !take_field(cursor, "\"subleaf\":\"", &entry->subleaf) ||
        !take_field(cursor, "\"eax\":\"", &entry->words.eax) ||
        !take_field(cursor, "\"ebx\":\"", &entry->words.ebx) ||
        !take_field(cursor, "\"ecx\":\"", &entry->words.ecx) ||
        !take_field(cursor, "\"edx\":\"", &entry->words.edx))
        return false;
    if (!go_behind(&count, "\"count\":"))
        return true;
    return take_number(&count, 10, &entry->count) && entry->count && entry->count <= RUN_MAX &&
           take_field(cursor, "\"stride\":\"", &entry->stride);
}

enum format { CPUID_R, INSTLATX64, VMWARE_GUEST, VMWARE_HOST, RECORD };

static const struct {
    bool (*begins)(struct cursor *cursor);
    bool (*goes_on)(struct cursor *cursor, struct cpuid_entry *entry);
    const char *expected;
} formats[] = {
    [CPUID_R] = {cpuid_begins, cpuid_goes_on,
                 "0xLEAF 0xSUBLEAF: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x"},
    [INSTLATX64] = {instlatx64_begins, instlatx64_goes_on,
                    "CPUID LEAF: EAX-EBX-ECX-EDX, each 8 hex digits, and [SL SUBLEAF]"},
    [VMWARE_GUEST] = {guest_begins, vmware_goes_on,
                      "guestCPUID level LEAF, SUBLEAF: and four words as 0x%08x"},
    [VMWARE_HOST] = {host_begins, vmware_goes_on,
                     "hostCPUID level LEAF, SUBLEAF: and four words as 0x%08x"},
    [RECORD] = {record_begins, record_goes_on,
                "a leaf record: leaf, subleaf, eax, ebx, ecx, edx as \"0x%08x\""},
};

// --- The table

static bool complain(struct dump *dump, const char *expected, struct cursor line)
{
    struct text text;
    size_t length = (size_t)(line.end - line.at);

    text_init(&text, dump->error, sizeof(dump->error));
    text_format(&text, "expected %s; found \"", expected);
    for (size_t i = 0; i < length && i < SHOWN_MAX; i++)
        text_format(&text, "%c", line.at[i] >= 0x20 && line.at[i] <= 0x7e ? line.at[i] : '?');
    text_string(&text, length > SHOWN_MAX ? "...\"" : "\"");
    return false;
}

static const struct cpuid_words *lookup(const struct dump *dump, uint32_t leaf, uint32_t subleaf)
{
    return cpuid_table_find(dump->leaves, dump->count, leaf, subleaf);
}

// The sub-leaf of a line that does not state it: the one behind the line before, if that has the
// same leaf. Hypervisors' leaves come once; there the second one is another CPU's.
static uint32_t next_subleaf(const struct dump *dump, uint32_t leaf)
{
    const struct cpuid_entry *last = dump->count ? &dump->leaves[dump->count - 1] : NULL;

    return last && last->leaf == leaf && leaf && leaf >> 28 != 4 ? last->subleaf + 1 : 0;
}

static bool add(struct dump *dump, enum format format, struct cpuid_entry entry, struct cursor line)
{
    if (entry.subleaf == SUBLEAF_UNSTATED)
        entry.subleaf = next_subleaf(dump, entry.leaf);
    if (format == VMWARE_GUEST && !dump->guest) {
        dump->guest = true;
        dump->others += (unsigned)dump->count;
        dump->count = dump->reads = 0;
        dump->second_cpu = false;
    }
    // Records are in the order of reading, of one CPU: a leaf comes again if its words changed.
    bool again = lookup(dump, entry.leaf, entry.subleaf);
    if (again && format != RECORD && entry.leaf == dump->leaves[0].leaf &&
        entry.subleaf == dump->leaves[0].subleaf)
        dump->second_cpu = true;
    if (again || dump->second_cpu || (format == VMWARE_HOST && dump->guest)) {
        dump->others++;
        return true;
    }
    if (dump->count == DUMP_LEAVES_MAX || entry.count > DUMP_READS_MAX - dump->reads)
        return complain(dump, "at most 4096 leaves, and 131072 in runs", line);
    dump->reads += entry.count;
    dump->leaves[dump->count++] = entry;
    return true;
}

_Static_assert(DUMP_LEAVES_MAX == 4096 && DUMP_READS_MAX == 131072, "the message in add says so");

void dump_start(struct dump *dump)
{
    memset(dump, 0, sizeof(*dump));
}

bool dump_line(struct dump *dump, const char *line, size_t length)
{
    struct cursor whole = {line, line + length};

    // Editors and PowerShell begin a file with it.
    if (!dump->lines++)
        take(&whole, BYTE_ORDER_MARK);
    skip_spaces(&whole);
    while (whole.end > whole.at &&
           (whole.end[-1] == ' ' || whole.end[-1] == '\t' || whole.end[-1] == '\r'))
        whole.end--;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct cpuid_entry entry = {.count = 1};
        struct cursor cursor = whole;
        if (!formats[i].begins(&cursor))
            continue;
        if (!formats[i].goes_on(&cursor, &entry))
            return complain(dump, formats[i].expected, whole);
        return add(dump, i, entry, whole);
    }
    if (whole.at < whole.end && *whole.at != '#' && !go_behind(&whole, "{\"record\":"))
        dump->unknown++;
    return true;
}

// Is it the signature leaf of a block, or within one, as the dump has it?
static bool in_block(const struct dump *dump, uint32_t leaf)
{
    uint32_t base = leaf & BLOCK_MASK;
    const struct cpuid_words *words = lookup(dump, base, 0);

    return leaf == CPUID_HYPERVISOR_BASE ||
           (words && words->eax >= leaf && words->eax - base <= 0xff);
}

static const struct cpuid_words *highest_basic(const struct dump *dump, uint32_t subleaf)
{
    const struct cpuid_words *words = lookup(dump, 0, 0);

    return words ? lookup(dump, words->eax, subleaf) : NULL;
}

// Do these words say how leaves beyond the blocks are answered, and are not some leaf's own?
static bool is_common(const struct dump *dump, struct cpuid_words words)
{
    const struct cpuid_words *basic = highest_basic(dump, 0);
    unsigned alike = 0;

    for (size_t i = 0; i < dump->count; i++)
        alike += dump->leaves[i].leaf >> 28 == 4 && cpuid_equal(dump->leaves[i].words, words);
    return cpuid_is_zero(words) || (basic && cpuid_equal(words, *basic)) || alike > 1;
}

// Is there any leaf that says something about a hypervisor, or that there is none? cpuid without -r
// prints a few other leaves raw.
static bool tells(const struct dump *dump)
{
    for (size_t i = 0; i < dump->count; i++) {
        uint32_t leaf = dump->leaves[i].leaf;
        if (!leaf || (leaf >> 28 == 4 && (!(leaf & 0xff) || leaf == CPUID_TIMING_LEAF)))
            return true;
    }
    return false;
}

bool dump_end(struct dump *dump)
{
    for (size_t i = 0; i < dump->count; i++) {
        const struct cpuid_entry *entry = &dump->leaves[i];
        if (entry->leaf >> 28 != 4 || entry->subleaf || in_block(dump, entry->leaf) ||
            entry->leaf < dump->beyond_leaf || !is_common(dump, entry->words))
            continue;
        dump->beyond_known = true;
        dump->beyond_leaf = entry->leaf;
        dump->beyond = entry->words;
    }
    if (!dump->count)
        text_print(dump->error, sizeof(dump->error),
                   "expected lines of cpuid -r, InstLatx64, a vmware.log or leaf records; found "
                   "none in %u lines",
                   dump->lines);
    else if (!tells(dump))
        text_print(dump->error, sizeof(dump->error),
                   "expected leaf 0x0, 0x4000xx00 or 0x40000010; found none of them (cpuid needs "
                   "-r)");
    else
        return true;
    return false;
}

// The highest leaf of the dump in the range that begins at this one: what its first leaf would say,
// had the dump that one.
static uint32_t highest_from(const struct dump *dump, uint32_t first)
{
    uint32_t highest = 0;

    for (size_t i = 0; i < dump->count; i++)
        if (dump->leaves[i].leaf >> 16 == first >> 16 && dump->leaves[i].leaf > highest)
            highest = dump->leaves[i].leaf;
    return highest;
}

static struct cpuid_words read(void *context, uint32_t leaf, uint32_t subleaf)
{
    struct dump *dump = context;
    const struct cpuid_words *words = lookup(dump, leaf, subleaf);
    struct cpuid_words none = {0, 0, 0, 0};

    if (words)
        return *words;
    dump->missing++;
    if (leaf == 0 || leaf == 0x80000000)
        return (struct cpuid_words){highest_from(dump, leaf), 0, 0, 0};
    if (leaf >> 28 != 4 || in_block(dump, leaf) || !dump->beyond_known)
        return none;
    // An echo is of the sub-leaf that is asked for.
    words = highest_basic(dump, 0);
    if (words && cpuid_equal(dump->beyond, *words)) {
        words = highest_basic(dump, subleaf);
        return words ? *words : none;
    }
    return dump->beyond;
}

struct cpuid_source dump_source(struct dump *dump)
{
    return (struct cpuid_source){read, dump};
}
