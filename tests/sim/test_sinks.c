// The sinks: serial ports, PCI serial card, debug consoles, VGA and framebuffer, and what the
// report says about them.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/console/console.h"
#include "lib/font.h"
#include "tests/sim/machine.h"
#include "tests/sim/run.h"

static struct sim_config config;

static void start(const char *options)
{
    config = sim_default();
    config.options = options;
}

// The record of this sink.
static struct record sink(const char *name)
{
    return find("sink", "sink", name);
}

static void expect_sink(const char *name, const char *status, const char *gets, const char *where)
{
    expect(sink(name), "status", status);
    expect(sink(name), "gets", gets);
    expect(sink(name), "where", where);
}

// --- Serial ports

static void test_com3_and_com4(void **state)
{
    (void)state;
    start("window=5ms com3=text com4=json com1=tap");
    config.com3.present = config.com4.present = true;
    run(&config);
    expect_sink("com3", "open", "text", "port 0x3e8");
    expect_sink("com4", "open", "json", "port 0x2e8");
    assert_non_null(strstr(result.com3.bytes, "\nPASS: "));
    assert_string_equal(result.com4.bytes, result.com2.bytes);
    assert_memory_equal(result.com1.bytes, "TAP version 14", 14);
}

static void test_com_ports_that_are_not_there(void **state)
{
    (void)state;
    for (unsigned zeros = 0; zeros < 2; zeros++) {
        start("window=5ms com3=text com4=text");
        config.open_bus_zeros = zeros;
        run(&config);
        expect_sink("com3", "absent", "text", "no UART at 0x3e8");
        expect_sink("com4", "absent", "text", "no UART at 0x2e8");
        assert_non_null(strstr(result.com1.bytes, "com3      absent    no UART at 0x3e8"));
    }
}

static void test_com_ports_that_are_off_are_not_touched(void **state)
{
    (void)state;
    start("window=5ms");
    config.com3.present = config.com4.present = true;
    run(&config);
    expect_sink("com3", "off", "off", "");
    assert_int_equal(result.com3.length + result.com4.length, 0);
    assert_non_null(strstr(result.com1.bytes, " off       com3, com4, pciserial, debugcon\r\n"));
}

static void test_a_port_that_stops_is_told(void **state)
{
    (void)state;
    start("window=5ms");
    config.com1.stops_after = 300;
    run(&config);
    assert_non_null(strstr(find("note", "level", "warning").line, "com1 took no more bytes after"));
    expect_end("pass");
}

// --- PCI

static void add_card(void)
{
    config.pci.card = true;
    config.pci.interface = 2;
    config.pci.port = 0xc040;
    config.pci_serial.present = true;
}

static void test_pci_card(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        start("window=5ms pciserial=text");
        add_card();
        config.pci.bridged = i & 1;
        config.pci.decoding_off = i >> 1 & 1;
        config.pci.interface = i & 4 ? 6 : 2;
        run(&config);
        expect_sink("pciserial", "open", "text",
                    i & 1 ? "PCI 03:04.0, port 0xc040" : "PCI 00:04.0, port 0xc040");
        assert_non_null(strstr(result.pci_serial.bytes, "\nPASS: "));
    }
}

static void test_pci_card_in_place_of_com_ports(void **state)
{
    (void)state;
    start("window=5ms");
    add_card();
    run(&config); // the COM ports are there
    expect_sink("pciserial", "off", "off", "");
    assert_int_equal(result.pci_serial.length, 0);
    config.com1.present = config.com2.present = config.screen = false;
    config.debugcon = SIM_DEBUGCON_READABLE;
    run(&config);
    assert_non_null(strstr(result.pci_serial.bytes, "\nPASS: "));
    assert_int_equal(result.debugcon.length, 0); // the card is there
    config.options = "window=5ms pciserial=off";
    run(&config);
    assert_int_equal(result.pci_serial.length, 0);
    assert_non_null(strstr(result.debugcon.bytes, "\nPASS: "));
}

