// The defects that emulators have been found with, each on a machine of its own: the report names
// the culprit, and nothing else. Facts and their sources are in docs/clocks.md, "Known defects".
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/sim/run.h"

static const char *const names[] = {
    "pit", "hpet", "pmtimer", "lapic", "rtc", "hyperv-refcount", "pvclock", "xen-time"};

// The clocks whose measurement has this status are `expected`, words with spaces between them.
static void expect_having(const char *status, const char *expected)
{
    char found[128] = "";
    struct record record;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!record_find(result.com2.bytes, "measurement", "clock", names[i], &record) ||
            !record_is(&record, "status", status))
            continue;
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", found[0] ? " " : "",
                 names[i]);
    }
    assert_string_equal(found, expected);
}

// Does the interval [low_key, high_key] of a record, in thousandths, hold this value?
static bool holds(struct record record, const char *low_key, const char *high_key, int64_t value)
{
    int64_t low, high;

    return record_thousandths(&record, low_key, &low) &&
           record_thousandths(&record, high_key, &high) && low <= value && value <= high;
}

static void expect_true_rate(int64_t hertz)
{
    assert_true(holds(find("measurement", "clock", "all"), "low_hz", "high_hz", hertz * 1000));
}

// The error of a claim lies between these bounds, in ppb, and is proven to.
static void expect_error(const char *source, int64_t least, int64_t most)
{
    struct record verdict = find("verdict", "source", source);

    expect(verdict, "verdict", "off");
    assert_true(number(verdict, "low_ppb") >= least && number(verdict, "high_ppb") <= most);
}

static bool notes(const char *words)
{
    return strstr(result.com2.bytes, words) != NULL;
}

static int64_t steps(void)
{
    return (int64_t)record_count(result.com2.bytes, "step");
}

// --- bhyve: a tick is cut to whole units of 2^-32 s

// The PM timer: 1199 instead of 1199.864, 720.6 ppm fast. Its own enclosure puts the TSC that much
// too low; the PIT and the HPET agree on the truth.
static void test_bhyve_pm_timer(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bhyve");

    config.options = "window=200ms precision=0";
    run(&config);
    expect_having("odd", "pmtimer");
    expect_having("ok", "pit hpet");
    expect_true_rate(SIM_TSC_HZ);
    assert_true(notes("pmtimer is the odd one out"));
    // (1 - 1 / 1.0007206) * 2596.13 MHz lower.
    assert_true(holds(find("measurement", "clock", "pmtimer"), "low_hz", "high_hz",
                      SIM_TSC_HZ * 1000000000LL / 1000721));
    assert_int_equal(steps(), 0);
    expect_end("pass");
}

// The PIT of the same tree: 3599 instead of 3599.59, 164.2 ppm fast, where the fact sheets differ:
// one has it at 1193182 Hz. Both are named rightly; with both defects three clocks tell three
// stories, and nothing is decided.
static void test_bhyve_pit(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bhyve");

    config.options = "window=200ms precision=0";
    config.pit.clock = sim_clock_of(1ull << 32, 3599);
    config.pm_timer.clock = sim_clock_of(3579545, 1);
    run(&config);
    expect_having("odd", "pit");
    expect_having("ok", "hpet pmtimer");
    expect_true_rate(SIM_TSC_HZ);
    config.pm_timer.clock = sim_clock_of(1ull << 32, 1199);
    run(&config);
    assert_true(notes("contradict each other"));
    expect_end("inconclusive");
    // The old HPET with a register of 10 MHz: 429 instead of 429.497, 1157.9 ppm fast.
    config = sim_machine("bhyve");
    config.options = "window=200ms precision=0";
    config.hpet.clock = sim_clock_of(1ull << 32, 429);
    config.hpet.period_fs = 100000000;
    config.pm_timer.clock = sim_clock_of(3579545, 1);
    run(&config);
    expect_having("odd", "hpet");
    expect_true_rate(SIM_TSC_HZ);
}

// --- VirtualBox: its devices run on one clock, which stops and then catches up

