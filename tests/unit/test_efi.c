// The UEFI door against firmware that is what the test says, broken included.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "boot/collect.c"
#include "boot/efi/memory.c"
#include "boot/efi/options.c"
#include "boot/efi/tables.c"
// Last, since its static variable has the name of the others' arguments.
#include "boot/efi/main.c"

// --- What main.c hands over to, and what the linker would define

const char image_start[1], image_text_end[1], image_end[1], stack_guard[1];
static jmp_buf entered;
static struct boot_info *booted;

static bool firmware_left(void);

void descriptors_install(void)
{
    assert_true(firmware_left());
}

void processor_mask_interrupts(void)
{
    assert_true(firmware_left());
}

struct paging_cpu processor_paging(void)
{
    return (struct paging_cpu){.address_bits = 48};
}

uint64_t paging_start(const struct paging_image *image, struct paging_cpu cpu)
{
    (void)image;
    return cpu.address_bits * (uint64_t)PAGE_SIZE;
}

void paging_add(struct boot_info *info)
{
    assert_ptr_equal(info, &boot);
    assert_true(firmware_left());
}

void processor_use_tables(uint64_t root)
{
    (void)root;
}

_Noreturn void kernel_main(const struct boot_info *info)
{
    (void)info;
    abort();
}

_Noreturn void efi_enter(struct boot_info *info, uint64_t root)
{
    assert_int_equal(root, 48 * PAGE_SIZE);
    booted = info;
    longjmp(entered, 1);
}

// --- The firmware

// UEFI says what type an argument has.
// NOLINTBEGIN(readability-non-const-parameter)

static struct {
    EFI_STATUS loaded_image, pages, map, leave, file, read, graphics;
    unsigned leave_failures; // before it works
    uint64_t low_address;
    const char *content; // of hypertick.conf, NULL: there is none
    size_t content_size, content_read;
    bool no_volume;
    char opened[300];
    const EFI_MEMORY_DESCRIPTOR *descriptors;
    size_t descriptor_count, descriptor_size;
    unsigned maps, leaves, watchdog, open_files, prints;
    EFI_STATUS exit_status;
    char printed[200];
} firmware;

static bool firmware_left(void)
{
    return firmware.leaves == firmware.leave_failures + 1;
}

static EFI_LOADED_IMAGE program;
static EFI_FILE_PROTOCOL volume_root, conf_file;
static EFI_FILE_IO_INTERFACE fat_volume;
static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION mode_info;
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode;
static EFI_GRAPHICS_OUTPUT_PROTOCOL screen;
static EFI_BOOT_SERVICES boot_services;
static SIMPLE_TEXT_OUTPUT_INTERFACE text_output;
static EFI_CONFIGURATION_TABLE configuration[8];
static EFI_SYSTEM_TABLE firmware_table;
static uint8_t path_nodes[1024];