static void test_pci_cards_that_are_none(void **state)
{
    (void)state;
    start("window=5ms pciserial=text");
    run(&config);
    expect_sink("pciserial", "absent", "text", "no PCI serial card");
    config.pci.present = false;
    run(&config);
    expect_sink("pciserial", "absent", "text", "no PCI bus");
    start("window=5ms pciserial=text");
    add_card();
    config.pci.interface = 0; // an 8250
    run(&config);
    expect_sink("pciserial", "absent", "text", "no PCI serial card");
    start("window=5ms pciserial=text");
    add_card();
    config.pci.memory_bar = true;
    run(&config);
    expect_sink("pciserial", "absent", "text", "the card at 00:04.0 has no I/O port");
    start("window=5ms pciserial=text");
    add_card();
    config.pci.port = 0;
    run(&config);
    expect_sink("pciserial", "absent", "text", "the card at 00:04.0 has no I/O port");
    start("window=5ms pciserial=text");
    add_card();
    config.pci_serial.dead = true;
    config.pci.decoding_off = true;
    run(&config);
    expect_sink("pciserial", "absent", "text", "the card at 00:04.0 has no UART at 0xc040");
}

static void test_pci_bus_of_lies(void **state)
{
    (void)state;
    start("window=5ms pciserial=text");
    config.pci.lies = true;
    run(&config);
    expect_sink("pciserial", "absent", "text", "no PCI serial card");
    assert_in_range(result.operations, 1000, config.operations_max / 2);
}

// --- Debug consoles

static void test_debugcon_402(void **state)
{
    (void)state;
    start("window=5ms debugcon=text");
    config.debugcon_402 = true;
    run(&config);
    expect_sink("debugcon", "open", "text", "port 0x402");
    assert_non_null(strstr(result.debugcon.bytes, "\nPASS: "));
    config.debugcon = SIM_DEBUGCON_READABLE;
    run(&config);
    expect_sink("debugcon", "open", "text", "port 0xe9");
    config.debugcon = SIM_DEBUGCON_NONE;
    config.debugcon_402 = false;
    run(&config);
    expect_sink("debugcon", "absent", "text", "neither port 0xe9 nor 0x402 reads as 0xe9");
}

static void test_debugcon_alone(void **state)
{
    (void)state;
    start("window=5ms");
    config.debugcon_402 = true;
    config.com1.present = config.com2.present = config.screen = false;
    run(&config);
    assert_non_null(strstr(result.debugcon.bytes, "\nPASS: "));
    config.options = "window=5ms debugcon=off";
    run(&config);
    assert_int_equal(result.debugcon.length, 0);
}

static void test_xen_console(void **state)
{
    (void)state;
    config = sim_machine("xen-pvh");
    config.options = "window=5ms debugcon=text com2=json";
    config.com2.present = true;
    config.paravirt.xen_console = config.paravirt.xen.present = true;
    run(&config);
    expect_sink("debugcon", "open", "text", "Xen's console, by hypercall");
    assert_non_null(strstr(result.xen_console.bytes, "sinks "));
    assert_int_equal(result.debugcon.length, 0);
    // A guest that may not.
    config.paravirt.xen_console = false;
    run(&config);
    expect_sink("debugcon", "open", "text", "Xen, port 0xe9");
    assert_non_null(strstr(result.debugcon.bytes, "sinks "));
    assert_int_equal(result.xen_console.length, 0);
}

// --- Screens

#define ROWS_MAX    100
#define COLUMNS_MAX 240

static char lines[ROWS_MAX][COLUMNS_MAX + 1]; // of the framebuffer, trailing spaces dropped
static unsigned strange; // cells that hold no glyph, and pixels that have another colour

static bool pixel(uint32_t x, uint32_t y)
{
    const struct framebuffer *framebuffer = &config.framebuffer;
    unsigned bytes = (framebuffer->bits + 7u) / 8;
    uint32_t value = 0, white = 0;

    memcpy(&value, sim_framebuffer + (uint64_t)y * framebuffer->pitch + (uint64_t)x * bytes, bytes);
    white |= ((1u << framebuffer->red.size) - 1) << framebuffer->red.position;
    white |= ((1u << framebuffer->green.size) - 1) << framebuffer->green.position;
    white |= ((1u << framebuffer->blue.size) - 1) << framebuffer->blue.position;
    strange += value != 0 && value != white;
    return value != 0;
}

