#include "lib/aml.h"

#include "lib/text.h"

// Opcodes (20.2.2 to 20.2.5, table 20.2).
#define AML_ZERO       0x00
#define AML_ONE        0x01
#define AML_NAME       0x08
#define AML_BYTE       0x0a
#define AML_WORD       0x0b
#define AML_DWORD      0x0c
#define AML_STRING     0x0d
#define AML_QWORD      0x0e
#define AML_SCOPE      0x10
#define AML_BUFFER     0x11
#define AML_PACKAGE    0x12
#define AML_VARPACKAGE 0x13
#define AML_METHOD     0x14
#define AML_EXTENDED   0x5b // the first byte of two
#define AML_IF         0xa0
#define AML_ELSE       0xa1
#define AML_WHILE      0xa2
// Behind AML_EXTENDED: from Field to BankField all have a PkgLength.
#define AML_FIELD      0x81
#define AML_BANK_FIELD 0x87

// Names (20.2.2).
#define NAME_ROOT   '\\'
#define NAME_PARENT '^'
#define NAME_DUAL   0x2e
#define NAME_MULTI  0x2f
#define NAME_SIZE   4u

#define SLP_TYP_MAX 7 // a field of 3 bits (4.8.3.2.1)

struct aml {
    const uint8_t *at, *end;
};

// Takes `size` bytes off the front, or gives NULL and takes none.
static const uint8_t *take(struct aml *aml, size_t size)
{
    const uint8_t *start = aml->at;

    if (size > (size_t)(aml->end - aml->at))
        return NULL;
    aml->at += size;
    return start;
}

// Takes a PkgLength (20.2.4), which counts from its own first byte. Gives the end of what it spans,
// or NULL.
static const uint8_t *take_package_end(struct aml *aml)
{
    const uint8_t *start = aml->at;
    const uint8_t *lead = take(aml, 1);
    const uint8_t *rest = lead ? take(aml, *lead >> 6) : NULL;

    if (!rest)
        return NULL;
    size_t more = *lead >> 6;
    size_t length = more ? *lead & 0x0f : *lead & 0x3f;
    for (size_t i = 0; i < more; i++)
        length |= (size_t)rest[i] << (4 + 8 * i);
    if (length < (size_t)(aml->at - start) || length > (size_t)(aml->end - start))
        return NULL;
    return start + length;
}

static bool is_name_character(uint8_t byte, bool first)
{
    return (byte >= 'A' && byte <= 'Z') || byte == '_' || (!first && byte >= '0' && byte <= '9');
}

static bool take_segments(struct aml *aml, size_t count)
{
    const uint8_t *bytes = take(aml, count * NAME_SIZE);

    for (size_t i = 0; bytes && i < count * NAME_SIZE; i++)
        if (!is_name_character(bytes[i], i % NAME_SIZE == 0))
            return false;
    return bytes;
}

struct name {
    bool is_root; // '\' alone
    bool is_s5;   // _S5_ or \_S5_
};

static bool take_name(struct aml *aml, struct name *name)
{
    const uint8_t *first = aml->at;
    bool rooted = aml->at < aml->end && *aml->at == NAME_ROOT;

    while (aml->at < aml->end && (*aml->at == NAME_ROOT || *aml->at == NAME_PARENT))
        aml->at++;
    bool prefixed = (size_t)(aml->at - first) > rooted;
    const uint8_t *lead = take(aml, 1);
    if (!lead)
        return false;
    *name = (struct name){rooted && !prefixed && *lead == 0, false};
    switch (*lead) {
    case 0: // the null name
        return true;
    case NAME_DUAL:
        return take_segments(aml, 2);
    case NAME_MULTI: {
        const uint8_t *count = take(aml, 1);
        return count && take_segments(aml, *count);
    }
    default:
        aml->at = lead;
        if (!take_segments(aml, 1))
            return false;
        name->is_s5 = !prefixed && memcmp(lead, "_S5_", NAME_SIZE) == 0;
        return true;
    }
}

// A constant (20.2.3) that may be a SLP_TYP.
static bool take_sleep_type(struct aml *aml, uint8_t *type)
{
    const uint8_t *prefix = take(aml, 1);
    uint64_t value = 0;
    size_t size;

    if (!prefix)
        return false;
    switch (*prefix) {
    case AML_ZERO:
    case AML_ONE: // both stand for their own value
        *type = *prefix;
        return true;
    case AML_BYTE:
        size = 1;
        break;
    case AML_WORD:
        size = 2;
        break;
    case AML_DWORD:
        size = 4;
        break;
    default:
        return false;
    }
    const uint8_t *bytes = take(aml, size);
    for (size_t i = 0; bytes && i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    *type = (uint8_t)value;
    return bytes && value <= SLP_TYP_MAX;
}

// Whether `aml`, which begins behind the name, goes on as Package () {TypeA, TypeB, ...}.
static bool parse_s5(struct aml aml, uint8_t types[2])
{
    const uint8_t *op = take(&aml, 1);
    const uint8_t *end = op && *op == AML_PACKAGE ? take_package_end(&aml) : NULL;

    if (!end)
        return false;
    aml.end = end;
    const uint8_t *elements = take(&aml, 1);
    return elements && *elements >= 2 && take_sleep_type(&aml, &types[0]) &&
           take_sleep_type(&aml, &types[1]);
}

// Steps over the term at the front, or into it. False: it makes no sense.
static bool step(struct aml *aml)
{
    const uint8_t *op = take(aml, 1);
    const uint8_t *end;
    struct name name;

    switch (*op) {
    case AML_BYTE:
        return take(aml, 1);
    case AML_WORD:
        return take(aml, 2);
    case AML_DWORD:
        return take(aml, 4);
    case AML_QWORD:
        return take(aml, 8);
    case AML_STRING:
        while (aml->at < aml->end && *aml->at)
            aml->at++;
        return true;
    case AML_IF:
    case AML_ELSE:
        return take_package_end(aml);
    case AML_SCOPE:
        end = take_package_end(aml);
        if (!end || !take_name(aml, &name))
            return false;
        if (!name.is_root)
            aml->at = end;
        return true;
    case AML_EXTENDED:
        op = take(aml, 1);
        if (!op || *op < AML_FIELD || *op > AML_BANK_FIELD)
            return op;
        break;
    case AML_BUFFER:
    case AML_PACKAGE:
    case AML_VARPACKAGE:
    case AML_METHOD:
    case AML_WHILE:
        break;
    case NAME_ROOT:
    case NAME_PARENT:
    case NAME_DUAL:
    case NAME_MULTI:
        aml->at = op;
        return take_name(aml, &name);
    default:
        if (!is_name_character(*op, true))
            return true;
        aml->at = op;
        return take_name(aml, &name);
    }
    end = take_package_end(aml);
    if (!end)
        return false;
    aml->at = end;
    return true;
}

enum aml_s5 aml_find_s5(const uint8_t *bytes, size_t length, uint8_t types[2])
{
    struct aml aml = {bytes, bytes + length};
    enum aml_s5 found = AML_S5_ABSENT;

    while (aml.at < aml.end) {
        const uint8_t *start = aml.at;
        struct name name;
        if (*start != AML_NAME) {
            if (!step(&aml))
                aml.at = start + 1;
            continue;
        }
        aml.at++;
        if (!take_name(&aml, &name)) {
            aml.at = start + 1;
            continue;
        }
        if (!name.is_s5)
            continue;
        if (parse_s5(aml, types))
            return AML_S5_FOUND;
        found = AML_S5_WRONG;
    }
    return found;
}
