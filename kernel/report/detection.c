#include "kernel/cpuid_log.h"
#include "kernel/report/emit.h"
#include "kernel/report/report.h"

static void write_hypervisor(const struct scan *scan)
{
    const struct signature *vendor = scan_vendor(scan);
    char bytes[12], ascii[SIGNATURE_ASCII_SIZE], hex[SIGNATURE_HEX_SIZE];
    struct json *json = emit_record("hypervisor");

    signature_bytes(scan->first, bytes);
    signature_ascii(bytes, ascii);
    signature_hex(bytes, hex);
    json_bool(json, "present", scan->present);
    json_string(json, "vendor", vendor ? vendor->vendor : NULL);
    json_string(json, "signature", ascii);
    json_string(json, "signature_hex", hex);
    json_word(json, "max_leaf", scan->max_leaf);
    json_string(json, "interface", scan->interface_signature[0] ? scan->interface_signature : NULL);
    json_string(json, "cpu_vendor", scan->cpu_vendor);
    json_string(json, "out_of_range", cpuid_answer_word(scan->out_of_range));
    emit_record_end();

    emit_text("\nHypervisor: %s\n", vendor                  ? vendor->vendor
                                    : scan_main_block(scan) ? "unknown"
                                    : scan->present         ? "there, but it does not say which"
                                                            : "none");
    emit_text("  present bit  %s; the CPU is %s; leaves beyond every range give %s\n",
              scan->present ? "set" : "clear", scan->cpu_vendor,
              cpuid_answer_word(scan->out_of_range));
}

static void write_block(const struct block *block)
{
    char ascii[SIGNATURE_ASCII_SIZE], hex[SIGNATURE_HEX_SIZE];
    const char *name = block->known ? block->known->vendor : block->generic ? "generic" : "unknown";
    struct json *json = emit_record("block");

    signature_ascii(block->signature, ascii);
    signature_hex(block->signature, hex);
    json_string(json, "scan", scan_kind_word(block->scan));
    json_word(json, "base", block->base);
    json_string(json, "signature", ascii);
    json_string(json, "signature_hex", hex);
    json_word(json, "max_leaf", block->max_leaf);
    json_string(json, "known", block->known ? block->known->vendor : NULL);
    json_u64(json, "repeats", block->repeats);
    json_string(json, "note", block->note);
    emit_record_end();

    emit_text("  0x%08x   \"%s\", %s; max leaf 0x%08x\n", block->base, ascii, name,
              block->max_leaf);
    emit_text("               signature %s\n", hex);
    if (block->known && block->known->note)
        emit_text("               %s\n", block->known->note);
    if (block->note[0])
        emit_text("               %s\n", block->note);
    if (block->repeats)
        emit_text("               the same words at %u more bases: counted once\n", block->repeats);
}

static void write_finding(enum scan_kind kind, const struct scan_finding *finding)
{
    struct json *json = emit_record("scan");

    json_string(json, "scan", scan_kind_word(kind));
    json_bool(json, "ran", finding->ran);
    json_u64(json, "bases", finding->bases);
    json_u64(json, "found", finding->found);
    json_string(json, "text", finding->text);
    emit_record_end();
    if (finding->ran)
        emit_text("  %-11s  %s\n", scan_kind_word(kind), finding->text);
}

void report_detection(const struct platform *platform)
{
    const struct scan *scan = &platform->scan;

    write_hypervisor(scan);
    for (size_t i = 0; i < scan->block_count; i++)
        write_block(&scan->blocks[i]);
    for (unsigned kind = 0; kind < SCAN_KINDS; kind++)
        write_finding(kind, &scan->findings[kind]);
    if (scan->blocks_dropped)
        emit_note("warning", "%zu more blocks were found than can be listed", scan->blocks_dropped);
}

void report_leaves(void)
{
    size_t count;
    uint32_t dropped;
    const struct cpuid_entry *entries = cpuid_log_entries(&count, &dropped);

    for (size_t i = 0; i < count; i++) {
        struct json *json = emit_record("leaf");
        json_word(json, "leaf", entries[i].leaf);
        json_word(json, "subleaf", entries[i].subleaf);
        json_word(json, "eax", entries[i].words.eax);
        json_word(json, "ebx", entries[i].words.ebx);
        json_word(json, "ecx", entries[i].words.ecx);
        json_word(json, "edx", entries[i].words.edx);
        if (entries[i].count > 1) {
            json_u64(json, "count", entries[i].count);
            json_word(json, "stride", entries[i].stride);
        }
        emit_record_end();
    }
    if (dropped)
        emit_note("warning", "%u CPUID leaves were read but not recorded", dropped);
}

void report_scan_progress(unsigned done, unsigned total)
{
    if (done < total)
        emit_text("%s", done ? "." : "scanning 65536 vendor spaces ");
    else
        emit_text(". done\n");
}