static char read_cell(unsigned row, unsigned column, unsigned scale)
{
    uint8_t cell[FONT_HEIGHT] = {0};

    for (unsigned y = 0; y < FONT_HEIGHT * scale; y++)
        for (unsigned x = 0; x < FONT_WIDTH * scale; x++)
            if (pixel(column * FONT_WIDTH * scale + x, row * FONT_HEIGHT * scale + y))
                cell[y / scale] |= 0x80 >> x / scale;
    for (unsigned character = FONT_FIRST; character <= FONT_LAST; character++)
        if (memcmp(font_glyph((uint8_t)character), cell, FONT_HEIGHT) == 0)
            return (char)character;
    strange++;
    return '?';
}

static void read_framebuffer(unsigned scale)
{
    unsigned columns = config.framebuffer.width / FONT_WIDTH / scale & ~1u;
    unsigned rows = config.framebuffer.height / FONT_HEIGHT / scale;

    strange = 0;
    memset(lines, 0, sizeof(lines));
    for (unsigned row = 0; row < rows && row < ROWS_MAX; row++) {
        for (unsigned column = 0; column < columns && column < COLUMNS_MAX; column++)
            lines[row][column] = read_cell(row, column, scale);
        for (unsigned end = columns; end > 0 && lines[row][end - 1] == ' '; end--)
            lines[row][end - 1] = '\0';
    }
}

static bool shows(const char *text)
{
    for (unsigned row = 0; row < ROWS_MAX; row++)
        if (strstr(lines[row], text))
            return true;
    return false;
}

static void add_framebuffer(uint32_t width, uint32_t height, uint8_t bits)
{
    unsigned bytes = (bits + 7u) / 8;

    config.framebuffer = (struct framebuffer){.address = 0xfd000000,
                                              .pitch = width * bytes,
                                              .width = width,
                                              .height = height,
                                              .bits = bits,
                                              .red = {16, 8},
                                              .green = {8, 8},
                                              .blue = {0, 8}};
    if (bits == 16) {
        config.framebuffer.red.position = 11;
        config.framebuffer.red.size = config.framebuffer.blue.size = 5;
        config.framebuffer.green.position = 5;
        config.framebuffer.green.size = 6;
    }
    if (bits == 15) {
        config.framebuffer.red.position = 10;
        config.framebuffer.red.size = config.framebuffer.blue.size = 5;
        config.framebuffer.green.position = 5;
        config.framebuffer.green.size = 5;
    }
}

static void test_framebuffer_of_every_depth(void **state)
{
    (void)state;
    static const uint8_t depths[] = {15, 16, 24, 32};
    char where[80];

    for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
        start("window=5ms");
        add_framebuffer(800, 600, depths[i]);
        config.framebuffer.pitch += 24 + i; // padding, of any length
        run(&config);
        snprintf(where, sizeof(where), "framebuffer 0xfd000000, 800x600, %u bits, 100 by 37 %s",
                 depths[i], "characters");
        expect_sink("screen", "open", "text", where);
        read_framebuffer(1);
        assert_int_equal(strange, 0);
        assert_true(shows("hypertick " HYPERTICK_VERSION
                          ", booted by multiboot1, 1 vCPU, 128 MiB: summary"));
        assert_true(shows("PASS: no rate is claimed"));
        assert_int_equal(result.screen[0], '\n'); // the VGA's text is not used
    }
}

static void test_framebuffer_of_many_pixels(void **state)
{
    (void)state;
    start("window=5ms");
    add_framebuffer(2400, 800, 16);
    run(&config);
    read_framebuffer(2); // 150 columns: 300 are too many
    assert_int_equal(strange, 0);
    assert_true(shows("PASS: "));
}

// Written by a test through the console itself.
static const char *script;
static struct platform platform;

