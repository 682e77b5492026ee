// Any bytes as an SMBIOS table: the parser reads nothing that is not there.
//
// Checksums would keep almost every input out, so the entry point is made here: the input's first
// byte says of which kind, the rest is the table.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/smbios.h"

#define BASE  0xf0000u // where firmware keeps the entry point (DSP0134, 5.2)
#define TABLE 32u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    uint8_t *bytes; // exactly so many, on the heap: AddressSanitizer sees a read beyond
    size_t size;
};

static const void *view(void *context, uint64_t address, uint64_t length)
{
    const struct memory *memory = context;

    if (address < BASE || address - BASE > memory->size || length > memory->size - (address - BASE))
        return NULL;
    return memory->bytes + (address - BASE);
}

static void mend(uint8_t *bytes, size_t length, size_t checksum)
{
    uint8_t sum = 0;

    bytes[checksum] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct smbios smbios;
    uint32_t address = BASE + TABLE;

    if (size < 2 || size > 0xffff)
        return 0;
    uint32_t length = (uint32_t)size - 1;
    struct memory memory = {.bytes = calloc(1, TABLE + length), .size = TABLE + length};
    assert(memory.bytes);
    if (data[0] & 1) {
        memcpy(memory.bytes, "_SM3_\0\x18\x03\x01", 9);
        memcpy(memory.bytes + 12, &length, 4);
        memcpy(memory.bytes + 16, &address, 4);
        mend(memory.bytes, 24, 5);
    } else {
        memcpy(memory.bytes, "_SM_\0\x1f\x02\x08", 8);
        memcpy(memory.bytes + 16, "_DMI_", 5);
        memcpy(memory.bytes + 22, &length, 2);
        memcpy(memory.bytes + 24, &address, 4);
        mend(memory.bytes + 16, 15, 5);
        mend(memory.bytes, 31, 4);
    }
    memcpy(memory.bytes + TABLE, data + 1, length);
    smbios_parse(&smbios, &(struct phys){view, &memory}, data[0] & 2 ? BASE : 0);
    assert(smbios.found && smbios.entry == BASE);
    assert(memchr(smbios.options, '\0', sizeof(smbios.options)));
    for (size_t i = 0; i < smbios.problem_count && i < SMBIOS_PROBLEMS_MAX; i++)
        assert(smbios.problems[i][0] &&
               memchr(smbios.problems[i], '\0', sizeof(smbios.problems[i])));
    free(memory.bytes);
    return 0;
}
