#include "kernel/report/emit.h"
#include "kernel/report/report.h"

static void record_check(const struct check *check, bool list)
{
    emit_record("check");
    record_string("id", check->rule->id);
    record_string("result", check_result_word(check->result));
    record_string("detail", check->detail);
    record_string("proposal", check->rule->proposal);
    if (list)
        record_string("rule", check->rule->explanation);
    emit_record_end();
}

// A failed check decides nothing unless strict=on, and TAP must then not call it a failure.
static void point(const struct check *check, bool strict)
{
    const char *skip = check->result == CHECK_SKIP              ? check->detail
                       : check->result == CHECK_FAIL && !strict ? "failed, for information"
                                                                : NULL;

    emit_point(check->result == CHECK_PASS, skip, "%s: %s", check->rule->id,
               check->rule->explanation);
    if (check->result != CHECK_SKIP)
        emit_diagnostic("%s", check->detail);
}

void report_checks(const struct check *checks, size_t count, bool list, bool strict)
{
    unsigned results[CHECK_SKIP + 1] = {0};

    for (size_t i = 0; i < count; i++)
        results[checks[i].result]++;
    emit_text("\nChecks of the CPUID conventions: %u passed, %u failed, %u skipped\n",
              results[CHECK_PASS], results[CHECK_FAIL], results[CHECK_SKIP]);
    for (size_t i = 0; i < count; i++) {
        const struct check *check = &checks[i];
        record_check(check, list);
        point(check, strict);
        if (check->result != CHECK_FAIL && !list)
            continue;
        emit_text("  %s  %s (%s)\n", check_result_word(check->result), check->rule->id,
                  check->rule->proposal);
        emit_wrapped("        rule:  ", check->rule->explanation);
        emit_wrapped("        found: ", check->detail);
    }
}

void report_audit(const struct audit *audit, bool list, bool strict)
{
    if (!audit->count)
        return;
    report_checks(audit->checks, audit->count, list, strict);
    emit_record("audit");
    record_u64("scan_cycles", audit->scan_cycles);
    record_u64("scan_executions", audit->scan_executions);
    record_u64("audit_cycles", audit->cycles);
    record_u64("audit_executions", audit->executions);
    emit_record_end();
}
