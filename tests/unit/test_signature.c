#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/signature.h"
#include "lib/text.h"

// Register values as the sources of docs/scan.md give them, independent of the byte strings in the
// table.
static const struct {
    uint32_t ebx, ecx, edx;
    const char *vendor;
} registers[] = {
    {0x4b4d564b, 0x564b4d56, 0x0000004d, "KVM"},
    {0x756e694c, 0x564b2078, 0x7648204d, "KVM"},
    {0x7263694d, 0x666f736f, 0x76482074, "Hyper-V"},
    {0x7263694d, 0x666f736f, 0x53562074, "Hyper-V"},
    {0x61774d56, 0x4d566572, 0x65726177, "VMware"},
    {0x566e6558, 0x65584d4d, 0x4d4d566e, "Xen"},
    {0x76796862, 0x68622065, 0x20657679, "bhyve"},
    {0x56794842, 0x48422045, 0x20455679, "bhyve"},
    {0x54474354, 0x43544743, 0x47435447, "QEMU TCG"},
    {0x786f4256, 0x786f4256, 0x786f4256, "VirtualBox"},
    {0x70726c20, 0x68797065, 0x72762020, "Parallels"},
    {0x206c7270, 0x65707968, 0x20207672, "Parallels"},
    {0x6c727020, 0x70796820, 0x20767265, "Parallels"},
    {0x61726150, 0x6c656c6c, 0x00000073, "Parallels"},
    {0x48465648, 0x56484656, 0x46564846, "Apple HVF"},
    {0x6c707041, 0x5a562065, 0x00000000, "Apple VZ"},
    {0x6c707061, 0x76702d65, 0x756e782d, "Apple PV"},
    {0x4e524341, 0x4e524341, 0x4e524341, "ACRN"},
    {0x51584e51, 0x53424d56, 0x00004751, "QNX"},
    {0x584e5120, 0x424d5651, 0x20475153, "QNX"},
    {0x6c69614a, 0x73756f68, 0x00000065, "Jailhouse"},
    {0x4d584148, 0x4d584148, 0x4d584148, "HAXM"},
    {0x205f5f5f, 0x4d4d564e, 0x5f5f5f20, "NVMM"},
    {0x6e65704f, 0x56445342, 0x38354d4d, "OpenBSD vmm"},
    {0x4d564b4c, 0x4d564b4c, 0x4d564b4c, "kvmtool"},
    {0x4d4d5645, 0x4d4d5645, 0x4d4d5645, "Intel KGT"},
    {0x73696e55, 0x70537379, 0x34367261, "Unisys s-Par"},
    {0x53455253, 0x52534552, 0x45525345, "LMHS SRE"},
    {0x49584546, 0x49584546, 0x00554d45, "FEX-Emu"},
    {0x7263694d, 0x736f4b6f, 0x6572506d, "MicroKosm"},
};

static void test_registers(void **state)
{
    char bytes[12];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        const struct signature *found;
        signature_bytes(
            (struct cpuid_words){0x40000001, registers[i].ebx, registers[i].ecx, registers[i].edx},
            bytes);
        found = signature_find(bytes);
        if (!found) {
            fail_msg("the signature of %s is not known", registers[i].vendor);
            return;
        }
        assert_string_equal(found->vendor, registers[i].vendor);
    }
}

// A name is recognised by every byte that is compared: one that differs in any is another name.
static void test_all_bytes_count(void **state)
{
    char bytes[12];

    (void)state;
    for (size_t i = 0; i < signature_count; i++) {
        const struct signature *entry = &signature_table[i];
        assert_ptr_equal(signature_find(entry->bytes), entry);
        for (size_t j = 0; j < 12; j++) {
            memcpy(bytes, entry->bytes, 12);
            bytes[j] ^= 0x40;
            if (j < entry->compare)
                assert_null(signature_find(bytes));
            else
                assert_ptr_equal(signature_find(bytes), entry);
        }
    }
}

static void test_near_misses(void **state)
{
    (void)state;
    assert_null(signature_find("bhyve bhyve\0")); // what libcpuid looks for
    assert_null(signature_find(" lrpepyh vr\0")); // what LK looks for
    assert_null(signature_find("KVMKVMKVMKVM"));
    assert_null(signature_find("\0\0\0\0\0\0\0\0\0\0\0\0"));
    assert_string_equal(signature_find("QNXQVMBSQG\0\0")->vendor, "QNX");
    assert_string_equal(signature_find("QNXQVMBS????")->vendor, "QNX");
    assert_null(signature_find("QNXQVMBXQG\0\0"));
}

// expect=vendor: takes the name, and the same in lower case with dashes.
static void test_names_and_notes(void **state)
{
    const struct signature *tcg = signature_find("TCGTCGTCGTCG");
    const struct signature *hyper_v = signature_find("Microsoft Hv");

    (void)state;
    assert_true(signature_is_vendor(tcg, "QEMU TCG"));
    assert_true(signature_is_vendor(tcg, "qemu-tcg"));
    assert_true(signature_is_vendor(hyper_v, "Hyper-V"));
    assert_true(signature_is_vendor(hyper_v, "hyper-v"));
    assert_false(signature_is_vendor(tcg, "qemu"));
    assert_false(signature_is_vendor(tcg, "qemu-tcg2"));
    assert_false(signature_is_vendor(tcg, "qemu_tcg"));
    assert_false(signature_is_vendor(tcg, ""));
    for (size_t i = 0; i < signature_count; i++) {
        const struct signature *entry = &signature_table[i];
        assert_true(signature_is_vendor(entry, entry->vendor));
        assert_true(entry->compare == 12 || entry->compare == 8);
        if (entry->note) // a line of the report is at most 100 columns, 15 of them indented
            assert_in_range(text_length(entry->note), 1, 85);
    }
    assert_non_null(signature_find("Microsoft Hv")->note);
    assert_true(signature_find("Microsoft Hv")->shared);
    assert_false(signature_find("KVMKVMKVM\0\0\0")->shared);
}

static void test_ascii(void **state)
{
    char out[SIGNATURE_ASCII_SIZE];

    (void)state;
    signature_ascii("KVMKVMKVM\0\0\0", out);
    assert_string_equal(out, "KVMKVMKVM");
    signature_ascii("bhyve bhyve ", out);
    assert_string_equal(out, "bhyve bhyve ");
    signature_ascii("A\0B\x7f\xff\n\0\0\0\0\0\0", out);
    assert_string_equal(out, "A\\x00B\\x7f\\xff\\x0a");
    signature_ascii("\0\0\0\0\0\0\0\0\0\0\0\0", out);
    assert_string_equal(out, "");
    signature_ascii("\1\1\1\1\1\1\1\1\1\1\1\1", out);
    assert_int_equal(text_length(out), SIGNATURE_ASCII_SIZE - 1);
}

static void test_hex(void **state)
{
    char out[SIGNATURE_HEX_SIZE];

    (void)state;
    signature_hex("KVMKVMKVM\0\0\0", out);
    assert_string_equal(out, "4b564d4b564d4b564d000000");
    signature_hex("\xff\x0f\0\0\0\0\0\0\0\0\0\x80", out);
    assert_string_equal(out, "ff0f00000000000000000080");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers),   cmocka_unit_test(test_all_bytes_count),
        cmocka_unit_test(test_near_misses), cmocka_unit_test(test_names_and_notes),
        cmocka_unit_test(test_ascii),       cmocka_unit_test(test_hex),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
