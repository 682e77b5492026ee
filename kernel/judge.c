#include "kernel/judge.h"

#include "kernel/claims/claims.h"
#include "kernel/monitor.h"
#include "lib/span.h"
#include "lib/text.h"
#include "lib/wide.h"

// The most severe finding so far decides; of equally severe ones the first, and the others are
// counted.
static void __attribute__((format(printf, 3, 4)))
raise(struct judged *judged, enum outcome outcome, const char *format, ...)
{
    struct text text;
    __builtin_va_list arguments;

    judged->more += outcome == judged->outcome;
    if (outcome <= judged->outcome)
        return;
    judged->outcome = outcome;
    judged->more = 0;
    text_init(&text, judged->reason, sizeof(judged->reason));
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
}

static const struct judged_claim *find_claim(const struct judged *judged, const char *source,
                                             enum claim_clock clock)
{
    for (size_t i = 0; i < judged->claim_count; i++)
        if (judged->claims[i].claim->clock == clock &&
            text_equal(judged->claims[i].claim->source, source))
            return &judged->claims[i];
    return NULL;
}

static void actual_vendor(const struct scan *scan, struct judged_expectation *result)
{
    const struct signature *vendor = scan_vendor(scan);

    result->met = scan_has_vendor(scan, result->expectation->value) ||
                  (!scan->block_count && text_equal(result->expectation->value, "none"));
    text_print(result->actual, sizeof(result->actual), "%s",
               vendor              ? vendor->vendor
               : scan->block_count ? "unknown"
                                   : "none");
}

static void actual_tsc(const struct measurement *measurement, const struct options *options,
                       struct judged_expectation *expectation)
{
    char megahertz[DECIMAL_SIZE];

    if (!measurement->decided) {
        text_print(expectation->actual, sizeof(expectation->actual), "not measured");
        return;
    }
    struct judgement judgement = claim_judge(expectation->expectation->millihertz, 0,
                                             options->tolerance_ppb, measurement->all);
    expectation->met = judgement.verdict == VERDICT_OK;
    text_print(expectation->actual, sizeof(expectation->actual), "%s MHz",
               text_decimal(megahertz, measurement->all.estimate, 9, 6));
}

static bool is_source(const char *name)
{
    size_t i = 0;

    // What a file of kernel/claims/ states besides what it is named after.
    if (span_is_one_of(span_of(name), "vmware-call|xen-leaf-scale|xen-leaf-host"))
        return true;
    while (claim_table[i] && !text_equal(claim_table[i]->name, name))
        i++;
    return claim_table[i];
}

static void actual_claim(const struct judged *judged, struct judged_expectation *expectation)
{
    const char *source = expectation->expectation->subject;
    const struct judged_claim *claim = find_claim(judged, source, CLAIM_TSC);
    if (!claim)
        claim = find_claim(judged, source, CLAIM_BUS);
    const char *actual = claim               ? verdict_word(claim->judgement.verdict)
                         : is_source(source) ? "absent"
                                             : "no such source";

    expectation->met = text_equal(actual, expectation->expectation->value);
    text_print(expectation->actual, sizeof(expectation->actual), "%s", actual);
}

static void actual_clock(const struct measurement *measurement,
                         struct judged_expectation *expectation)
{
    text_print(expectation->actual, sizeof(expectation->actual), "no such clock");
    for (size_t i = 0; i < measurement->count; i++) {
        const struct clock_run *run = &measurement->clocks[i];
        if (!text_equal(run->clock->name, expectation->expectation->subject))
            continue;
        const char *actual = clock_status_word(run->status);
        expectation->met = text_equal(actual, expectation->expectation->value);
        text_print(expectation->actual, sizeof(expectation->actual), "%s", actual);
    }
}

static void actual_check(const struct audit *audit, struct judged_expectation *expectation)
{
    const struct check *check = audit_find(audit, expectation->expectation->subject);
    const char *actual = check ? check_result_word(check->result) : "checks=off";

    expectation->met = text_equal(actual, expectation->expectation->value);
    text_print(expectation->actual, sizeof(expectation->actual), "%s", actual);
}

static void judge_expectation(struct judged *judged, const struct platform *platform,
                              const struct measurement *measurement, const struct audit *audit,
                              const struct expectation *expectation)
{
    struct judged_expectation *result = &judged->expectations[judged->expectation_count++];

    *result = (struct judged_expectation){.expectation = expectation};
    switch (expectation->kind) {
    case EXPECT_VENDOR:
        actual_vendor(&platform->scan, result);
        break;
    case EXPECT_BOOT:
        text_print(result->actual, sizeof(result->actual), "%s",
                   boot_protocol_word(platform->boot->protocol));
        result->met = text_equal(result->actual, expectation->value);
        break;
    case EXPECT_TSC:
        actual_tsc(measurement, &platform->options, result);
        break;
    case EXPECT_CLAIM:
        actual_claim(judged, result);
        break;
    case EXPECT_CLOCK:
        actual_clock(measurement, result);
        break;
    case EXPECT_CHECK:
        actual_check(audit, result);
        break;
    }
    if (!result->met)
        raise(judged, OUTCOME_FAIL, "expected %s, found %s", expectation->text, result->actual);
}

