#include "lib/smbios.h"

#include "lib/acpi_table.h"
#include "lib/text.h"

// Where an entry point is searched for, and in which steps (5.2.1).
#define SEARCH_START     0xf0000u
#define SEARCH_LENGTH    0x10000u
#define SEARCH_ALIGNMENT 16u
#define ANCHOR           0x4d535fu // "_SM" of "_SM_" and "_SM3_"
#define ANCHOR_MASK      0xffffffu

// The 32-bit entry point (5.2.1). Some firmware states 0x1E for its length, as version 2.1 did.
#define ENTRY_32_LENGTH       5
#define ENTRY_32_MAJOR        6
#define ENTRY_32_INTERMEDIATE 16
#define ENTRY_32_TABLE_LENGTH 22
#define ENTRY_32_TABLE        24
#define ENTRY_32_SIZE         31
#define ENTRY_32_SIZE_2_1     30
// The 64-bit entry point (5.2.2).
#define ENTRY_64_LENGTH       6
#define ENTRY_64_MAJOR        7
#define ENTRY_64_TABLE_LENGTH 12
#define ENTRY_64_TABLE        16
#define ENTRY_64_SIZE         24
#define ENTRY_SIZE_MAX        64

#define TABLE_MAX      (64u << 10)
#define STRUCTURES_MAX 1024

// A structure's header (6.1.2).
#define HEADER_TYPE   0
#define HEADER_LENGTH 1
#define HEADER_SIZE   4

#define TYPE_BIOS        0
#define TYPE_SYSTEM      1
#define TYPE_BOARD       2
#define TYPE_CHASSIS     3
#define TYPE_PROCESSOR   4
#define TYPE_OEM_STRINGS 11
#define TYPE_END         127

// Type 0 (7.1), its extension byte 2 (7.1.2.2).
#define BIOS_EXTENSION_2     0x13
#define BIOS_VIRTUAL_MACHINE (1u << 4)
// Type 4 (7.5).
#define PROCESSOR_EXTERNAL_CLOCK 0x12
#define PROCESSOR_MAX_SPEED      0x14
#define PROCESSOR_CURRENT_SPEED  0x16
// Type 11 (7.12).
#define OEM_COUNT 4

struct reader {
    struct smbios *smbios;
    const struct phys *phys;
};

// A structure's formatted area, and the string-set behind it.
struct structure {
    const uint8_t *bytes;
    size_t length; // of the formatted area
    const uint8_t *strings, *end;
};

__attribute__((format(printf, 2, 3))) static void problem(struct smbios *smbios, const char *format,
                                                          ...)
{
    size_t index = smbios->problem_count++;
    struct text text;
    __builtin_va_list arguments;

    if (index >= SMBIOS_PROBLEMS_MAX)
        return;
    text_init(&text, smbios->problems[index], sizeof(smbios->problems[index]));
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
}

static const uint8_t *view(const struct reader *reader, uint64_t address, uint64_t length)
{
    if (address == 0 || length > UINT64_MAX - address)
        return NULL;
    return phys_view(reader->phys, address, length);
}

// --- Strings (6.1.3)

// The string of this number, counted from 1, and its length; NULL: there is none.
static const uint8_t *find_string(const struct structure *structure, unsigned number,
                                  size_t *length)
{
    const uint8_t *at = structure->strings;

    while (number-- > 0 && at < structure->end && *at) {
        const uint8_t *start = at;
        while (at < structure->end && *at)
            at++;
        *length = (size_t)(at - start);
        if (number == 0)
            return start;
        at++;
    }
    return NULL;
}

// Copies the string whose number is at `offset` of the structure.
static void copy_string(const struct structure *structure, size_t offset,
                        char out[SMBIOS_STRING_MAX])
{
    size_t length;
    const uint8_t *string = NULL;

    if (offset < structure->length)
        string = find_string(structure, structure->bytes[offset], &length);
    if (!string)
        return;
    if (length > SMBIOS_STRING_MAX - 1)
        length = SMBIOS_STRING_MAX - 1;
    acpi_copy_printable(out, string, length);
    while (length && out[length - 1] == ' ') // firmware pads with them
        out[--length] = '\0';
}

// --- The structures that are used

static void parse_bios(struct smbios *smbios, const struct structure *structure)
{
    copy_string(structure, 4, smbios->bios_vendor);
    copy_string(structure, 5, smbios->bios_version);
    smbios->virtual_machine = structure->length > BIOS_EXTENSION_2 &&
                              structure->bytes[BIOS_EXTENSION_2] & BIOS_VIRTUAL_MACHINE;
}