static bool same(const EFI_GUID *a, EFI_GUID b)
{
    return memcmp(a, &b, sizeof(b)) == 0;
}

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, VOID **out)
{
    (void)handle;
    if (same(guid, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID)) {
        *out = &program;
        return firmware.loaded_image;
    }
    if (same(guid, (EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID)) {
        *out = &fat_volume;
        return firmware.no_volume ? EFI_UNSUPPORTED : EFI_SUCCESS;
    }
    assert_true(same(guid, (EFI_GUID)EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID));
    *out = &screen;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI locate_handles(EFI_LOCATE_SEARCH_TYPE type, EFI_GUID *guid, VOID *key,
                                        UINTN *count, EFI_HANDLE **handles)
{
    (void)type;
    (void)guid;
    (void)key;
    *count = 1;
    *handles = calloc(1, sizeof(EFI_HANDLE));
    if (EFI_ERROR(firmware.graphics)) {
        free(*handles);
        *handles = NULL;
    }
    return firmware.graphics;
}

static EFI_STATUS EFIAPI free_pool(VOID *pool)
{
    free(pool);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI open_volume(EFI_FILE_IO_INTERFACE *this, EFI_FILE_HANDLE *out)
{
    (void)this;
    *out = &volume_root;
    firmware.open_files++;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI open_file(EFI_FILE_PROTOCOL *this, EFI_FILE_HANDLE *out, CHAR16 *name,
                                   UINT64 how, UINT64 attributes)
{
    (void)this;
    (void)how;
    (void)attributes;
    for (size_t i = 0; i < sizeof(firmware.opened) && (i == 0 || name[i - 1]); i++)
        firmware.opened[i] = (char)name[i];
    if (EFI_ERROR(firmware.file))
        return firmware.file;
    if (!firmware.content)
        return EFI_NOT_FOUND;
    firmware.open_files++;
    *out = &conf_file;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI close_file(EFI_FILE_PROTOCOL *this)
{
    (void)this;
    firmware.open_files--;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI read_bytes(EFI_FILE_PROTOCOL *this, UINTN *size, VOID *buffer)
{
    size_t left = firmware.content_size - firmware.content_read;

    (void)this;
    if (*size > left)
        *size = left;
    memcpy(buffer, firmware.content + firmware.content_read, *size);
    firmware.content_read += *size;
    return firmware.read;
}

static EFI_STATUS EFIAPI allocate_pages(EFI_ALLOCATE_TYPE type, EFI_MEMORY_TYPE memory, UINTN pages,
                                        EFI_PHYSICAL_ADDRESS *address)
{
    assert_int_equal(type, AllocateMaxAddress);
    assert_int_equal(memory, EfiLoaderData);
    assert_int_equal(pages, 2);
    assert_true(*address < 0x100000);
    *address = firmware.low_address;
    return firmware.pages;
}

static EFI_STATUS EFIAPI get_map(UINTN *size, EFI_MEMORY_DESCRIPTOR *out, UINTN *key,
                                 UINTN *entry_size, UINT32 *version)
{
    UINTN needed = firmware.descriptor_count * firmware.descriptor_size;

    firmware.maps++;
    *key = firmware.maps;
    *version = 1;
    *entry_size = firmware.descriptor_size;
    if (*size < needed) {
        *size = needed;
        return EFI_BUFFER_TOO_SMALL;
    }
    *size = needed;
    for (size_t i = 0; i < firmware.descriptor_count; i++)
        memcpy((uint8_t *)out + i * firmware.descriptor_size, &firmware.descriptors[i],
               firmware.descriptor_size < sizeof(*out) ? firmware.descriptor_size : sizeof(*out));
    return firmware.map;
}

static EFI_STATUS EFIAPI exit_boot_services(EFI_HANDLE image, UINTN key)
{
    assert_ptr_equal(image, &program);
    assert_int_equal(key, firmware.maps);
    firmware.leaves++;
    return firmware.leaves <= firmware.leave_failures ? EFI_INVALID_PARAMETER : firmware.leave;
}

static EFI_STATUS EFIAPI set_watchdog(UINTN seconds, UINT64 code, UINTN size, CHAR16 *data)
{
    (void)code;
    (void)size;
    (void)data;
    firmware.watchdog = (unsigned)seconds;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI exit_program(EFI_HANDLE image, EFI_STATUS status, UINTN size, CHAR16 *data)
{
    assert_ptr_equal(image, &program);
    (void)size;
    (void)data;
    firmware.exit_status = status;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI print(SIMPLE_TEXT_OUTPUT_INTERFACE *this, CHAR16 *string)
{
    (void)this;
    firmware.prints++;
    for (size_t i = 0; i < sizeof(firmware.printed) && (i == 0 || string[i - 1]); i++)
        firmware.printed[i] = (char)string[i];
    return EFI_SUCCESS;
}

// NOLINTEND(readability-non-const-parameter)

#define PAGES(megabytes) ((megabytes)*256ull)
static const EFI_MEMORY_DESCRIPTOR usual[] = {
    {EfiBootServicesCode, 0, 0, 0, 1, 0},
    {EfiConventionalMemory, 0, 0x1000, 0, 0x9f, 0},
    {EfiConventionalMemory, 0, 0x100000, 0, PAGES(15), 0},
    {EfiLoaderCode, 0, 0x1000000, 0, PAGES(1), 0},
    {EfiBootServicesData, 0, 0x1100000, 0, PAGES(47), 0},
    {EfiACPIReclaimMemory, 0, 0x4000000, 0, 16, 0},
    {EfiACPIMemoryNVS, 0, 0x4010000, 0, 16, 0},
    {EfiRuntimeServicesData, 0, 0x4020000, 0, 16, 0},
    {EfiReservedMemoryType, 0, 0x4030000, 0, 16, 0},
    {EfiMemoryMappedIO, 0, 0xfec00000, 0, 1, 0},
};

// A node of the device path, after those that are there.
static void put_node(uint8_t type, uint8_t subtype, const void *bytes, size_t length)
{
    static size_t used;
    if (!path_nodes[0])
        used = 0;
    uint8_t *node = path_nodes + used;
    node[0] = type;
    node[1] = subtype;
    node[2] = (uint8_t)(length + 4);
    node[3] = (uint8_t)((length + 4) >> 8);
    memcpy(node + 4, bytes, length);
    used += length + 4;
    memcpy(path_nodes + used, "\x7f\xff\x04", 4);
}

static void set_path(const CHAR16 *path, size_t bytes)
{
    memset(path_nodes, 0, sizeof(path_nodes));
    put_node(MEDIA_DEVICE_PATH, 1, "a hard disk", 11);
    put_node(MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, path, bytes);
}

static int setup(void **state)
{
    static CHAR16 vendor[] = L"EDK II";

    (void)state;
    memset(&firmware, 0, sizeof(firmware));
    memset(&boot, 0, sizeof(boot));
    memset(&program, 0, sizeof(program));
    memset(configuration, 0, sizeof(configuration));
    firmware.watchdog = 300;
    firmware.low_address = 0x9d000;
    firmware.descriptors = usual;
    firmware.descriptor_count = ARRAY_SIZE(usual);
    firmware.descriptor_size = 48;
    mode_info = (EFI_GRAPHICS_OUTPUT_MODE_INFORMATION){
        .HorizontalResolution = 800,
        .VerticalResolution = 600,
        .PixelFormat = PixelBlueGreenRedReserved8BitPerColor,
        .PixelsPerScanLine = 1024,
    };
    mode = (EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE){.Info = &mode_info, .FrameBufferBase = 0x80000000};
    screen.Mode = &mode;
    fat_volume.OpenVolume = open_volume;
    volume_root.Open = open_file;
    volume_root.Close = conf_file.Close = close_file;
    conf_file.Read = read_bytes;
    text_output.OutputString = print;
    boot_services.HandleProtocol = handle_protocol;
    boot_services.LocateHandleBuffer = locate_handles;
    boot_services.FreePool = free_pool;
    boot_services.AllocatePages = allocate_pages;
    boot_services.GetMemoryMap = get_map;
    boot_services.ExitBootServices = exit_boot_services;
    boot_services.SetWatchdogTimer = set_watchdog;
    boot_services.Exit = exit_program;
    firmware_table = (EFI_SYSTEM_TABLE){.FirmwareVendor = vendor,
                                        .ConOut = &text_output,
                                        .BootServices = &boot_services,
                                        .ConfigurationTable = configuration};
    set_path(L"\\EFI\\BOOT\\BOOTX64.EFI", sizeof(L"\\EFI\\BOOT\\BOOTX64.EFI"));
    program.FilePath = (EFI_DEVICE_PATH *)path_nodes;
    return 0;
}

static void set_content(const char *content)
{
    firmware.content = content;
    firmware.content_size = strlen(content);
}

static void set_load_options(CHAR16 *options, size_t bytes)
{
    program.LoadOptions = options;
    program.LoadOptionsSize = (UINT32)bytes;
}

// Starts the program, which must get to the kernel; or gives the status that it gave back.
static void start(void)
{
    booted = NULL;
    if (setjmp(entered) == 0) {
        efi_main(&program, &firmware_table);
        fail_msg("it came back: %s", firmware.printed);
    }
    assert_int_equal(firmware.open_files, 0);
    assert_int_equal(firmware.watchdog, 0);
}

static EFI_STATUS start_in_vain(void)
{
    volatile EFI_STATUS status = EFI_SUCCESS;

    if (setjmp(entered) == 0)
        status = efi_main(&program, &firmware_table);
    else
        fail_msg("it entered the kernel");
    assert_int_equal(firmware.exit_status, status);
    assert_int_equal(firmware.prints, 1);
    assert_memory_equal(firmware.printed, "hypertick: error: ", 18);
    assert_string_equal(firmware.printed + strlen(firmware.printed) - 2, "\r\n");
    return status;
}

// --- The tests

static void test_a_usual_machine(void **state)
{
    (void)state;
    configuration[0] = (EFI_CONFIGURATION_TABLE){SMBIOS3_TABLE_GUID, (VOID *)0x3000};
    configuration[1] = (EFI_CONFIGURATION_TABLE){ACPI_20_TABLE_GUID, (VOID *)0x1000};
    configuration[2] = (EFI_CONFIGURATION_TABLE){ACPI_TABLE_GUID, (VOID *)0x2000};
    configuration[3] = (EFI_CONFIGURATION_TABLE){SMBIOS_TABLE_GUID, (VOID *)0x4000};
    firmware_table.NumberOfTableEntries = 4;
    start();
    assert_ptr_equal(booted, &boot);
    assert_int_equal(boot.protocol, BOOT_EFI);
    assert_string_equal(boot.loader, "EDK II");
    assert_string_equal(boot.cmdline, "");
    assert_string_equal(boot.options_from, "");
    assert_string_equal(firmware.opened, "\\EFI\\BOOT\\hypertick.conf");
    assert_int_equal(boot.rsdp, 0x1000);
    assert_int_equal(boot.smbios, 0x3000);
    assert_int_equal(boot.efi_system_table, (uint64_t)&firmware_table);
    assert_int_equal(boot.low_page, 0x9d000);
    assert_int_equal(boot.note_count, 0);
    assert_int_equal(firmware.leaves, 1);
    assert_int_equal(firmware.prints, 0);
    // 0 to 0xa0000, 0x100000 to 0x4000000, then one each of three types, two of them neighbours.
    assert_int_equal(boot.region_count, 6);
    assert_int_equal(boot.regions[0].length, 0xa0000);
    assert_int_equal(boot.regions[1].length, 0x3f00000);
    assert_int_equal(boot.regions[1].type, MEMORY_RAM);
    assert_int_equal(boot.regions[2].type, MEMORY_ACPI_RECLAIM);
    assert_int_equal(boot.regions[3].type, MEMORY_ACPI_NVS);
    assert_int_equal(boot.regions[4].type, MEMORY_RESERVED);
    assert_int_equal(boot.regions[4].length, 0x20000);
    assert_int_equal(boot.regions[5].base, 0xfec00000);
}

static void test_older_tables(void **state)
{
    (void)state;
    configuration[0] = (EFI_CONFIGURATION_TABLE){SMBIOS_TABLE_GUID, (VOID *)0x4000};
    configuration[1] = (EFI_CONFIGURATION_TABLE){ACPI_TABLE_GUID, (VOID *)0x2000};
    firmware_table.NumberOfTableEntries = 2;
    start();
    assert_int_equal(boot.rsdp, 0x2000);
    assert_int_equal(boot.smbios, 0x4000);
    setup(state);
    firmware_table.NumberOfTableEntries = UINT64_MAX;
    start();
    assert_int_equal(boot.rsdp, 0);
    assert_int_equal(boot.note_count, 1);
}

static void test_changed_map(void **state)
{
    (void)state;
    firmware.leave_failures = 3;
    start();
    assert_int_equal(firmware.leaves, 4);
    assert_int_equal(firmware.maps, 4);
    assert_int_equal(boot.region_count, 6);
}

static void test_errors(void **state)
{
    (void)state;
    firmware.leave_failures = UINT32_MAX;
    assert_int_equal(start_in_vain(), EFI_INVALID_PARAMETER);
    assert_int_equal(firmware.leaves, LEAVE_TRIES);
    assert_non_null(strstr(firmware.printed, "(status 0x8000000000000002)"));

    setup(state);
    firmware.map = EFI_DEVICE_ERROR;
    assert_int_equal(start_in_vain(), EFI_DEVICE_ERROR);
    assert_int_equal(firmware.leaves, 0);

    // A map that is longer than the room for it.
    setup(state);
    firmware.descriptor_size = 16384;
    assert_int_equal(start_in_vain(), EFI_BUFFER_TOO_SMALL);

    setup(state);
    firmware.descriptor_size = 39;
    assert_int_equal(start_in_vain(), EFI_LOAD_ERROR);

    setup(state);
    firmware.loaded_image = EFI_UNSUPPORTED;
    assert_int_equal(start_in_vain(), EFI_UNSUPPORTED);
    assert_non_null(strstr(firmware.printed, "no loaded image"));
}

static void test_lying_map(void **state)
{
    static EFI_MEMORY_DESCRIPTOR many[400];

    (void)state;
    many[0] = (EFI_MEMORY_DESCRIPTOR){EfiConventionalMemory, 0, 0x1000, 0, (1ull << 52) + 1, 0};
    many[1] = (EFI_MEMORY_DESCRIPTOR){EfiConventionalMemory, 0, UINT64_MAX - 0xfff, 0, 2, 0};
    many[2] = (EFI_MEMORY_DESCRIPTOR){0xdeadbeef, 0, 0x1000, 0, 1, 0};
    // It would go on where this one ends, and wrap.
    many[3] = (EFI_MEMORY_DESCRIPTOR){0xdeadbeef, 0, 0x2000, 0, UINT64_MAX / 4096, 0};
    firmware.descriptors = many;
    firmware.descriptor_count = 4;
    start();
    assert_int_equal(boot.region_count, 1);
    assert_int_equal(boot.regions[0].type, MEMORY_RESERVED);
    assert_int_equal(boot.regions[0].length, 0x1000);
    assert_int_equal(boot.note_count, 3);

    setup(state);
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (EFI_MEMORY_DESCRIPTOR){EfiReservedMemoryType, 0, i * 0x2000, 0, 1, 0};
    firmware.descriptors = many;
    firmware.descriptor_count = ARRAY_SIZE(many);
    start();
    assert_int_equal(boot.region_count, BOOT_REGIONS_MAX);
    assert_int_equal(boot.note_count, 1);
}

static void test_no_low_memory(void **state)
{
    (void)state;
    firmware.pages = EFI_NOT_FOUND;
    start();
    assert_int_equal(boot.low_page, 0);
    assert_int_equal(boot.note_count, 1);
    setup(state);
    firmware.low_address = 0x100000; // not what was asked for
    start();
    assert_int_equal(boot.low_page, 0);
}

static void test_options_from_the_file(void **state)
{
    (void)state;
    set_content(
        "\xef\xbb\xbf# a comment = 1\n\n  window=100ms\t# more\r\n#\ntolerance=10ppm#x\r\n");
    start();
    assert_string_equal(boot.cmdline, "window=100ms tolerance=10ppm");
    assert_string_equal(boot.options_from, "hypertick.conf");
    assert_int_equal(boot.note_count, 0);
    setup(state);
    set_content("window=1\xc3\xbcs"); // an umlaut is no option, and must be seen
    start();
    assert_string_equal(boot.cmdline, "window=1??s");
    setup(state);
    set_content("");
    start();
    assert_string_equal(boot.cmdline, "");
}

static void test_options_from_both(void **state)
{
    static CHAR16 words[] = L"  hypertick.efi window=30ms ";

    (void)state;
    set_load_options(words, sizeof(words));
    start();
    assert_string_equal(boot.cmdline, "hypertick.efi window=30ms");
    assert_string_equal(boot.options_from, "the load options");
    setup(state);
    set_load_options(words, sizeof(words) - sizeof(CHAR16)); // without a NUL
    set_content("window=20ms # to the end");
    start();
    assert_string_equal(boot.cmdline, "window=20ms -- hypertick.efi window=30ms");
    assert_string_equal(boot.options_from, "hypertick.conf, then the load options");
    setup(state);
    words[0] = 0; // empty
    set_load_options(words, sizeof(words));
    set_content("window=20ms\n");
    start();
    assert_string_equal(boot.cmdline, "window=20ms");
    assert_string_equal(boot.options_from, "hypertick.conf");
}

static void test_load_options_that_are_no_text(void **state)
{
    static CHAR16 odd[] = L"window=30ms";
    static CHAR16 binary[] = {0x1234, 'a', 7, 0xffff};

    (void)state;
    set_load_options(odd, sizeof(odd) - 1);
    start();
    assert_string_equal(boot.cmdline, "");
    assert_int_equal(boot.note_count, 1);
    setup(state);
    set_load_options(binary, sizeof(binary));
    start();
    assert_string_equal(boot.cmdline, "");
    assert_int_equal(boot.note_count, 1);
    assert_string_equal(boot.options_from, "");
}

static void test_options_that_are_too_long(void **state)
{
    static char content[FILE_MAX + 4096];

    (void)state;
    memset(content, 'x', sizeof(content) - 1);
    set_content(content);
    start();
    assert_int_equal(strlen(boot.cmdline), BOOT_CMDLINE_MAX - 1);
    assert_int_equal(boot.note_count, 2); // the file is longer than is read, and the line than fits
    assert_int_equal(firmware.content_read, FILE_MAX);
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    firmware.no_volume = true;
    start();
    assert_string_equal(firmware.opened, "");
    assert_int_equal(boot.note_count, 0);
    setup(state);
    firmware.file = EFI_DEVICE_ERROR;
    start();
    assert_int_equal(boot.note_count, 1);
    setup(state);
    set_content("window=20ms");
    firmware.read = EFI_DEVICE_ERROR;
    start();
    assert_string_equal(boot.cmdline, "");
    assert_int_equal(boot.note_count, 1);
}

static void test_paths(void **state)
{
    static CHAR16 longest[PATH_MAX + 10];

    (void)state;
    set_path(L"hypertick.efi", sizeof(L"hypertick.efi"));
    start();
    assert_string_equal(firmware.opened, "hypertick.conf");
    setup(state);
    set_path(L"\\a", sizeof(L"\\a"));
    put_node(MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, L"b\\c.efi", sizeof(L"b\\c.efi"));
    start();
    assert_string_equal(firmware.opened, "\\a\\b\\hypertick.conf");
    for (size_t i = 0; i < ARRAY_SIZE(longest); i++)
        longest[i] = 'x';
    setup(state);
    set_path(longest, sizeof(longest));
    start();
    assert_string_equal(firmware.opened, "");
    assert_int_equal(boot.note_count, 1);
    setup(state);
    program.FilePath = NULL;
    start();
    assert_int_equal(boot.note_count, 1);
    setup(state);
    path_nodes[2] = 0; // a node of no length
    start();
    assert_int_equal(boot.note_count, 1);
}

static void test_framebuffers(void **state)
{
    (void)state;
    start();
    assert_int_equal(boot.framebuffer.address, 0x80000000);
    assert_int_equal(boot.framebuffer.pitch, 4096);
    assert_int_equal(boot.framebuffer.width, 800);
    assert_int_equal(boot.framebuffer.height, 600);
    assert_int_equal(boot.framebuffer.bits, 32);
    assert_int_equal(boot.framebuffer.red.position, 16);
    assert_int_equal(boot.framebuffer.blue.position, 0);
    assert_int_equal(boot.framebuffer.green.size, 8);
    setup(state);
    mode_info.PixelFormat = PixelRedGreenBlueReserved8BitPerColor;
    start();
    assert_int_equal(boot.framebuffer.red.position, 0);
    assert_int_equal(boot.framebuffer.blue.position, 16);
    setup(state);
    mode_info.PixelFormat = PixelBitMask;
    mode_info.PixelInformation = (EFI_PIXEL_BITMASK){0xf800, 0x07e0, 0x001f, 0};
    start();
    assert_int_equal(boot.framebuffer.bits, 16);
    assert_int_equal(boot.framebuffer.pitch, 2048);
    assert_int_equal(boot.framebuffer.green.position, 5);
    assert_int_equal(boot.framebuffer.green.size, 6);
}

static void test_no_framebuffer(void **state)
{
    static const EFI_PIXEL_BITMASK broken[] = {
        {0, 0, 0, 0}, {0xf0f0, 0xf, 0xf00, 0}, {0xff, 0xff00, 0, 0}};

    (void)state;
    for (unsigned i = 0; i < 6 + ARRAY_SIZE(broken); i++) {
        setup(state);
        if (i == 0)
            firmware.graphics = EFI_NOT_FOUND;
        else if (i == 1)
            mode_info.PixelFormat = PixelBltOnly;
        else if (i == 2)
            mode.FrameBufferBase = 0;
        else if (i == 3)
            mode_info.PixelsPerScanLine = 0x80000000;
        else if (i == 4)
            mode.Info = NULL;
        else if (i == 5)
            screen.Mode = NULL;
        else
            mode_info.PixelFormat = PixelBitMask;
        if (i >= 6)
            mode_info.PixelInformation = broken[i - 6];
        start();
        assert_int_equal(boot.framebuffer.address, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_usual_machine, setup),
        cmocka_unit_test_setup(test_older_tables, setup),
        cmocka_unit_test_setup(test_changed_map, setup),
        cmocka_unit_test_setup(test_errors, setup),
        cmocka_unit_test_setup(test_lying_map, setup),
        cmocka_unit_test_setup(test_no_low_memory, setup),
        cmocka_unit_test_setup(test_options_from_the_file, setup),
        cmocka_unit_test_setup(test_options_from_both, setup),
        cmocka_unit_test_setup(test_load_options_that_are_no_text, setup),
        cmocka_unit_test_setup(test_options_that_are_too_long, setup),
        cmocka_unit_test_setup(test_files_that_cannot_be_read, setup),
        cmocka_unit_test_setup(test_paths, setup),
        cmocka_unit_test_setup(test_framebuffers, setup),
        cmocka_unit_test_setup(test_no_framebuffer, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