static uint64_t magnitude(const struct judged_claim *claim)
{
    return ppb_size(claim->judgement.error_ppb);
}

static bool rate_changed(const struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->incident_count && i < INCIDENTS_MAX; i++)
        if (!measurement->incidents[i].is_step)
            return true;
    return false;
}

#define LONGEST_WINDOW_MS 86400000 // 24 h: docs/options.md

// The interval is too wide. It narrows as the window grows, so that a time can be named, with a
// quarter to spare, unless the claim is off by just what is allowed.
static void raise_wide(struct judged *judged, const struct judged_claim *claim,
                       const struct measurement *measurement, const char *key)
{
    const struct judgement *judgement = &claim->judgement;
    uint64_t error = magnitude(claim), allowed = judgement->allowed_ppb;
    uint64_t margin = error < allowed ? allowed - error : error - allowed;
    uint64_t half = (uint64_t)(judgement->high_ppb - judgement->low_ppb) / 2;
    char proven_ppm[DECIMAL_SIZE], allowed_ppm[DECIMAL_SIZE], window[48] = "";

    if (rate_changed(measurement)) {
        text_print(window, sizeof(window), "; the rate changed");
    } else if (margin && measurement->window_ns) {
        uint64_t ms = wide_mul_div_up(measurement->window_ns, half, margin) / 1000000;
        ms += ms / 4 + 1;
        if (ms < 1000)
            text_print(window, sizeof(window), "; try %s=%llums", key, (unsigned long long)ms);
        else if (ms <= LONGEST_WINDOW_MS)
            text_print(window, sizeof(window), "; try %s=%llus", key,
                       (unsigned long long)(ms + 999) / 1000);
    }
    raise(judged, OUTCOME_INCONCLUSIVE, "%s: proven +-%s ppm, allowed %s%s", claim->claim->source,
          text_decimal(proven_ppm, half, 3, half < 1000000 ? 3 : 0),
          text_decimal(allowed_ppm, allowed, 3, 3), window);
}

static void judge_claim(struct judged *judged, const struct claim *claims, size_t index,
                        const struct measurement *measurement, const struct monitor *monitor,
                        const struct options *options)
{
    const struct claim *claim = &claims[index];
    struct judged_claim *result = &judged->claims[judged->claim_count++];
    char ppm[DECIMAL_SIZE];

    result->claim = claim;
    result->judgement = measure_judge(measurement, claim, options->tolerance_ppb, &result->reason);
    if (monitor)
        monitor_judgement(monitor, index, &result->judgement, &result->reason);
    if (claim->nominal && !options->strict)
        return;
    if (result->judgement.verdict == VERDICT_OFF)
        raise(judged, OUTCOME_FAIL, "%s states a %s rate that is %s ppm off", claim->source,
              claim_clock_word(claim->clock),
              text_signed_decimal(ppm, result->judgement.error_ppb, 3, 3));
    // A bus claim that cannot be told (no clock but the LAPIC timer, or none that is narrow enough)
    // does not spoil what is proven about the TSC.
    if (result->judgement.verdict != VERDICT_INCONCLUSIVE || claim->clock != CLAIM_TSC)
        return;
    if (measurement->decided)
        raise_wide(judged, result, measurement, monitor ? "duration" : "window");
    else
        raise(judged, OUTCOME_INCONCLUSIVE, "%s: %s", claim->source, result->reason);
}

#define UNCLEAR "the TSC or the host's time of day stepped"

static void raise_step(struct judged *judged, const struct incident *incident)
{
    raise(judged, OUTCOME_FAIL, "a step of %s is proven",
          incident->tsc_possible && incident->clocks_possible ? "the TSC or of a reference clock"
          : incident->tsc_possible                            ? "the TSC"
          : incident->clocks_possible                         ? "a reference clock"
                                                              : "more than one clock");
}

static void judge_incidents(struct judged *judged, const struct measurement *measurement)
{
    for (size_t i = 0; i < measurement->incident_count && i < INCIDENTS_MAX; i++) {
        const struct incident *incident = &measurement->incidents[i];
        if (incident->wall_only && incident->tsc_possible)
            raise(judged, OUTCOME_INCONCLUSIVE, UNCLEAR);
        if (incident_is_grave(measurement, incident))
            raise_step(judged, incident);
    }
}

static void judge_checks(struct judged *judged, const struct audit *audit)
{
    for (size_t i = 0; i < audit->count; i++)
        if (audit->checks[i].result == CHECK_FAIL)
            raise(judged, OUTCOME_FAIL, "check %s failed", audit->checks[i].rule->id);
}