// The virtual clock stands for 1 ms and then runs at 1.05 until it has caught up. PIT, HPET and PM
// timer show it together, so the TSC cannot be told from them: but a break of that size is proven,
// and the true rate is not excluded by what was proven before it.
static void catch_up(struct sim_clock *clock, uint64_t at_ns)
{
    clock->events[0] = (struct sim_event){at_ns, SIM_RATE, 0};
    clock->events[1] = (struct sim_event){at_ns + 1000000, SIM_RATE, 1050000000};
    clock->events[2] = (struct sim_event){at_ns + 21000000, SIM_RATE, 1000000000};
    clock->event_count = 3;
}

static void test_catch_up_of_one_clock(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("virtualbox");

    config.options = "window=300ms precision=0";
    catch_up(&config.pm_timer.clock, 330000000);
    run(&config);
    assert_true(steps() > 0);
    for (const char *line = result.com2.bytes; (line = strstr(line, "\"record\":\"step\""));
         line++) {
        const char *clock = strstr(line, "\"clock\":\"");
        assert_non_null(clock);
        const char *end = strstr(clock, "\",");
        const char *pm = strstr(clock, "pmtimer");
        assert_true(pm && pm < end);
    }
    expect_true_rate(SIM_TSC_HZ);
}

// All of them at once, but not the LAPIC timer: it bears witness for the TSC.
static void test_catch_up_of_all_but_the_lapic(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("virtualbox");

    config.options = "window=300ms precision=0";
    catch_up(&config.pit.clock, 330000000);
    catch_up(&config.hpet.clock, 330000000);
    catch_up(&config.pm_timer.clock, 330000000);
    run(&config);
    // None of the three is linear in the TSC. They are named, and the TSC is not.
    expect_having("empty", "pit hpet pmtimer lapic");
    struct record step = find("step", "clock", "more than one clock");
    assert_in_range(number(step, "before_ns"), number(step, "after_ns"), 300000000);
    assert_true(number(step, "after_ns") > 0);
    assert_false(record_find(result.com2.bytes, "step", "clock", "tsc", &step));
    assert_non_null(strstr(find("end", NULL, NULL).line, "a step of more than one clock"));
    expect_end("fail");
}

// All run 5 to 100 % fast for the whole window, but the LAPIC timer, whose rate is claimed: the
// rates at which VirtualBox catches up, by how far it lags behind.
static void test_catch_up_throughout(void **state)
{
    (void)state;
    static const unsigned percent[] = {105, 110, 125, 150, 175, 200};
    struct sim_config config = sim_machine("virtualbox");
    struct sim_clock *const clocks[] = {&config.pit.clock, &config.hpet.clock,
                                        &config.pm_timer.clock};

    config.options = "window=100ms precision=0";
    for (size_t k = 0; k < ARRAY_SIZE(percent); k++) {
        for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
            clocks[i]->events[0] = (struct sim_event){0, SIM_RATE, percent[k] * 10000000};
            clocks[i]->event_count = 1;
        }
        run(&config);
        // They agree that the TSC is so much slower than it is, so the claim looks high, far more
        // than by a host's own error: and the LAPIC timer, which does not take part, looks as slow
        // as the TSC. What they share is named.
        int64_t off = (percent[k] - 100) * 10000000;
        expect_error("leaf-0x40000010", off - 1000000, off + 1000000);
        assert_true(holds(find("rate", "clock", "lapic"), "low_hz", "high_hz",
                          100000000000000 / percent[k]));
        expect_having("ok", "pit hpet pmtimer");
        assert_non_null(strstr(result.com1.bytes, "Time base: host-timebase"));
        assert_true(!notes("a host's own error"));
        expect_end("fail");
    }
    // One that does not catch up with them is the odd one.
    config.pm_timer.clock.event_count = 0;
    run(&config);
    expect_having("odd", "pmtimer");
}

// Its leaf states whole kHz, with what is below cut off: up to 1 kHz too low, and right.
static void test_kilohertz_that_are_cut(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("virtualbox");

    config.options = "window=100ms precision=0";
    config.tsc = sim_clock_of(SIM_TSC_HZ + 999, 1);
    run(&config);
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
    assert_int_equal(record_count(result.com2.bytes, "oddity"), 0);
    expect_end("pass");
}

// --- OUT of channel 2