static void write_script(const struct boot_info *boot)
{
    memset(&platform, 0, sizeof(platform));
    platform.boot = boot;
    platform.phys = &machine_phys;
    options_default(&platform.options);
    platform.options.com1 = platform.options.com2 = 0;
    platform.options.debugcon = platform.options.pciserial = 0;
    console_open(&platform);
    console_write(SINK_TEXT | SINK_PAGE, script, strlen(script));
}

static void show_script(const char *text)
{
    script = text;
    sim_run_guest(&config, write_script, &result);
    sim_print_violations(&result);
    assert_int_equal(result.violation_count, 0);
    if (config.framebuffer.address)
        read_framebuffer(1);
}

static void test_lines_wrap_between_words(void **state)
{
    (void)state;
    start("");
    show_script(
        "  one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen\nnext\n");
    assert_string_equal(result.screen + strlen(result.screen) - 22,
                        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
                        "\n\n\n\n\n\n");
    assert_memory_equal(result.screen,
                        "  one two three four five six seven eight nine ten eleven twelve "
                        "thirteen\n      fourteen fifteen\nnext\n",
                        strlen("  one two three four five six seven eight nine ten eleven twelve "
                               "thirteen\n      fourteen fifteen\nnext\n"));
    // A word that is longer than a row is broken; one that ends with the row is not moved.
    show_script("12345678901234567890123456789012345678901234567890123456789012345678901234567890"
                "more\n"
                "1234567890123456789012345678901234567890123456789012345678901234567 end of a "
                "row word");
    static const char broken[] =
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890\n"
        "    more\n"
        "1234567890123456789012345678901234567890123456789012345678901234567 end of a row\n"
        "    word\n";
    assert_memory_equal(result.screen, broken, strlen(broken));
}

static void test_scrolling(void **state)
{
    (void)state;
    static char text[4000];
    size_t length = 0;

    for (unsigned i = 1; i <= 60; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "line %u\n", i);
    start("");
    add_framebuffer(640, 400, 32); // 25 rows
    show_script(text);
    assert_int_equal(strange, 0);
    // All in order and the last one shown, and no more than half of the rows empty behind it.
    assert_memory_equal(lines[0], "line ", 5);
    unsigned shown = 0, first = (unsigned)strtoul(lines[0] + 5, NULL, 10);
    while (shown < 25 && lines[shown][0]) {
        char expected[16];
        snprintf(expected, sizeof(expected), "line %u", first + shown);
        assert_string_equal(lines[shown], expected);
        shown++;
    }
    assert_int_equal(first + shown - 1, 60);
    assert_in_range(shown, 13, 25);
    // The same on VGA.
    config.framebuffer.address = 0;
    show_script(text);
    assert_non_null(strstr(result.screen, "line 60\n"));
    assert_null(strstr(result.screen, "line 30\n"));
}

static void test_a_page_has_room(void **state)
{
    (void)state;
    static char text[4000];

    for (unsigned before = 0; before < 60; before += 7) {
        size_t length = 0;
        for (unsigned i = 1; i <= before; i++)
            length += (size_t)snprintf(text + length, sizeof(text) - length, "before\n");
        length += (size_t)snprintf(text + length, sizeof(text) - length, "\f");
        for (unsigned i = 1; i <= 25; i++)
            length += (size_t)snprintf(text + length, sizeof(text) - length, "page %u\n", i);
        start("");
        show_script(text);
        assert_memory_equal(result.screen, "page 1\npage 2\n", 14);
        assert_non_null(strstr(result.screen, "page 25\n"));
        add_framebuffer(800, 600, 32); // 37 rows
        show_script(text);
        assert_true(shows("page 1") && shows("page 25"));
        assert_int_equal(shows("before"), before != 0);
    }
}

static void test_characters_without_a_glyph(void **state)
{
    (void)state;
    start("");
    add_framebuffer(640, 400, 32);
    show_script("a\x01\xff z\tb");
    assert_int_equal(strange, 3);
    assert_string_equal(lines[0], "a?? z?b");
}

// --- The page

