#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/hyperv_page.h"
#include "lib/pvclock.h"

static void check(uint32_t mul, int8_t shift, uint64_t millihertz, uint64_t granularity)
{
    uint64_t got;

    assert_int_equal(pvclock_millihertz(mul, shift, &got), millihertz);
    assert_int_equal(got, granularity);
}

static void test_rates(void **state)
{
    (void)state;
    // 1 GHz: 2^32 / 10^9 * 10^9 needs a mul of 2^32, so half of that, shifted by one.
    check(0x80000000, 1, 1000000000000, 466);
    // Measured under KVM, whose leaf says 2596130 kHz (QEMU 7.2, AMD EPYC): 0.78 Hz above it.
    check(0xc53774d1, -1, 2596130000779, 785);
    // EC2 under Xen 4.11: 2400010 and 2793296 kHz.
    check(0xd5551b14, -1, 2400010000211, 671);
    check(0xb74bc70a, -1, 2793296000311, 909);
    check(0, 0, 0, 0);
    check(1, -33, 0, 0);
    check(1, 32, 0, 0);
    check(0xffffffff, 31, 466, 1);
    check(1, -32, UINT64_MAX, 0); // saturates; UINT64_MAX + 1 wraps, and no such rate is accepted
}

static void test_copy(void **state)
{
    (void)state;
    struct pvclock_time page = {.version = 6, .mul = 7, .shift = -3, .flags = 1}, copy = {0};

    page.tsc_timestamp = 0xfffffffffb8be220; // "negative", as Xen writes it
    page.system_time = 12;
    assert_true(pvclock_copy(&page, &copy));
    assert_int_equal(copy.version, 6);
    assert_int_equal(copy.tsc_timestamp, 0xfffffffffb8be220);
    assert_int_equal(copy.system_time, 12);
    assert_int_equal(copy.mul, 7);
    assert_int_equal(copy.shift, -3);
    assert_int_equal(copy.flags, 1);
    page.version = 7; // being written, for ever
    assert_false(pvclock_copy(&page, &copy));
    page.version = 0; // never written
    assert_false(pvclock_copy(&page, &copy));
}

static void test_time(void **state)
{
    (void)state;
    // 1 GHz: a cycle is a nanosecond.
    struct pvclock_time time = {
        .tsc_timestamp = 1000, .system_time = 5000, .mul = 1u << 31, .shift = 1};

    assert_int_equal(pvclock_ns(&time, 1000), 5000);
    assert_int_equal(pvclock_ns(&time, 1234), 5234);
    assert_int_equal(pvclock_ns(&time, 900), 4900);
    assert_int_equal(pvclock_ns(&time, 1000 + (1ull << 62)), 5000 + (1ull << 62));
    time.tsc_timestamp = 0 - 100ull; // in between, the TSC wraps
    assert_int_equal(pvclock_ns(&time, 50), 5150);
    // 2 GHz, then 4 GHz by the shift.
    time = (struct pvclock_time){.mul = 1u << 31, .shift = 0};
    assert_int_equal(pvclock_ns(&time, 2001), 1000);
    assert_int_equal(pvclock_ns(&time, 0 - 2001ull), 0 - 1000ull);
    time.shift = -1;
    assert_int_equal(pvclock_ns(&time, 4000), 1000);
    // As KVM had it: 2596130000.78 Hz. A second, and a day.
    time = (struct pvclock_time){.mul = 0xc53774d1, .shift = -1};
    assert_int_equal(pvclock_ns(&time, 2596130001), 999999999);
    assert_int_equal(pvclock_ns(&time, 86400 * 2596130000ull), 86399999974087);
    // The extremes do not overflow on the way.
    time = (struct pvclock_time){.mul = UINT32_MAX, .shift = 31};
    assert_int_equal(pvclock_ns(&time, INT64_MAX),
                     (uint64_t)((((uint128)INT64_MAX << 31) * UINT32_MAX) >> 32));
    time.shift = -32;
    assert_int_equal(pvclock_ns(&time, INT64_MAX), 0x7ffffffe);
}

static void test_hyperv_page(void **state)
{
    (void)state;
    struct hyperv_page page = {.sequence = 3, .scale = 1ull << 60, .offset = -5}, copy = {0};
    uint64_t granularity;

    assert_true(hyperv_page_copy(&page, &copy));
    assert_int_equal(copy.scale, 1ull << 60);
    assert_int_equal(copy.offset, -5);
    page.sequence = 0;
    assert_false(hyperv_page_copy(&page, &copy));

    assert_int_equal(hyperv_page_millihertz(1ull << 60, &granularity), 160000000000);
    assert_int_equal(granularity, 1);
    // ACRN: scale = (10000 << 64) / kHz, here of 2304000 kHz.
    assert_int_equal(hyperv_page_millihertz(80063993375475484u, &granularity), 2304000000000);
    assert_int_equal(granularity, 1);
    assert_int_equal(hyperv_page_millihertz(0, &granularity), 0);
    assert_int_equal(hyperv_page_millihertz(1, &granularity), UINT64_MAX);
}

static void test_the_line_of_a_pair(void **state)
{
    (void)state;
    // 10^9 * 2^33 / mul = 2596130000.779 Hz
    struct pvclock_time pair = {
        .tsc_timestamp = 1000, .system_time = 5, .mul = 0xc53774d1, .shift = -1};

    assert_int_equal(pvclock_ns(&pair, 1000), 5);
    assert_int_equal(pvclock_ns(&pair, 1000 + 2596130002u), 1000000005);
    assert_int_equal(pvclock_ns(&pair, 1000 + 9346068002804ull), 3600000000005);
    pair.shift = 1;
    pair.mul = 0x80000000;
    assert_int_equal(pvclock_ns(&pair, 1007), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_hyperv_page),
        cmocka_unit_test(test_the_line_of_a_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