// Always low (Hyper-V generation 1), always high (Cloud Hypervisor): the count is read, so neither
// matters.
static void test_out_2_that_never_toggles(void **state)
{
    (void)state;
    static const enum sim_out outs[] = {SIM_OUT_LOW, SIM_OUT_HIGH};

    for (size_t i = 0; i < ARRAY_SIZE(outs); i++) {
        struct sim_config config = sim_machine("kvm-invtsc");
        config.options = "window=50ms precision=0 clocks=pit";
        config.pit.out_2 = outs[i];
        run(&config);
        expect_having("ok", "pit");
        expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
        expect_end("pass");
    }
}

// A PIT that stands (AWS Nitro's is broken): said so, and the others measure.
static void test_pit_that_stands(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=50ms precision=0";
    config.pit.clock.fault = SIM_DEAD_ZEROS;
    run(&config);
    expect(find("clock", "clock", "pit"), "status", "stuck");
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
}

// Firmware ticks in place of a PIT (Alder Lake): 7.2 times slow, at any window.
static void test_pit_that_is_slow(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bare-amd");

    config.com2.present = true;
    config.options = "window=100ms precision=0";
    config.pit.clock = sim_clock_of(105000000 * 5ull, 88 * 36);
    run(&config);
    expect_having("odd", "pit");
    expect_true_rate(3400000000);
    config.options = "window=100ms precision=0 clocks=pit,pmtimer";
    run(&config);
    assert_true(notes("contradict each other"));
    expect_end("inconclusive");
}

// --- Leaves that describe another machine

// Bochs copies leaves 0x15 and 0x16 from hardware of 3.5 GHz, and its TSC counts instructions at
// 4 MHz: 875 times off.
static void test_bochs_leaves(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bochs");

    config.options = "window=200ms precision=0";
    config.tsc = sim_clock_of(4000000, 1);
    run(&config);
    expect_true_rate(4000000);
    // 24 MHz * 292 / 2 = 3504 MHz, 876 times 4 MHz; 3500 MHz are 875 times.
    expect_error("leaf-0x15", 874990000000, 875010000000);
    expect_error("leaf-0x16", 873990000000, 874010000000);
    expect_having("odd", "");
    expect_end("pass"); // nominal claims inform
}

// A leaf 0x15 of the host under TSC scaling: 2.8 times off. The timing leaf is right.
static void test_leaked_leaf_15(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=50ms precision=0";
    sim_set_cpu(&config, sim_cpu_intel, 0x16);
    sim_cpuid_set(&config, 0x15, 2, 176, 25000000, 0); // 2200 MHz
    sim_cpuid_sign(&config, 0x40000000, 0x40000010, "KVMKVMKVM\0\0");
    sim_cpuid_set(&config, 0x40000010, 785714, 1000000, 0, 0);
    config.tsc = sim_clock_of(785714000, 1);
    config.paravirt.pvclock.present = config.paravirt.backdoor.gethz = false;
    run(&config);
    expect_error("leaf-0x15", 1799000000, 1801000000);
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
    expect_having("odd", "");
    expect_end("pass");
}

// A host whose tsc_khz is 40 ppm off, its NTP correcting: within tolerance, and explained.
static void test_host_error_is_explained(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=100ms precision=0";
    config.tsc.error_ppb = 30000;
    run(&config);
    expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
    assert_true(notes("tsc_khz"));
    // Not on hardware, where there is no host.
    config = sim_machine("bare-amd");
    config.com2.present = true;
    config.options = "window=100ms precision=0";
    sim_cpuid_set(&config, 0x15, 2, 272, 25000000, 0);
    config.tsc.error_ppb = 30000;
    run(&config);
    assert_true(!notes("tsc_khz"));
}

