#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

// Compiled in here, since unit tests link lib/ alone.
#include "tools/scan/dump.c" // NOLINT(bugprone-suspicious-include)

static struct dump recording;
static struct cpuid_source source;

static bool line(const char *text)
{
    return dump_line(&recording, text, strlen(text));
}

// Reads lines, of which every one is accepted; the last one is followed by NULL.
static void read_lines(const char *const *text)
{
    dump_start(&recording);
    source = dump_source(&recording);
    for (; *text; text++)
        if (!line(*text))
            fail_msg("%s: %s", *text, recording.error);
}
#define lines(...) read_lines((const char *const[]){__VA_ARGS__})

static void expect_leaf(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
                        uint32_t edx)
{
    struct cpuid_words words = cpuid_read(&source, leaf, subleaf);

    assert_int_equal(words.eax, eax);
    assert_int_equal(words.ebx, ebx);
    assert_int_equal(words.ecx, ecx);
    assert_int_equal(words.edx, edx);
}

static void test_cpuid_r(void **state)
{
    (void)state;
    lines(
        "CPU 0:", "   0x00000000 0x00: eax=0x0000000d ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65",
        "   0x0000000d 0x3e: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004\r", NULL);
    assert_true(dump_end(&recording));
    assert_int_equal(recording.count, 2);
    assert_int_equal(recording.unknown, 1);
    expect_leaf(0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
    expect_leaf(0xd, 0x3e, 1, 2, 3, 4);
    assert_int_equal(recording.missing, 0);
}

static void test_instlatx64(void **state)
{
    (void)state;
    lines("------[ Logical CPU #0 ]------",
          "CPUID Registers:", "CPUID 00000000: 00000016-756E6547-6C65746E-49656E69 [GenuineIntel]",
          "CPUID 00000004: 1C004121-01C0003F-0000003F-00000000 [SL 00]",
          "CPUID 00000004: 1C004122-01C0003F-0000003F-00000001 [SL 01]",
          "CPUID 80000002: 65746E49-2952286C-726F4320-4D542865 [Intel(R) Core(TM]",
          "CPUID 0000000B   00000001-00000002-00000100-00000004 [SL 0A]", "MSR 00000017: 0000",
          NULL);
    assert_int_equal(recording.count, 5);
    assert_int_equal(recording.unknown, 3);
    expect_leaf(4, 1, 0x1c004122, 0x1c0003f, 0x3f, 1);
    expect_leaf(0xb, 0xa, 1, 2, 0x100, 4);
    expect_leaf(0x80000002, 0, 0x65746e49, 0x2952286c, 0x726f4320, 0x4d542865);
}

// The sub-leaves of dumps that do not number them.
static void test_unnumbered_subleaves(void **state)
{
    (void)state;
    lines("CPUID 00000000: 00000016-756E6547-6C65746E-49656E69",
          "CPUID 00000004: 1C004121-01C0003F-0000003F-00000000",
          "CPUID 00000004: 1C004122-01C0003F-0000003F-00000001",
          "CPUID 0000000B: 00000001-00000002-00000100-00000004 [SL 00]",
          "CPUID 0000000B: 00000004-00000008-00000201-00000004",
          "CPUID 40000000: 40000001-4B4D564B-564B4D56-0000004D",
          "CPUID 40000000: 40000001-4B4D564B-564B4D56-0000004D",
          "CPUID C0000000: C0000004-00000000-00000000-00000000",
          "CPUID 00000000: 00000001-00000000-00000000-00000000",
          "CPUID 00000000: 00000002-00000000-00000000-00000000", NULL);
    assert_int_equal(recording.count, 7);
    assert_int_equal(recording.others, 3); // 0x40000000 again, and the second CPU
    expect_leaf(4, 0, 0x1c004121, 0x1c0003f, 0x3f, 0);
    expect_leaf(4, 1, 0x1c004122, 0x1c0003f, 0x3f, 1);
    expect_leaf(0xb, 1, 4, 8, 0x201, 4);
    expect_leaf(0xc0000000, 0, 0xc0000004, 0, 0, 0);
    expect_leaf(0, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69);
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    lines("\xef\xbb\xbf"
          "0x0 0x0: eax=0x0000000d ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65",
          "\xef\xbb\xbf"
          "0x1 0x0: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004",
          NULL);
    assert_int_equal(recording.count, 1);
    assert_int_equal(recording.unknown, 1); // it is one at the beginning only
}

// A line too many of one leaf is no other CPU: what follows it counts.
static void test_leaf_again(void **state)
{
    (void)state;
    lines("0x0 0x0: eax=0x0000000d ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65",
          "0x1 0x0: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004",
          "0x1 0x0: eax=0x00000005 ebx=0x00000006 ecx=0x00000007 edx=0x00000008",
          "0x2 0x0: eax=0x00000009 ebx=0x0000000a ecx=0x0000000b edx=0x0000000c", NULL);
    assert_int_equal(recording.others, 1);
    expect_leaf(1, 0, 1, 2, 3, 4);
    expect_leaf(2, 0, 9, 10, 11, 12);
}

static void test_leaves_that_say_nothing(void **state)
{
    (void)state;
    lines("0x00000011 0x0: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
          "0x40000001 0x0: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000", NULL);
    assert_false(dump_end(&recording));
    assert_string_equal(recording.error, "expected leaf 0x0, 0x4000xx00 or 0x40000010; found none "
                                         "of them (cpuid needs -r)");
    static const uint32_t telling[] = {0, 0x40000000, 0x40000100, 0x40000010};
    for (size_t i = 0; i < ARRAY_SIZE(telling); i++) {
        char text[96];
        text_print(text, sizeof(text),
                   "0x%08x 0x0: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
                   telling[i]);
        lines(text, NULL);
        assert_true(dump_end(&recording));
    }
}

static void test_vmware_log(void **state)
{
    (void)state;
    static const char host[] =
        "vmx| hostCPUID level 00000000, 0: 0x0000000d 0x756e6547 0x6c65746e 0x49656e69";
    static const char guest[] = "Jun 28 23:41:17.988: vmx| guestCPUID level 00000001, 0: "
                                "0x000006d8 0x00010816 0x80000000 0x0fe9fbff";

    lines("vmx| guestCPUID vendor: GenuineIntel", host, guest, host, NULL);
    assert_int_equal(recording.count, 1); // the guest's, and not what the host has below it
    assert_int_equal(recording.others, 2);
    assert_int_equal(recording.unknown, 1);
    expect_leaf(1, 0, 0x6d8, 0x10816, 0x80000000, 0xfe9fbff);
    lines(host, NULL);
    expect_leaf(0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69);
    lines("vmx| guestCPUID level 40000010: 0x00200b20 0x000101d0 0x00000000 0x00000000",
          NULL); // older: no sub-leaf
    expect_leaf(0x40000010, 0, 2100000, 66000, 0, 0);
}

static void test_records(void **state)
{
    (void)state;
    lines("{\"record\":\"claim\",\"source\":\"leaf-0x15\"}", "# a comment", "",
          "{\"record\":\"leaf\",\"leaf\":\"0x40000010\",\"subleaf\":\"0x00000000\","
          "\"eax\":\"0x00279d22\",\"ebx\":\"0x000f4240\",\"ecx\":\"0x00000000\","
          "\"edx\":\"0x00000000\"}",
          "firmware says: {\"record\":\"leaf\",\"leaf\":\"0x40000100\",\"subleaf\":\"0x00000000\","
          "\"eax\":\"0x00000007\",\"ebx\":\"0x00000340\",\"ecx\":\"0x00000340\","
          "\"edx\":\"0x00000000\",\"count\":255,\"stride\":\"0x00000100\"}",
          NULL);
    assert_int_equal(recording.unknown, 0);
    expect_leaf(0x40000010, 0, 2596130, 1000000, 0, 0);
    expect_leaf(0x40000100, 0, 7, 0x340, 0x340, 0);
    expect_leaf(0x4000ff00, 0, 7, 0x340, 0x340, 0);
    assert_int_equal(recording.missing, 0);
    cpuid_read(&source, 0x40010000, 0);
    assert_int_equal(recording.missing, 1);
    // A leaf that changed while it was recorded: the first words count, and the dump goes on.
    lines("{\"record\":\"leaf\",\"leaf\":\"0x00000001\",\"subleaf\":\"0x00000000\",\"eax\":"
          "\"0x00000001\",\"ebx\":\"0x00000002\","
          "\"ecx\":\"0x00000003\",\"edx\":\"0x00000004\"}",
          "{\"record\":\"leaf\",\"leaf\":\"0x00000001\",\"subleaf\":\"0x00000000\",\"eax\":"
          "\"0x00000001\",\"ebx\":\"0x00000003\","
          "\"ecx\":\"0x00000003\",\"edx\":\"0x00000004\"}",
          "{\"record\":\"leaf\",\"leaf\":\"0x00000002\",\"subleaf\":\"0x00000000\",\"eax\":"
          "\"0x00000005\",\"ebx\":\"0x00000006\","
          "\"ecx\":\"0x00000007\",\"edx\":\"0x00000008\"}",
          NULL);
    expect_leaf(1, 0, 1, 2, 3, 4);
    expect_leaf(2, 0, 5, 6, 7, 8);
    assert_int_equal(recording.others, 1);
}

static void test_second_cpu(void **state)
{
    (void)state;
    lines("CPU 0:", "0x00000000 0x00: eax=0x00000001 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
          "0x00000001 0x00: eax=0x00000002 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
          "CPU 1:", "0x00000000 0x00: eax=0x00000003 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
          "0x00000005 0x00: eax=0x00000004 ebx=0x00000000 ecx=0x00000000 edx=0x00000000", NULL);
    assert_int_equal(recording.count, 2);
    assert_int_equal(recording.others, 2);
    expect_leaf(0, 0, 1, 0, 0, 0);
    expect_leaf(5, 0, 0, 0, 0, 0);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } bad[] = {
        {"0x00000000 0x00: eax=0x0000000d ebx=0x68747541 ecx=0x444d4163",
         "expected 0xLEAF 0xSUBLEAF: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x; found "
         "\"0x00000000 0x00: eax=0x0000000d ebx=0x68...\""},
        {"0x000000000 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000", NULL},
        {"0x0 0x0: eax=0x00000000 ebx=0x00000000 ecx=0xg edx=0x00000000", NULL},
        {"0x0 0x0: ebx=0x00000000 eax=0x00000000 ecx=0x00000000 edx=0x00000000", NULL},
        {"0x", NULL},
        {"CPUID 00000000: 00000016-756E6547-6C65746E",
         "expected CPUID LEAF: EAX-EBX-ECX-EDX, each 8 hex digits, and [SL SUBLEAF]; found "
         "\"CPUID 00000000: 00000016-756E6547-6C6574...\""},
        {"CPUID 00000000: 00000016-756E6547-6C65746E-49656E69 [SL x]", NULL},
        {"CPUID 0000000000: 00000016-756E6547-6C65746E-49656E69", NULL},
        {"guestCPUID level 00000001, 0: 0x0001067a 0x00010800 0x80080201", NULL},
        {"guestCPUID level 0000000x, 0: 0x00000000 0x00000000 0x00000000 0x00000000", NULL},
        {"hostCPUID level 00000001: 0x00000000 0x00000000 0x00000000 00000000", NULL},
        // A register that is cut off is another value.
        {"0x0 0x0: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x000", NULL},
        {"CPUID 00000000: 00000016-756E6547-6C65746E-49656E6", NULL},
        {"guestCPUID level 00000001, 0: 0x00000000 0x00000000 0x00000000 0x000", NULL},
        {"{\"record\":\"leaf\",\"leaf\":\"0x00000001\",\"subleaf\":\"0x00000000\",\"truncated\":"
         "true}",
         NULL},
        {"{\"record\":\"leaf\",\"leaf\":\"0x00000001\",\"subleaf\":\"0x00000000\",\"eax\":"
         "\"0x00000001\",\"ebx\":"
         "\"0x00000003\","
         "\"ecx\":\"0x00000003\",\"edx\":\"0x00000004\",\"count\":0,\"stride\":\"0x00000100\"}",
         NULL},
        {"{\"record\":\"leaf\",\"leaf\":\"0x00000001\",\"subleaf\":\"0x00000000\",\"eax\":1,"
         "\"ebx\":2,\"ecx\":3,"
         "\"edx\":4}",
         NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        dump_start(&recording);
        if (line(bad[i].line))
            fail_msg("accepted: %s", bad[i].line);
        assert_int_equal(recording.count, 0);
        assert_int_equal(recording.lines, 1);
        assert_memory_equal(recording.error, "expected ", 9);
        if (bad[i].error)
            assert_string_equal(recording.error, bad[i].error);
    }
}

static void test_unknown_lines(void **state)
{
    (void)state;
    lines("PV 0x00000002 00000000", "VM10 0x00000006", "CPUID", "CPUID vendor", "eax=0x00000000",
          "\t ", NULL);
    assert_int_equal(recording.unknown, 5);
    assert_false(dump_end(&recording));
    assert_string_equal(recording.error,
                        "expected lines of cpuid -r, InstLatx64, a vmware.log or leaf "
                        "records; found none in 6 lines");
}

static void test_too_many(void **state)
{
    (void)state;
    char text[96];

    dump_start(&recording);
    for (unsigned i = 0; i <= DUMP_LEAVES_MAX; i++) {
        text_print(text, sizeof(text),
                   "0x%x 0x0: eax=0x00000001 ebx=0x00000000 ecx=0x00000000 edx=0x00000000", i);
        assert_int_equal(line(text), i < DUMP_LEAVES_MAX);
    }
    assert_string_equal(recording.error, "expected at most 4096 leaves, and 131072 in runs; found "
                                         "\"0x1000 0x0: eax=0x00000001 ebx=0x0000000...\"");
}

// --- What a leaf that is missing is taken to be

#define BASIC    "0x0 0x0: eax=0x0000000d ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65"
#define ECHOED   "0xd 0x0: eax=0x00000007 ebx=0x00000340 ecx=0x00000340 edx=0x00000000"
#define ECHOED_1 "0xd 0x1: eax=0x00000005 ebx=0x000003c8 ecx=0x00000000 edx=0x00000000"
#define KVM      "0x40000000 0x0: eax=0x40000001 ebx=0x4b4d564b ecx=0x564b4d56 edx=0x0000004d"

static void test_missing_leaves(void **state)
{
    (void)state;
    // An excerpt: what it has is in range.
    lines("0x1 0x0: eax=0x00000001 ebx=0x00000000 ecx=0x80000000 edx=0x00000000",
          "0x00000015 0x0: eax=0x00000002 ebx=0x00000154 ecx=0x00000000 edx=0x00000000",
          "0x80000004 0x0: eax=0x00000001 ebx=0x00000002 ecx=0x00000003 edx=0x00000004", KVM, NULL);
    assert_true(dump_end(&recording));
    expect_leaf(0, 0, 0x15, 0, 0, 0);
    expect_leaf(0x80000000, 0, 0x80000004, 0, 0, 0);
    // Nothing is beyond the block: zeros.
    lines(BASIC, ECHOED, KVM, NULL);
    assert_true(dump_end(&recording));
    assert_false(recording.beyond_known);
    expect_leaf(0x4fffffff, 0, 0, 0, 0, 0);
    // An echo beyond it: of the sub-leaf that is asked for; zeros within the block.
    lines(BASIC, ECHOED, ECHOED_1, KVM,
          "0x40000002 0x0: eax=0x00000007 ebx=0x00000340 ecx=0x00000340 edx=0x00000000", NULL);
    assert_true(dump_end(&recording));
    assert_int_equal(recording.beyond_leaf, 0x40000002);
    expect_leaf(0x4fffffff, 0, 7, 0x340, 0x340, 0);
    expect_leaf(0x4fffffff, 1, 5, 0x3c8, 0, 0);
    expect_leaf(0x4fffffff, 2, 0, 0, 0, 0);
    expect_leaf(0x40000001, 0, 0, 0, 0, 0);
    expect_leaf(0x20000000, 0, 0, 0, 0, 0);
    // A clamp: the words of another leaf.
    lines(BASIC, "0x40000000 0x0: eax=0x40000000 ebx=0x00000001 ecx=0x00000002 edx=0x00000003",
          "0x40000010 0x0: eax=0x40000000 ebx=0x00000001 ecx=0x00000002 edx=0x00000003", NULL);
    assert_true(dump_end(&recording));
    expect_leaf(0x4fffffff, 0, 0x40000000, 1, 2, 3);
    // Somebody's data is no rule for others, even where its block is not to be seen.
    lines(BASIC, KVM, "0x40000083 0x0: eax=0x00000012 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
          NULL);
    assert_true(dump_end(&recording));
    expect_leaf(0x4fffffff, 0, 0, 0, 0, 0);
    // The higher leaf counts: KVM answers differently up to its max leaf.
    lines(BASIC, ECHOED, KVM,
          "0x40000002 0x0: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
          "0x40000100 0x0: eax=0x00000007 ebx=0x00000340 ecx=0x00000340 edx=0x00000000", NULL);
    assert_true(dump_end(&recording));
    expect_leaf(0x4fffffff, 0, 7, 0x340, 0x340, 0);
    assert_int_equal(recording.missing, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpuid_r),
        cmocka_unit_test(test_instlatx64),
        cmocka_unit_test(test_vmware_log),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_second_cpu),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_unknown_lines),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_missing_leaves),
        cmocka_unit_test(test_unnumbered_subleaves),
        cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_leaf_again),
        cmocka_unit_test(test_leaves_that_say_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
