#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/cpu_rate.h"

#define MHZ 1000000000u // in millihertz

static void test_models(void **state)
{
    (void)state;
    assert_int_equal(cpu_model_of(0x000906ea).family, 6); // Coffee Lake
    assert_int_equal(cpu_model_of(0x000906ea).model, 0x9e);
    assert_int_equal(cpu_model_of(0x00000f49).family, 15); // Pentium 4
    assert_int_equal(cpu_model_of(0x00000f49).model, 4);
    assert_int_equal(cpu_model_of(0x00800f12).family, 0x17); // Zen
    assert_int_equal(cpu_model_of(0x00800f12).model, 1);
    assert_int_equal(cpu_model_of(0x00000543).family, 5); // no extension in other families
    assert_int_equal(cpu_model_of(0x000f0543).model, 4);
}

// The bus clock of an Intel model in millihertz for a value of its MSR.
static uint64_t bus(unsigned family, unsigned model, uint64_t value)
{
    struct intel_clocks clocks = intel_clocks_of((struct cpu_model){family, model});

    return intel_bus_millihertz(&clocks, value);
}

static uint32_t ratio(unsigned family, unsigned model, uint64_t value)
{
    struct intel_clocks clocks = intel_clocks_of((struct cpu_model){family, model});

    return intel_ratio(&clocks, value);
}

static void test_intel_bus(void **state)
{
    (void)state;
    assert_int_equal(bus(6, 0x17, 0), 266666666667); // Core 2
    assert_int_equal(bus(6, 0x17, 1), 133333333333);
    assert_int_equal(bus(6, 0x17, 2), 200 * (uint64_t)MHZ);
    assert_int_equal(bus(6, 0x0f, 3), 166666666667);
    assert_int_equal(bus(6, 0x0f, 4), 333333333333);
    assert_int_equal(bus(6, 0x0e, 5), 100 * (uint64_t)MHZ);
    assert_int_equal(bus(6, 0x1d, 6), 400 * (uint64_t)MHZ);
    assert_int_equal(bus(6, 0x1d, 7), 0);
    assert_int_equal(bus(6, 0x1d, 0xfff8 | 6), 400 * (uint64_t)MHZ); // other bits do not count
    assert_int_equal(bus(6, 0x2c, 77), 133333333333);                // Westmere: one for all
    assert_int_equal(bus(6, 0x9e, 77), 100 * (uint64_t)MHZ);         // Coffee Lake
    assert_int_equal(bus(6, 0x27, 5), 99840000000);                  // Penwell
    assert_int_equal(bus(6, 0x27, 7), 83200000000);
    assert_int_equal(bus(6, 0x27, 1), 0);
    assert_int_equal(bus(6, 0x35, 1), 133200000000);
    assert_int_equal(bus(6, 0x37, 0), 83333333333); // Bay Trail
    assert_int_equal(bus(6, 0x37, 3), 116666666667);
    assert_int_equal(bus(6, 0x37, 4), 80 * (uint64_t)MHZ);
    assert_int_equal(bus(6, 0x37, 5), 0);
    assert_int_equal(bus(6, 0x4a, 1), 100 * (uint64_t)MHZ);
    assert_int_equal(bus(6, 0x4c, 5), 93333333333); // Cherry Trail
    assert_int_equal(bus(6, 0x4c, 7), 88888888889);
    assert_int_equal(bus(6, 0x4c, 8), 87500000000);
    assert_int_equal(bus(6, 0x4c, 9), 0);
    assert_int_equal(bus(6, 0x5a, 3), 100 * (uint64_t)MHZ);
    assert_int_equal(bus(6, 0x75, 9), 78 * (uint64_t)MHZ);
    assert_int_equal(bus(15, 4, 2 << 16), 200 * (uint64_t)MHZ); // Pentium 4
    assert_int_equal(bus(15, 4, 4 << 16), 333333333333);
    assert_int_equal(bus(15, 4, 5 << 16), 0);
    assert_int_equal(bus(6, 0x1c, 1), 0); // nothing known
    assert_int_equal(bus(6, 0x0d, 1), 0);
    assert_int_equal(bus(5, 4, 1), 0);
}

