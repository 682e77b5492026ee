#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

static void write_item(const struct evidence_item *item)
{
    emit_record("evidence");
    record_string("source", item->source);
    record_string("finding", item->finding);
    record_string("points_to", item->points_to);
    emit_record_end();
    // CPUID's part of it stands right above.
    if (item->group != EVIDENCE_SIGNATURE || !item->points_to)
        emit_text("  %-14s %s%s%s\n", item->source, item->finding, item->points_to ? " -> " : "",
                  item->points_to ? item->points_to : "");
}

static const char *or_null(const char *string)
{
    return string[0] ? string : NULL;
}

void report_identity(const struct evidence *evidence)
{
    emit_text("\nWho runs this guest\n");
    for (size_t i = 0; i < evidence->count; i++)
        write_item(&evidence->items[i]);
    if (evidence->dropped)
        emit_note("warning", "%zu more pieces of evidence are not listed", evidence->dropped);
    emit_record("identity");
    record_string("conclusion", evidence->conclusion);
    record_string("confidence", confidence_word(evidence->confidence));
    record_string("hypervisor", evidence->hypervisor);
    record_string("platform", evidence->platform);
    record_string("against", or_null(evidence->against));
    record_string("impersonation", or_null(evidence->impersonation));
    emit_record_end();
    emit_text("  => %s; confidence %s\n", evidence->conclusion,
              confidence_word(evidence->confidence));
    if (evidence->against[0])
        emit_text("     but %s\n", evidence->against);
    if (evidence->impersonation[0])
        emit_text("     %s\n", evidence->impersonation);
}