// WSL2: claims that are right, and a reference that runs 7 % fast. Alone it cannot be told from
// claims that are 7 % high, and the report blames no claim's source in its stead: they agree with
// each other. Beside two others it is the odd one.
static void test_reference_of_the_host_that_is_fast(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("hyper-v-gen2");

    config.com2.present = true;
    config.options = "window=100ms precision=0";
    config.refcount.error_ppb = 70000000;
    config.paravirt.tsc_page.scale = 71054777972249277u;
    run(&config);
    expect_error("hyperv-msr", 69000000, 71000000);
    struct record pair = find("compare", NULL, NULL);
    assert_true(strstr(pair.line, "\"agree\":true") != NULL);
    assert_true(notes("Time base") || strstr(result.com1.bytes, "Time base: host-timebase"));
    config = sim_machine("hyper-v-gen1");
    config.com2.present = true;
    config.options = "window=100ms precision=0";
    config.refcount.error_ppb = 70000000;
    run(&config);
    expect_having("odd", "hyperv-refcount");
    expect(find("verdict", "source", "hyperv-msr"), "verdict", "ok");
    expect_true_rate(SIM_TSC_HZ);
}

// --- Machines whose clocks are few

// What is left names the TSC's rate all the same.
static void test_few_clocks(void **state)
{
    (void)state;
    static const struct {
        const char *machine, *vendor, *ok, *claim, *verdict, *absent;
    } rows[] = {
        {"crosvm", "KVM", "pit pmtimer lapic pvclock", "pvclock", "ok", "hpet"},
        {"acrn", "ACRN", "pit pmtimer", "leaf-0x40000010", "ok", "hpet"},
        {"jailhouse", "Jailhouse", "pmtimer", "jailhouse", "ok", "pit"},
        {"cloud-hypervisor", "KVM", "pmtimer lapic pvclock", "leaf-0x40000010", "ok", "pit"},
        {"firecracker", "KVM", "pit lapic pvclock", "pvclock", "ok", "pmtimer"},
        {"hyper-v-gen2", "Hyper-V", "hyperv-refcount", "hyperv-msr", "ok", "pit"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sim_config config = sim_machine(rows[i].machine);
        config.com2.present = true;
        config.options = "window=200ms precision=0";
        print_message("  %s\n", rows[i].machine);
        run(&config);
        expect(find("hypervisor", NULL, NULL), "vendor", rows[i].vendor);
        expect_having("ok", rows[i].ok);
        expect_having("odd", "");
        expect_true_rate(SIM_TSC_HZ);
        expect(find("verdict", "source", rows[i].claim), "verdict", rows[i].verdict);
        expect(find("clock", "clock", rows[i].absent), "status", "absent");
        assert_int_equal(steps(), 0);
    }
}

// --- HPET and PM timer

static void test_hpet_that_stops(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bare-amd");

    config.com2.present = true;
    config.options = "window=200ms precision=0";
    config.hpet.clock.events[0] = (struct sim_event){150000000, SIM_RATE, 0};
    config.hpet.clock.event_count = 1;
    run(&config);
    // Proven to be no line, and put on the HPET.
    assert_true(steps() > 0);
    assert_non_null(strstr(find("step", NULL, NULL).line, "hpet"));
    expect_true_rate(3400000000);
    assert_true(!notes("pmtimer is the odd"));
}

// Its register says 69.841 ns, and it runs 300 ppm slow.
static void test_hpet_period_that_lies(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("bare-amd");

    config.com2.present = true;
    config.options = "window=200ms precision=0";
    config.hpet.clock.error_ppb = -300000;
    run(&config);
    expect_having("odd", "hpet");
    expect_having("ok", "pit pmtimer rtc");
    expect_true_rate(3400000000);
    // A period that no HPET may have is refused.
    config.hpet.period_fs = 100000001;
    run(&config);
    expect(find("clock", "clock", "hpet"), "status", "absent");
    config.hpet.period_fs = 0;
    run(&config);
    expect(find("clock", "clock", "hpet"), "status", "absent");
}

// It wraps every 4.687 s: in a window, and during a stall that is longer than half of that.
static void test_pm_timer_that_wraps(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=6s precision=0 clocks=pmtimer";
    config.pm_timer.clock.start_ticks = 0xfff000;
    config.operations_max = 100000000;
    run(&config);
    assert_int_equal(number(find("measurement", "clock", "pmtimer"), "segments"), 1);
    expect_true_rate(SIM_TSC_HZ);
    assert_int_equal(steps(), 0);
    config.delays.stalls[0].at_ns = 1000000000;
    config.delays.stalls[0].length_ns = 3000000000u;
    config.delays.stall_count = 1;
    run(&config);
    // One more where the stall falls into a bracket.
    assert_in_range(number(find("measurement", "clock", "pmtimer"), "segments"), 2, 3);
    expect_true_rate(SIM_TSC_HZ);
    assert_int_equal(steps(), 0);
}

// "PM timers at double speed", which made Linux compare it with the PIT.
static void test_pm_timer_at_double_speed(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("qemu-tcg");

    config.options = "window=50ms precision=0";
    config.pm_timer.clock = sim_clock_of(2 * 3579545, 1);
    run(&config);
    expect_having("odd", "pmtimer");
    expect_true_rate(SIM_TSC_HZ);
}

// --- Bochs: a time base of whole microseconds, about as long as a reading takes

// The examination may see a fine clock, which then contradicts itself in the window. That is no
// step, and no change of its rate: one more step of its count explains it.
static void test_time_base_of_microseconds(void **state)
{
    (void)state;
    unsigned broken = 0;

    for (uint64_t seed = 1; seed <= 120; seed++) {
        struct sim_config config = sim_machine("bochs");
        uint64_t random = seed;
        config.seed = seed;
        config.com2.present = true;
        config.screen = false;
        config.options = "window=50ms precision=0 sections=none checks=off";
        if (seed % 2)
            config.tsc = sim_clock_of(2000000000, 1);
        config.pit.clock.quantum_ns = config.pm_timer.clock.quantum_ns = 1000;
        for (size_t i = 0; i < SIM_ACCESSES; i++) {
            uint32_t ns = (uint32_t)sim_random_range(&random, 150, 750);
            config.latency[i] = (struct sim_latency){ns, ns, seed & 2 ? 100 : 0};
        }
        run(&config);
        broken += steps() != 0;
        struct record end = find("end", NULL, NULL);
        assert_false(record_is(&end, "result", "fail"));
    }
    assert_in_range(broken, 0, 2); // one in four, were they taken for fine clocks
}

// --- Hyper-V's reference counter

// On KVM it is the TSC by KVM's own idea of its rate: 200 ppm off, it agrees with the claim, and
// has no vote.
static void test_reference_counter_of_kvm(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-hyper-v");

    config.options = "window=100ms precision=0";
    config.refcount = sim_clock_of(10000000, 1);
    config.refcount.error_ppb = 200000;
    run(&config);
    expect(find("clock", "clock", "hyperv-refcount"), "independence", "tsc-derived");
    expect_having("derived", "hyperv-refcount");
    expect_having("ok", "pit hpet pmtimer lapic pvclock");
    expect_true_rate(SIM_TSC_HZ);
    // Alone it proves nothing.
    config.options = "window=100ms precision=0 clocks=hyperv-refcount";
    run(&config);
    expect_end("inconclusive");
}

// All others that show Hyper-V's interface compute it from the TSC, too, VirtualBox 2366 ppm fast
// at this rate. QEMU can hide behind the signature, or show an unknown one.
static void test_reference_counters_of_others(void **state)
{
    (void)state;
    static const char *const machines[] = {"xen-viridian", "virtualbox-hyper-v",
                                           "cloud-hypervisor-hyper-v"};

    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        struct sim_config config = sim_machine(machines[i]);
        config.com2.present = true;
        config.options = "window=100ms precision=0";
        run(&config);
        expect_having("derived", "hyperv-refcount");
        expect_having("odd", "");
        expect_true_rate(SIM_TSC_HZ);
        expect(find("verdict", "source", "hyperv-msr"), "verdict", "ok");
        expect_end("pass");
    }
    struct sim_config config = sim_machine("hyper-v-gen1");
    config.options = "window=100ms precision=0";
    config.acpi.oem_id = "BOCHS ";
    config.fw_cfg.present = true;
    run(&config);
    expect_having("derived", "hyperv-refcount");
    config = sim_machine("hyper-v-gen1");
    config.options = "window=100ms precision=0";
    sim_cpuid_sign(&config, 0x40000000, 0x4000000b, "UnknownVMM4");
    run(&config);
    expect_having("derived", "hyperv-refcount");
}