static void parse_system(struct smbios *smbios, const struct structure *structure)
{
    copy_string(structure, 4, smbios->manufacturer);
    copy_string(structure, 5, smbios->product);
    copy_string(structure, 6, smbios->version);
}

static void parse_board(struct smbios *smbios, const struct structure *structure)
{
    copy_string(structure, 4, smbios->board_manufacturer);
    copy_string(structure, 5, smbios->board_product);
}

static void parse_chassis(struct smbios *smbios, const struct structure *structure)
{
    copy_string(structure, 4, smbios->chassis_manufacturer);
    copy_string(structure, 8, smbios->chassis_asset_tag);
}

static void parse_processor(struct smbios *smbios, const struct structure *structure)
{
    size_t index = smbios->processor_count++;

    if (index >= SMBIOS_PROCESSORS_MAX || structure->length < PROCESSOR_CURRENT_SPEED + 2)
        return;
    smbios->processors[index].external_clock_mhz =
        acpi_read16(structure->bytes + PROCESSOR_EXTERNAL_CLOCK);
    smbios->processors[index].max_mhz = acpi_read16(structure->bytes + PROCESSOR_MAX_SPEED);
    smbios->processors[index].current_mhz = acpi_read16(structure->bytes + PROCESSOR_CURRENT_SPEED);
}

// The options are copied as they are: what is not printable in them is for options_parse to say.
static void add_options(struct smbios *smbios, const uint8_t *string, size_t length)
{
    const size_t prefix = sizeof(SMBIOS_OPTIONS_PREFIX) - 1;
    size_t used = text_length(smbios->options);
    struct text options;

    if (length < prefix || memcmp(string, SMBIOS_OPTIONS_PREFIX, prefix) != 0)
        return;
    text_init(&options, smbios->options + used, sizeof(smbios->options) - used);
    if (used)
        text_char(&options, ' ');
    for (size_t i = prefix; i < length; i++)
        text_char(&options, (char)string[i]);
    if (options.truncated)
        problem(smbios, "the options in OEM strings are longer than %u bytes and were cut",
                SMBIOS_OPTIONS_MAX - 1);
}

static void parse_oem_strings(struct smbios *smbios, const struct structure *structure)
{
    unsigned count = 0;

    for (const uint8_t *at = structure->strings; at < structure->end && *at; at++) {
        const uint8_t *string = at;
        while (at < structure->end && *at)
            at++;
        add_options(smbios, string, (size_t)(at - string));
        count++;
    }
    if (structure->length > OEM_COUNT && structure->bytes[OEM_COUNT] != count)
        problem(smbios, "type 11 counts %u OEM strings, and there are %u",
                structure->bytes[OEM_COUNT], count);
    smbios->oem_strings += count;
}

// Of those that do not repeat the first counts.
static const struct user {
    uint8_t type;
    bool repeats;
    void (*parse)(struct smbios *smbios, const struct structure *structure);
} users[] = {
    {TYPE_BIOS, false, parse_bios},          {TYPE_SYSTEM, false, parse_system},
    {TYPE_BOARD, false, parse_board},        {TYPE_CHASSIS, false, parse_chassis},
    {TYPE_PROCESSOR, true, parse_processor}, {TYPE_OEM_STRINGS, true, parse_oem_strings},
};

// --- The table

// The end of the string-set at `at` (two NULs, 6.1.3), or NULL.
static const uint8_t *end_of_strings(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 2; at++)
        if (at[0] == 0 && at[1] == 0)
            return at + 2;
    return NULL;
}

// False: it does not end in these bytes.
static bool walk(struct smbios *smbios, const uint8_t *table, size_t length)
{
    const uint8_t *at = table, *end = table + length;
    unsigned seen = 0;

    while (end - at >= HEADER_SIZE && at[HEADER_TYPE] != TYPE_END) {
        size_t offset = (size_t)(at - table);
        struct structure structure = {.bytes = at, .length = at[HEADER_LENGTH]};
        if (smbios->structures == STRUCTURES_MAX) {
            problem(smbios, "it has more than %u structures, the rest was left out",
                    STRUCTURES_MAX);
            return true;
        }
        if (structure.length < HEADER_SIZE || structure.length > (size_t)(end - at)) {
            problem(smbios, "the structure at offset %zu has a length of %zu", offset,
                    structure.length);
            return true;
        }
        structure.strings = at + structure.length;
        structure.end = end_of_strings(structure.strings, end);
        if (!structure.end) {
            problem(smbios, "the strings at offset %zu have no end", offset + structure.length);
            return true;
        }
        smbios->structures++;
        for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
            if (users[i].type != at[HEADER_TYPE] || (seen >> i & 1 && !users[i].repeats))
                continue;
            seen |= 1u << i;
            users[i].parse(smbios, &structure);
        }
        at = structure.end;
    }
    return end - at >= HEADER_SIZE;
}