// The reason of a PASS: how right the claims are, or what was found where there is none.
static void explain_pass(struct judged *judged, const struct platform *platform,
                         const struct measurement *measurement)
{
    char megahertz[DECIMAL_SIZE], ppm[DECIMAL_SIZE], low[DECIMAL_SIZE], high[DECIMAL_SIZE];
    const struct judged_claim *worst = NULL;
    size_t count = 0;

    for (size_t i = 0; i < judged->claim_count; i++) {
        const struct judged_claim *claim = &judged->claims[i];
        if (claim->claim->nominal || claim->claim->clock != CLAIM_TSC)
            continue;
        count++;
        if (!worst || magnitude(claim) > magnitude(worst))
            worst = claim;
    }
    if (worst) {
        text_print(judged->reason, sizeof(judged->reason), "%s is %s ppm off (proven: %s to %s)%s",
                   worst->claim->source, text_signed_decimal(ppm, worst->judgement.error_ppb, 3, 3),
                   text_signed_decimal(low, worst->judgement.low_ppb, 3, 3),
                   text_signed_decimal(high, worst->judgement.high_ppb, 3, 3),
                   count > 1 ? ", no other claim more" : "");
        return;
    }
    text_decimal(megahertz, measurement->all.estimate, 9, 6);
    text_decimal(ppm, measurement->half_width_ppb, 3, 3);
    text_print(judged->reason, sizeof(judged->reason), "%s; the TSC runs at %s MHz, +-%s ppm",
               platform->scan.present || platform->scan.block_count ? "no rate is claimed"
                                                                    : "no hypervisor",
               megahertz, ppm);
}

void judge(struct judged *judged, const struct platform *platform, const struct claim *claims,
           size_t claim_count, const struct measurement *measurement, const struct monitor *monitor,
           const struct audit *audit)
{
    const struct options *options = &platform->options;

    judged->claim_count = judged->expectation_count = 0;
    judged->outcome = OUTCOME_PASS;
    judged->more = 0;
    if (options->error_count)
        raise(judged, OUTCOME_FAIL, "%zu bad option%s; the first is \"%s\"", options->error_count,
              options->error_count == 1 ? "" : "s", options->errors[0].word);
    if (!measurement->tsc_advances)
        raise(judged, OUTCOME_FAIL, "the TSC does not advance");
    if (!monitor)
        judge_incidents(judged, measurement);
    else if (monitor->grave.is_step)
        raise_step(judged, &monitor->grave);
    if (monitor && monitor->unclear)
        raise(judged, OUTCOME_INCONCLUSIVE, UNCLEAR);
    if (!measurement->decided)
        raise(judged, OUTCOME_INCONCLUSIVE, "%s", measurement->undecided);
    for (size_t i = 0; i < claim_count && judged->claim_count < CLAIMS_MAX; i++)
        if (claims[i].present && claims[i].clock != CLAIM_BCLK)
            judge_claim(judged, claims, i, measurement, monitor, options);
    for (size_t i = 0; i < options->expect_count; i++)
        judge_expectation(judged, platform, measurement, audit, &options->expect[i]);
    if (options->strict)
        judge_checks(judged, audit);
    if (judged->outcome == OUTCOME_PASS)
        explain_pass(judged, platform, measurement);
}

void judge_vcpus(struct judged *judged, const struct options *options, const struct smp *smp)
{
    for (size_t i = 0; i < smp->count; i++) {
        const struct vcpu *vcpu = &smp->vcpus[i];
        if (vcpu->status == VCPU_FAULTED)
            raise(judged, OUTCOME_FAIL, "vCPU %zu raised CPU exception %u", i, vcpu->fault_vector);
        if (vcpu->verdict == VERDICT_OFF)
            raise(judged, OUTCOME_FAIL, "vCPU %zu: %s", i, vcpu->reason);
        if (vcpu->claims == VCPU_CLAIMS_OFF)
            raise(judged, OUTCOME_FAIL, "vCPU %zu: %s states another rate than its TSC has", i,
                  vcpu_sources[vcpu->claims_source]);
        if (!options->strict)
            continue;
        if (vcpu->claims == VCPU_CLAIMS_MISSING || vcpu->claims == VCPU_CLAIMS_APART)
            raise(judged, OUTCOME_FAIL, "vCPU %zu: %s is not as on CPU 0", i,
                  vcpu_sources[vcpu->claims_source]);
        if (vcpu->status != VCPU_UP)
            raise(judged, OUTCOME_FAIL, "vCPU %zu is %s", i, vcpu_status_word(vcpu->status));
        if (vcpu->differences)
            raise(judged, OUTCOME_FAIL, "vCPU %zu differs from CPU 0", i);
        if (vcpu->verdict == VERDICT_INCONCLUSIVE)
            raise(judged, OUTCOME_INCONCLUSIVE, "vCPU %zu: %s", i, vcpu->reason);
    }
    if (smp->warped)
        raise(judged, OUTCOME_FAIL, "the TSC goes backwards from one vCPU to another");
}