// --- KVM's clock

// The host's own pairs, which the old MSR gives: they are a witness like the others, and the
// narrowest. Where KVM goes on deriving its clock from the TSC, they are none.
static void test_pairs_of_the_host(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("kvm-invtsc");

    config.options = "window=100ms precision=0";
    run(&config);
    expect_having("ok", "pit hpet pmtimer lapic pvclock");
    expect_true_rate(SIM_TSC_HZ);
    assert_int_equal(steps(), 0);
    config.pvclock.error_ppb = 200000;
    run(&config);
    expect_having("odd", "pvclock");
    expect_true_rate(SIM_TSC_HZ);
    config.pvclock_stable = true;
    run(&config);
    expect(find("clock", "clock", "pvclock"), "status", "disabled");
    expect(find("clock", "clock", "pvclock"), "independence", "tsc-derived");
    assert_true(notes("KVM derives it from the TSC"));
    expect_having("odd", "");
    expect_end("pass");
    // No feature bit: the MSR is not touched, and would raise #GP.
    sim_cpuid_set(&config, 0x40000001, 0x01007efa, 0, 0, 0);
    config.pvclock = sim_no_clock();
    run(&config);
    expect(find("clock", "clock", "pvclock"), "status", "absent");
}

// --- Xen's system time

static struct sim_config xen_with_pairs(void)
{
    struct sim_config config = sim_machine("xen-hvm");