// --- The entry point

struct entry {
    uint64_t table;
    uint32_t length;
    uint8_t major, minor;
    bool is_64_bit;
};

// Whether a sound entry point is at `address`. One that has the anchor only is noted in *damaged.
static bool read_entry(const struct reader *reader, uint64_t address, struct entry *entry,
                       uint64_t *damaged)
{
    const uint8_t *bytes = view(reader, address, 8);
    bool is_64_bit = bytes && memcmp(bytes, "_SM3_", 5) == 0;
    size_t least = is_64_bit ? ENTRY_64_SIZE : ENTRY_32_SIZE_2_1;

    if (!is_64_bit && (!bytes || memcmp(bytes, "_SM_", 4) != 0))
        return false;
    *damaged = address;
    size_t length = bytes[is_64_bit ? ENTRY_64_LENGTH : ENTRY_32_LENGTH];
    if (length < least || length > ENTRY_SIZE_MAX)
        return false;
    if (!is_64_bit && length == ENTRY_32_SIZE_2_1)
        length = ENTRY_32_SIZE;
    bytes = view(reader, address, length);
    if (!bytes || !acpi_sums_to_zero(bytes, length))
        return false;
    if (is_64_bit) {
        *entry = (struct entry){acpi_read64(bytes + ENTRY_64_TABLE),
                                acpi_read32(bytes + ENTRY_64_TABLE_LENGTH), bytes[ENTRY_64_MAJOR],
                                bytes[ENTRY_64_MAJOR + 1], true};
        return true;
    }
    const uint8_t *intermediate = bytes + ENTRY_32_INTERMEDIATE;
    if (memcmp(intermediate, "_DMI_", 5) != 0 ||
        !acpi_sums_to_zero(intermediate, ENTRY_32_SIZE - ENTRY_32_INTERMEDIATE))
        return false;
    *entry = (struct entry){acpi_read32(bytes + ENTRY_32_TABLE),
                            acpi_read16(bytes + ENTRY_32_TABLE_LENGTH), bytes[ENTRY_32_MAJOR],
                            bytes[ENTRY_32_MAJOR + 1], false};
    return true;
}

// Address of the entry point to use, or 0.
static uint64_t search(const struct reader *reader, struct entry *entry, uint64_t *damaged)
{
    // One view of all of it where there is one: these are 4096 steps.
    const uint8_t *all = view(reader, SEARCH_START, SEARCH_LENGTH);
    uint64_t found = 0;

    for (uint32_t offset = 0; offset < SEARCH_LENGTH; offset += SEARCH_ALIGNMENT) {
        uint64_t address = SEARCH_START + offset;
        const uint8_t *at = all ? all + offset : view(reader, address, 4);
        struct entry candidate;
        if (!at || (acpi_read32(at) & ANCHOR_MASK) != ANCHOR ||
            !read_entry(reader, address, &candidate, damaged))
            continue;
        if (!found || candidate.is_64_bit) {
            found = address;
            *entry = candidate;
        }
        if (candidate.is_64_bit)
            break;
    }
    return found;
}

void smbios_parse(struct smbios *smbios, const struct phys *phys, uint64_t entry_address)
{
    struct reader reader = {smbios, phys};
    struct entry entry;
    uint64_t damaged = 0, found = 0;

    memset(smbios, 0, sizeof(*smbios));
    if (entry_address && read_entry(&reader, entry_address, &entry, &damaged))
        found = entry_address;
    if (!entry_address)
        found = search(&reader, &entry, &damaged);
    if (!found) {
        if (damaged)
            problem(smbios, "the entry point at 0x%llx is damaged", (unsigned long long)damaged);
        else if (entry_address)
            problem(smbios, "there is no entry point at 0x%llx, where the loader says it is",
                    (unsigned long long)entry_address);
        return;
    }
    smbios->found = true;
    smbios->entry = found;
    smbios->major = entry.major;
    smbios->minor = entry.minor;
    // The 64-bit entry point states an upper bound, which may be generous.
    uint32_t length = entry.length < TABLE_MAX ? entry.length : TABLE_MAX;
    const uint8_t *table = view(&reader, entry.table, length);
    if (!table)
        problem(smbios, "its table, %u bytes at 0x%llx, cannot be read", entry.length,
                (unsigned long long)entry.table);
    else if (!walk(smbios, table, length) && length < entry.length)
        problem(smbios, "of its %u bytes the first %u were looked at", entry.length, length);
}
