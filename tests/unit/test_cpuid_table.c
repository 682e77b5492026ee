#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cpuid_table.h"

static const struct cpuid_entry table[] = {
    {0x7, 0, 1, 0, {1, 0, 0, 0}},
    {0x7, 1, 1, 0, {2, 0, 0, 0}},
    {0x40000000, 0, 4, 0x100, {3, 0, 0, 0}}, // up to 0x40000300
    {0x40000200, 0, 1, 0, {4, 0, 0, 0}},     // read again, with another answer
    {0xffffff00, 0, 1, 0, {5, 0, 0, 0}},
};

// EAX of the entry that is found, 0 where none is.
static uint32_t find(uint32_t leaf, uint32_t subleaf)
{
    const struct cpuid_words *words = cpuid_table_find(table, ARRAY_SIZE(table), leaf, subleaf);

    return words ? words->eax : 0;
}

static void test_leaf_and_subleaf(void **state)
{
    (void)state;
    assert_int_equal(find(0x7, 0), 1);
    assert_int_equal(find(0x7, 1), 2);
    assert_int_equal(find(0x7, 2), 0);
    assert_int_equal(find(0x6, 0), 0);
    assert_int_equal(find(0x8, 0), 0);
    assert_int_equal(find(0xffffff00, 0), 5);
    assert_null(cpuid_table_find(table, 0, 0x7, 0));
}

static void test_strides(void **state)
{
    (void)state;
    assert_int_equal(find(0x40000000, 0), 3);
    assert_int_equal(find(0x40000100, 0), 3);
    assert_int_equal(find(0x40000300, 0), 3);
    assert_int_equal(find(0x40000300, 1), 0);
    assert_int_equal(find(0x40000400, 0), 0);
    assert_int_equal(find(0x40000080, 0), 0);
    assert_int_equal(find(0x3fffff00, 0), 0);
}

static void test_the_first_answer_counts(void **state)
{
    (void)state;
    assert_int_equal(find(0x40000200, 0), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf_and_subleaf),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_the_first_answer_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