static void test_intel_ratio(void **state)
{
    (void)state;
    assert_int_equal(ratio(6, 0x9e, 0x80041a0023ff1a00), 0x1a);
    assert_int_equal(ratio(6, 0x9e, 1u << 31), 0);            // KVM: bit 31 and nothing else
    assert_int_equal(ratio(6, 0x17, 0x00000a0000000600), 10); // the fields of Core are swapped
    assert_int_equal(ratio(6, 0x17, 0x0000060000000a00), 10);
    assert_int_equal(ratio(6, 0x27, 0xffffefffffffffff), 0x0f);
    assert_int_equal(ratio(15, 4, 0x11020000), 17);
    assert_int_equal(ratio(6, 0x1c, UINT64_MAX), 0);
    assert_int_equal(ratio(6, 0x0d, UINT64_MAX), 0);
}

static void check_pstate(unsigned family, uint64_t definition, uint64_t millihertz,
                         uint64_t granularity)
{
    uint64_t got = 1;

    assert_int_equal(amd_pstate_millihertz(family, definition | 1ull << 63, &got), millihertz);
    assert_int_equal(got, granularity);
    assert_int_equal(amd_pstate_millihertz(family, definition & ~(1ull << 63), &got), 0);
    assert_int_equal(got, 0);
}

static void test_amd_pstates(void **state)
{
    (void)state;
    check_pstate(0x10, 0x0e, 3000 * (uint64_t)MHZ, 100 * (uint64_t)MHZ); // Phenom II: 0x1e * 100
    check_pstate(0x10, 0x40 | 0x0e, 1500 * (uint64_t)MHZ, 50 * (uint64_t)MHZ);
    check_pstate(0x15, 0x16, 3800 * (uint64_t)MHZ, 100 * (uint64_t)MHZ);
    check_pstate(0x16, 5 << 6, 0, 0); // a divisor of 32 is reserved
    check_pstate(0x17, 8 << 8 | 0x88, 3400 * (uint64_t)MHZ, 25 * (uint64_t)MHZ);
    check_pstate(0x19, 9 << 8 | 0x80, 2844444444444, 22222222222);
    check_pstate(0x17, 7 << 8 | 0x88, 0, 0);
    check_pstate(0x17, 0x1b << 8 | 0x88, 0, 0); // odd, and above 0x1a
    check_pstate(0x17, 0x1c << 8 | 0x88, 971428571429, 7142857142);
    check_pstate(0x17, 0x2d << 8 | 0x88, 0, 0);
    check_pstate(0x17, 8 << 8 | 0x0f, 0, 0);
    check_pstate(0x1a, 0xfffff000 | 860, 4300 * (uint64_t)MHZ, 5 * (uint64_t)MHZ);
    check_pstate(0x11, 0x0e, 0, 0); // other formulas, not known here
    check_pstate(0x14, 0x0e, 0, 0);
    check_pstate(0x0f, 0x0e, 0, 0);
    check_pstate(0x1b, 0x0e, 0, 0);
}

static void check_brand(const char *text, uint64_t millihertz, uint64_t granularity)
{
    char brand[BRAND_SIZE + 1] = {0};
    uint64_t got = 1;

    strncpy(brand, text, BRAND_SIZE);
    assert_int_equal(brand_millihertz(brand, &got), millihertz);
    assert_int_equal(got, granularity);
}

static void test_brands(void **state)
{
    (void)state;
    check_brand("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 3700 * (uint64_t)MHZ,
                10 * (uint64_t)MHZ);
    check_brand("Intel(R) Pentium(R) 4 CPU 2400MHz", 2400 * (uint64_t)MHZ, MHZ);
    check_brand("AMD EPYC 7571", 0, 0);
    check_brand("1.5GHz 2.25GHz", 2250 * (uint64_t)MHZ, 10 * (uint64_t)MHZ); // the last one
    check_brand("123456789012345678901234567890123456789 2.5GHz", 2500 * (uint64_t)MHZ,
                100 * (uint64_t)MHZ);
    check_brand("1234567890123456789012345678901234567890123.5GHz", 0,
                0); // 48 bytes, too many digits
    check_brand("3GHz", 3000 * (uint64_t)MHZ, 1000 * (uint64_t)MHZ);
    check_brand("GHz", 0, 0);
    check_brand("@ GHz", 0, 0);
    check_brand("@ .GHz", 0, 0);
    check_brand("1.2.3GHz", 0, 0);
    check_brand("999999999GHz", 0, 0); // more than 64 bits of millihertz
    check_brand("0.00GHz", 0, 0);
    check_brand("2.6Ghz", 0, 0);
    check_brand("", 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),      cmocka_unit_test(test_intel_bus),
        cmocka_unit_test(test_intel_ratio), cmocka_unit_test(test_amd_pstates),
        cmocka_unit_test(test_brands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
