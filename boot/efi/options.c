// The option line: from hypertick.conf beside the program (13.4, 13.5) and from the load options
// (9.1).
#include "boot/efi/efi.h"

#include "lib/text.h"

#define FILE_NAME "hypertick.conf"
#define PATH_MAX  256 // characters
#define FILE_MAX  65536
#define NODES_MAX 64 // of a device path

// Words that are copied with one blank between them.
struct words {
    struct text text;
    bool comment, gap;
};

static bool is_blank(unsigned character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

static void copy(struct words *words, unsigned character)
{
    if (is_blank(character)) {
        words->gap = words->text.used != 0;
        return;
    }
    if (words->gap)
        text_char(&words->text, ' ');
    words->gap = false;
    // What cannot be part of a word makes it a wrong one, and so is seen.
    text_char(&words->text, (char)(character > ' ' && character <= '~' ? character : '?'));
}

// White space separates, newlines included; from a '#' to the end of the line nothing counts.
static void copy_file(struct words *words, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r')
            words->comment = false;
        else if (bytes[i] == '#')
            words->comment = true;
        if (!words->comment)
            copy(words, bytes[i]);
    }
}

struct path {
    CHAR16 characters[PATH_MAX + 1];
    size_t used, directory; // directory: where the file name begins
};

// False: there is no room.
static bool add_character(struct path *path, CHAR16 character)
{
    if (path->used == PATH_MAX - sizeof(FILE_NAME))
        return false;
    path->characters[path->used++] = character;
    if (character == '\\' || character == '/')
        path->directory = path->used;
    return true;
}

// A piece of the path; the separator between two need not be written. UEFI 2.10, 10.3.5.4.
static bool add_node(struct path *path, const uint8_t *bytes, size_t length)
{
    if (path->used != path->directory && !add_character(path, '\\'))
        return false;
    for (size_t at = 0; at + 2 <= length; at += 2) {
        CHAR16 character = (CHAR16)(bytes[at] | bytes[at + 1] << 8);
        if (!character)
            break;
        if (!add_character(path, character))
            return false;
    }
    return true;
}

// The program's path with another file name. False where there is no path, or too long a one.
static bool path_beside(const EFI_DEVICE_PATH *node, struct path *path)
{
    *path = (struct path){.used = 0};
    for (unsigned i = 0; node && i < NODES_MAX && !IsDevicePathEnd(node); i++) {
        const uint8_t *bytes = (const uint8_t *)node;
        size_t length = DevicePathNodeLength(node);
        if (length < sizeof(*node))
            return false;
        if (DevicePathType(node) == MEDIA_DEVICE_PATH &&
            DevicePathSubType(node) == MEDIA_FILEPATH_DP &&
            !add_node(path, bytes + sizeof(*node), length - sizeof(*node)))
            return false;
        node = (const EFI_DEVICE_PATH *)(bytes + length);
    }
    for (size_t i = 0; i < sizeof(FILE_NAME); i++)
        path->characters[path->directory + i] = (CHAR16)FILE_NAME[i];
    return path->used != 0;
}

// Adds the words of the file. False if there is none.
static bool read_file(struct boot_info *boot, struct words *words, EFI_FILE_HANDLE file)
{
    static const uint8_t utf8_mark[] = {0xef, 0xbb, 0xbf};
    uint8_t bytes[512];
    UINTN size = 0;

    for (size_t total = 0; total < FILE_MAX; total += size) {
        size = sizeof(bytes);
        EFI_STATUS status = file->Read(file, &size, bytes);
        if (EFI_ERROR(status) || size > sizeof(bytes)) {
            boot_note(boot, FILE_NAME " cannot be read to its end (status 0x%llx)",
                      (unsigned long long)status);
            return total != 0;
        }
        if (!size)
            return true;
        size_t skip = total == 0 && size >= sizeof(utf8_mark) &&
                              memcmp(bytes, utf8_mark, sizeof(utf8_mark)) == 0
                          ? sizeof(utf8_mark)
                          : 0;
        copy_file(words, bytes + skip, size - skip);
    }
    boot_note(boot, FILE_NAME " is longer than %u bytes and was cut", FILE_MAX);
    return true;
}

static bool take_file(struct boot_info *boot, struct words *words, EFI_BOOT_SERVICES *services,
                      const EFI_LOADED_IMAGE *program)
{
    static EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    struct path path;
    VOID *volume = NULL;
    EFI_FILE_HANDLE root = NULL, file = NULL;
    bool taken = false;

    // Loaded from the network, there is no file system; that there is no file is normal, too.
    if (EFI_ERROR(services->HandleProtocol(program->DeviceHandle, &guid, &volume)) || !volume)
        return false;
    if (!path_beside(program->FilePath, &path)) {
        boot_note(boot,
                  "the program's own path cannot be read, so " FILE_NAME " is not looked for");
        return false;
    }
    EFI_FILE_IO_INTERFACE *file_system = volume;
    if (EFI_ERROR(file_system->OpenVolume(file_system, &root)))
        return false;
    EFI_STATUS status = root->Open(root, &file, path.characters, EFI_FILE_MODE_READ, 0);
    if (!EFI_ERROR(status)) {
        taken = read_file(boot, words, file);
        file->Close(file);
    } else if (status != EFI_NOT_FOUND) {
        boot_note(boot, FILE_NAME " cannot be opened (status 0x%llx)", (unsigned long long)status);
    }
    root->Close(root);
    return taken;
}

// Load options are whatever the boot entry holds; the shell puts its command line there.
static bool is_text(const CHAR16 *characters, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_blank(characters[i]) && (characters[i] < ' ' || characters[i] > '~'))
            return false;
    return true;
}

static bool take_load_options(struct boot_info *boot, struct words *words,
                              const EFI_LOADED_IMAGE *program)
{
    const CHAR16 *characters = program->LoadOptions;
    size_t length = 0, size = program->LoadOptionsSize;

    if (!characters || !size)
        return false;
    while (length < size / sizeof(CHAR16) && characters[length])
        length++;
    if (size % sizeof(CHAR16) || !is_text(characters, length)) {
        boot_note(boot, "the load options, %zu bytes, are no plain text and were ignored", size);
        return false;
    }
    bool separate = words->text.used != 0;
    for (size_t i = 0; i < length; i++) {
        if (separate && !is_blank(characters[i])) {
            text_string(&words->text, " --");
            words->gap = true;
            separate = false;
        }
        copy(words, characters[i]);
    }
    return length != 0;
}

void efi_collect_options(struct boot_info *boot, EFI_BOOT_SERVICES *services,
                         const EFI_LOADED_IMAGE *program)
{
    struct words words = {0};

    text_init(&words.text, boot->cmdline, sizeof(boot->cmdline));
    bool from_file = take_file(boot, &words, services, program);
    bool from_entry = take_load_options(boot, &words, program);
    if (words.text.truncated)
        boot_note(boot, "the options are longer than %zu bytes and were cut",
                  sizeof(boot->cmdline) - 1);
    text_print(boot->options_from, sizeof(boot->options_from), "%s%s%s", from_file ? FILE_NAME : "",
               from_file && from_entry ? ", then " : "", from_entry ? "the load options" : "");
}
