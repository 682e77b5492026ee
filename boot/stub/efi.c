#include "boot/stub/efi.h"

// Multiboot 2 Specification 2.0, section 3.6.
enum { TAG_END = 0, TAG_EFI64 = 12, TAG_EFI_MAP = 17, TAG_ALIVE = 18, TAG_HANDLE64 = 20 };

struct tag {
    uint32_t type, size;
};

struct map_tag {
    struct tag tag;
    uint32_t entry_size, version;
};

// What is used of UEFI's tables: UEFI Specification 2.10, sections 4.3 and 4.4, for 64 bits.
struct services {
    uint8_t before_map[56];
    uint64_t(__attribute__((ms_abi)) * get_memory_map)(uint64_t *size, uint8_t *map, uint64_t *key,
                                                       uint64_t *entry_size, uint32_t *version);
    uint8_t before_exit[168];
    uint64_t(__attribute__((ms_abi)) * exit_boot_services)(uint64_t image, uint64_t key);
};

struct system_table {
    uint8_t before[96];
    const struct services *services;
};

_Static_assert(__builtin_offsetof(struct services, exit_boot_services) == 232 &&
                   __builtin_offsetof(struct system_table, services) == 96,
               "fixed by the specification");

#define TRIES 8 // the firmware's timer may change the map between the two calls

static size_t align(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

// The 64 bits behind the head of the first tag of this type, 0: there is none. `*end` becomes where
// the end tag is, if it is met.
static uint64_t find(const uint8_t *info, uint32_t type, size_t *end)
{
    uint32_t total = *(const uint32_t *)info;

    for (size_t at = 8; at + sizeof(struct tag) <= total;) {
        const struct tag *tag = (const struct tag *)(info + at);
        if (tag->type == TAG_END)
            *end = at;
        if (tag->type == type && tag->size >= 16)
            return *(const uint64_t *)(tag + 1);
        if (tag->type == TAG_END || tag->size < sizeof(*tag) || tag->size > total - at)
            break;
        at += align(tag->size);
    }
    return 0;
}

const uint8_t *efi_leave(const uint8_t *info, uint8_t *copy, size_t room)
{
    size_t end = 0;
    const struct system_table *system = (const struct system_table *)find(info, TAG_EFI64, &end);
    uint64_t image = find(info, TAG_HANDLE64, &end);

    find(info, TAG_END, &end);
    // 8 for what the map's end may have to be padded with.
    size_t around = end + sizeof(struct map_tag) + sizeof(struct tag) + 8;
    if (!system || !image || !end || room < around)
        return info;
    for (size_t i = 0; i < end; i++)
        copy[i] = info[i];
    struct map_tag *map = (struct map_tag *)(copy + end);
    uint8_t *entries = (uint8_t *)(map + 1);
    uint64_t most = room - around;

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t size = most, key = 0, entry_size = 0;
        uint32_t version = 0;
        if (system->services->get_memory_map(&size, entries, &key, &entry_size, &version) ||
            size > most || system->services->exit_boot_services(image, key) != 0)
            continue;
        *map = (struct map_tag){
            {TAG_EFI_MAP, (uint32_t)(sizeof(*map) + size)}, (uint32_t)entry_size, version};
        size_t at = end + align(map->tag.size);
        *(struct tag *)(copy + at) = (struct tag){TAG_END, sizeof(struct tag)};
        *(uint32_t *)copy = (uint32_t)(at + sizeof(struct tag));
        return copy;
    }
    return info;
}