    config.com2.present = true;
    config.options = "window=7s precision=0 clocks=xen-time,pmtimer,hpet";
    config.operations_max = 100000000;
    config.latency[SIM_PAUSE] = (struct sim_latency){20000, 20000, 0}; // fewer readings
    config.xen_pair_ns = 1000000000;
    config.xen_steered = true;
    sim_cpuid_set(&config, 0x40000003, 0, 0, SIM_TSC_HZ / 1000, 1); // the host's TSC: nothing known
    sim_cpuid_set(&config, 0x80000007, 0, 0, 0, 0);
    return config;
}

// Pairs that Xen set to its platform timer are a witness like the others.
static void test_pairs_of_xen(void **state)
{
    (void)state;
    struct sim_config config = xen_with_pairs();

    run(&config);
    expect(find("clock", "clock", "xen-time"), "status", "live");
    expect(find("clock", "clock", "xen-time"), "independence", "host-timebase");
    expect_having("ok", "hpet pmtimer xen-time");
    expect_true_rate(SIM_TSC_HZ);
    assert_in_range(number(find("measurement", "clock", "xen-time"), "samples"), 4, 7);
    assert_int_equal(steps(), 0);
    expect_end("pass");
    // A platform timer of another rate is found out.
    config.xen_platform.error_ppb = 200000;
    run(&config);
    expect_having("odd", "xen-time");
    expect_true_rate(SIM_TSC_HZ);
    // It may be all there is.
    config = xen_with_pairs();
    config.options = "window=7s precision=0 tolerance=100ppm clocks=xen-time";
    run(&config);
    expect_having("ok", "xen-time");
    expect_true_rate(SIM_TSC_HZ);
    expect_end("pass");
    config.options = "window=1s clocks=xen-time";
    run(&config);
    expect(find("clock", "clock", "xen-time"), "status", "slow");
    expect_end("inconclusive");
}