static unsigned lines_with(const char *text)
{
    unsigned count = 0;

    for (const char *at = result.screen; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void test_the_page_tells_each_claim(void **state)
{
    (void)state;
    config = sim_machine("kvm-invtsc");
    config.options = "window=20ms precision=0";
    config.screen = true;
    run(&config);
    assert_non_null(strstr(result.screen, "\nHypervisor  KVM; 0x40000000"));
    assert_int_equal(lines_with("\n  leaf-0x40000010  tsc   2596.130000"), 1);
    assert_int_equal(lines_with("\n  leaf-0x40000010  bus   1000.000000"), 1);
    assert_non_null(strstr(result.screen, "  ok\n"));
    assert_non_null(strstr(result.screen, "\nPASS: "));
    assert_non_null(strstr(result.screen, "(proven: "));
    // A claim that is far off.
    for (size_t i = 0; i < config.cpuid.count; i++)
        if (config.cpuid.entries[i].leaf == 0x40000010)
            config.cpuid.entries[i].words.eax *= 2;
    run(&config);
    // 10^6 ppm but for what the measurement is off.
    assert_true(strstr(result.screen, "  leaf-0x40000010  tsc   5192.260000  +10000") ||
                strstr(result.screen, "  leaf-0x40000010  tsc   5192.260000   +9999"));
    assert_non_null(strstr(result.screen, "  off\n"));
    assert_non_null(strstr(result.screen, "\nFAIL: "));
}

// All that a run may find wrong is there, shortened where it must be, and not scrolled away.
static void test_the_page_tells_what_is_wrong(void **state)
{
    (void)state;
    start("window=5ms wind=1 expect=vendor:Xen,boot:pvh,boot:multiboot1 com3=text "
          "tolerance=a-word-that-is-no-ratio-at-all skew=1 cpus=some");
    config.acpi.cpus = 2;
    config.com3.present = false;
    run(&config);
    assert_non_null(strstr(result.screen,
                           "\nOptions     window=5ms wind=1 expect=vendor:Xen,boot:pvh,"
                           "boot:multiboot1 com3...\n"));
    assert_non_null(strstr(result.screen, "\nvCPUs       2 of 2 are up; TSC offsets within "));
    assert_non_null(strstr(result.screen, "\nChecks      "));
    assert_non_null(strstr(result.screen, "\nExpected    vendor:Xen (is QEMU TCG), "
                                          "boot:pvh (is multiboot1)\n"));
    assert_non_null(strstr(result.screen, "\nerror: option \"wind=1\": expected key=value, "));
    assert_non_null(strstr(result.screen, "\nerror: option \"skew=1\": expected a duration "));
    assert_non_null(strstr(result.screen, "\nand 1 more errors and warnings\n"));
    assert_non_null(
        strstr(result.screen, "\nFAIL: 4 bad options; the first is \"wind=1\"; 2 more reasons"));
    // Without all that the page does not speak of it.
    start("");
    run(&config);
    for (const char *const *word =
             (const char *const[]){"Options", "vCPUs ", "Expected", "error:", NULL};
         *word; word++)
        assert_null(strstr(result.screen, *word));
}

// However much there is to tell, nothing of it has scrolled away.
static void test_the_fullest_page_fits(void **state)
{
    static const char *const options[] = {
        "window=5ms expect=vendor:Nobody,boot:pvh,boot:multiboot1",
        "window=5ms expect=vendor:Nobody,boot:pvh,boot:multiboot1 wrong a=b c=d e=f g=h "
        "debugcon=text com4=text tolerance=a-word-of-more-than-thirty-two-characters-that-is-wrong",
    };

    (void)state;
    for (size_t i = 0; i < 2 * sim_machine_count; i++) {
        config = sim_machines[i / 2].config();
        config.options = options[i % 2];
        config.com2.present = config.screen = true;
        config.acpi.cpus = 3;
        run(&config);
        if (strncmp(result.screen, "hypertick", 9) != 0 || !strstr(result.screen, "\nClaims ") ||
            !strstr(result.screen, "\nClocks "))
            fail_msg("%s:\n%s", sim_machines[i / 2].name, result.screen);
        assert_non_null(strstr(result.screen, "\nFAIL: "));
    }
}

// --- Framebuffers that are not used

static void expect_refusal(const char *reason)
{
    char text[160];

    run(&config);
    snprintf(text, sizeof(text), "screen: the framebuffer at 0x%llx is not used: %s",
             (unsigned long long)config.framebuffer.address, reason);
    expect(find("note", "text", text), "level", "warning");
    // The VGA's text is.
    expect(sink("screen"), "where", "VGA, 80 by 25 characters");
    assert_non_null(strstr(result.screen, "PASS: "));
}

static void good(void)
{
    start("window=5ms");
    add_framebuffer(800, 600, 32);
}

static void test_framebuffers_of_no_sense(void **state)
{
    (void)state;
    good();
    config.framebuffer.bits = 8;
    expect_refusal("its pixels have no 15, 16, 24 or 32 bits");
    good();
    config.framebuffer.width = 0;
    expect_refusal("its size makes no sense");
    good();
    config.framebuffer.height = 100000;
    expect_refusal("its size makes no sense");
    good();
    config.framebuffer.pitch = 800 * 4 - 1;
    expect_refusal("its pitch makes no sense");
    good();
    config.framebuffer.pitch = UINT32_MAX;
    expect_refusal("its pitch makes no sense");
    good();
    config.framebuffer.red.size = config.framebuffer.green.size = config.framebuffer.blue.size = 0;
    expect_refusal("its colours make no sense");
    good();
    config.framebuffer.bits = 16; // with masks of 24 bits
    expect_refusal("its colours make no sense");
}

static void test_framebuffers_where_none_can_be(void **state)
{
    (void)state;
    good();
    config.framebuffer.address = 0xa0000;
    config.framebuffer_missing = true;
    expect_refusal("its address makes no sense");
    good();
    config.framebuffer.address = UINT64_MAX - 0xfff;
    config.framebuffer_missing = true;
    expect_refusal("its address makes no sense");
    good();
    config.framebuffer.address = 0xfed00000;
    config.framebuffer_missing = true;
    expect_refusal("it lies where the chipset's devices are");
    good();
    config.framebuffer.address = 0xfeb00000; // reaches there
    config.framebuffer_missing = true;
    expect_refusal("it lies where the chipset's devices are");
    good();
    config.framebuffer.address = 0x4000000; // RAM
    expect_refusal("it lies in memory that is in use");
    good();
    config.framebuffer.address = 0x7ff8000; // ACPI's, at the end of RAM
    expect_refusal("it lies in memory that is in use");
    good();
    config.framebuffer.address = 0x7000000000; // nothing there is mapped
    config.framebuffer_missing = true;
    expect_refusal("it is not mapped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_com3_and_com4),
        cmocka_unit_test(test_com_ports_that_are_not_there),
        cmocka_unit_test(test_com_ports_that_are_off_are_not_touched),
        cmocka_unit_test(test_a_port_that_stops_is_told),
        cmocka_unit_test(test_pci_card),
        cmocka_unit_test(test_pci_card_in_place_of_com_ports),
        cmocka_unit_test(test_pci_cards_that_are_none),
        cmocka_unit_test(test_pci_bus_of_lies),
        cmocka_unit_test(test_debugcon_402),
        cmocka_unit_test(test_debugcon_alone),
        cmocka_unit_test(test_xen_console),
        cmocka_unit_test(test_framebuffer_of_every_depth),
        cmocka_unit_test(test_framebuffer_of_many_pixels),
        cmocka_unit_test(test_lines_wrap_between_words),
        cmocka_unit_test(test_scrolling),
        cmocka_unit_test(test_a_page_has_room),
        cmocka_unit_test(test_characters_without_a_glyph),
        cmocka_unit_test(test_the_page_tells_each_claim),
        cmocka_unit_test(test_the_page_tells_what_is_wrong),
        cmocka_unit_test(test_the_fullest_page_fits),
        cmocka_unit_test(test_framebuffers_of_no_sense),
        cmocka_unit_test(test_framebuffers_where_none_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