// Pairs on one line are the TSC, whatever the line says; and Xen may say so itself.
static void test_pairs_of_xen_that_are_none(void **state)
{
    (void)state;
    struct sim_config config = xen_with_pairs();

    config.xen_steered = false;
    run(&config);
    expect(find("clock", "clock", "xen-time"), "status", "disabled");
    expect(find("clock", "clock", "xen-time"), "reason",
           "of 7 new pairs, 7 only repeat the TSC: no witness");
    expect_having("ok", "hpet pmtimer");
    expect_end("pass");
    // With a multiplier of its own, but never behind its platform timer: system time is
    // extrapolated.
    config.xen_steered = true;
    config.xen_platform.error_ppb = -100000;
    run(&config);
    expect(find("clock", "clock", "xen-time"), "status", "disabled");
    // Xen wrote once, when the page was mapped.
    config = xen_with_pairs();
    config.xen_pair_ns = 0;
    run(&config);
    expect(find("clock", "clock", "xen-time"), "reason",
           "of 0 new pairs, 0 only repeat the TSC: no witness");
    static const struct {
        uint32_t time_eax, power_edx;
        uint8_t flags;
        const char *reason;
    } known[] = {
        {1, 0, 0, "it emulates the TSC: Xen's time is no witness of it"},
        {2, 0, 0, "the host's TSC is reliable: Xen's time is no witness of it"},
        {0, 0, 1, "the host's TSC is reliable: Xen's time is no witness of it"},
        {0, 0x100, 0, "the TSC is invariant: Xen's time is no witness of it"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        config = xen_with_pairs();
        config.options = "window=50ms";
        sim_cpuid_set(&config, 0x40000003, known[i].time_eax, 0, SIM_TSC_HZ / 1000, 1);
        sim_cpuid_set(&config, 0x80000007, 0, 0, 0, known[i].power_edx);
        config.paravirt.xen.flags = known[i].flags;
        run(&config);
        expect(find("clock", "clock", "xen-time"), "status", "disabled");
        expect(find("clock", "clock", "xen-time"), "independence", "tsc-derived");
        expect(find("clock", "clock", "xen-time"), "reason", known[i].reason);
    }
    // No page, no clock.
    config.paravirt.xen_result = -22;
    run(&config);
    expect(find("clock", "clock", "xen-time"), "status", "absent");
    config = sim_machine("kvm");
    config.options = "window=50ms";
    run(&config);
    expect(find("clock", "clock", "xen-time"), "reason", "no Xen leaves");
}

static void test_reference_counter_of_hyper_v(void **state)
{
    (void)state;
    struct sim_config config = sim_machine("hyper-v-gen2");

    config.com2.present = true;
    config.options = "window=100ms precision=0";
    run(&config);
    expect(find("clock", "clock", "hyperv-refcount"), "independence", "host-timebase");
    expect_having("ok", "hyperv-refcount");
    expect_true_rate(SIM_TSC_HZ);
    // Past its low half, every 429 s.
    config.refcount.start_ticks = 0xfffc0000;
    run(&config);
    expect_true_rate(SIM_TSC_HZ);
    assert_int_equal(steps(), 0);
    // Without the privilege it is not touched: the MSR would raise #GP.
    sim_cpuid_set(&config, 0x40000003, 0x2e7d, 0, 0, 0x1bed7b2);
    run(&config);
    expect(find("clock", "clock", "hyperv-refcount"), "status", "absent");
    expect_end("inconclusive");
    // With it, but the MSR raises #GP all the same.
    config = sim_machine("hyper-v-gen2");
    config.com2.present = true;
    config.options = "window=100ms precision=0";
    config.refcount = sim_no_clock();
    run(&config);
    expect(find("clock", "clock", "hyperv-refcount"), "status", "absent");
    assert_true(notes("raises #GP"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bhyve_pm_timer),
        cmocka_unit_test(test_bhyve_pit),
        cmocka_unit_test(test_catch_up_of_one_clock),
        cmocka_unit_test(test_catch_up_of_all_but_the_lapic),
        cmocka_unit_test(test_catch_up_throughout),
        cmocka_unit_test(test_kilohertz_that_are_cut),
        cmocka_unit_test(test_out_2_that_never_toggles),
        cmocka_unit_test(test_pit_that_stands),
        cmocka_unit_test(test_pit_that_is_slow),
        cmocka_unit_test(test_bochs_leaves),
        cmocka_unit_test(test_leaked_leaf_15),
        cmocka_unit_test(test_host_error_is_explained),
        cmocka_unit_test(test_reference_of_the_host_that_is_fast),
        cmocka_unit_test(test_few_clocks),
        cmocka_unit_test(test_hpet_that_stops),
        cmocka_unit_test(test_hpet_period_that_lies),
        cmocka_unit_test(test_pm_timer_that_wraps),
        cmocka_unit_test(test_pm_timer_at_double_speed),
        cmocka_unit_test(test_reference_counter_of_kvm),
        cmocka_unit_test(test_reference_counters_of_others),
        cmocka_unit_test(test_pairs_of_the_host),
        cmocka_unit_test(test_pairs_of_xen),
        cmocka_unit_test(test_pairs_of_xen_that_are_none),
        cmocka_unit_test(test_time_base_of_microseconds),
        cmocka_unit_test(test_reference_counter_of_hyper_v),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
