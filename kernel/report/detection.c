#include "kernel/cpuid_log.h"
#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

static void write_hypervisor(const struct scan *scan)
{
    const struct signature *vendor = scan_vendor(scan);
    char bytes[12], ascii[SIGNATURE_ASCII_SIZE], hex[SIGNATURE_HEX_SIZE];
    char answer[SCAN_ANSWER_SIZE];
    emit_record("hypervisor");

    signature_bytes(scan->first, bytes);
    signature_ascii(bytes, ascii);
    signature_hex(bytes, hex);
    record_bool("present", scan->present);
    record_string("vendor", vendor ? vendor->vendor : NULL);
    record_string("signature", ascii);
    record_string("signature_hex", hex);
    record_word("max_leaf", scan->max_leaf);
    record_string("interface", scan->interface_signature[0] ? scan->interface_signature : NULL);
    record_string("cpu_vendor", scan->cpu_vendor);
    record_string("out_of_range", cpuid_answer_word(scan->out_of_range));
    emit_record_end();

    emit_text("\nHypervisor: %s\n", vendor                  ? vendor->vendor
                                    : scan_main_block(scan) ? "unknown"
                                    : scan->present         ? "there, but it does not say which"
                                                            : "none");
    emit_text("  present bit  %s; the CPU is %s; a leaf beyond every range %s\n",
              scan->present ? "set" : "clear", scan->cpu_vendor,
              scan_answer_text(scan, scan->out_of_range, answer));
}

static void write_block(const struct block *block)
{
    char ascii[SIGNATURE_ASCII_SIZE], hex[SIGNATURE_HEX_SIZE];
    const char *name = block->known ? block->known->vendor : block->generic ? "generic" : "unknown";
    emit_record("block");

    signature_ascii(block->signature, ascii);
    signature_hex(block->signature, hex);
    record_string("scan", scan_kind_word(block->scan));
    record_word("base", block->base);
    record_string("signature", ascii);
    record_string("signature_hex", hex);
    record_word("max_leaf", block->max_leaf);
    record_string("known", block->known ? block->known->vendor : NULL);
    record_u64("repeats", block->repeats);
    record_string("note", block->note);
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
    char prefix[16];
    emit_record("scan");

    record_string("scan", scan_kind_word(kind));
    record_bool("ran", finding->ran);
    record_u64("bases", finding->bases);
    record_u64("found", finding->found);
    record_string("text", finding->text);
    emit_record_end();
    text_print(prefix, sizeof(prefix), "  %-11s  ", scan_kind_word(kind));
    if (finding->ran)
        emit_wrapped(prefix, finding->text);
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
        emit_record("leaf");
        record_word("leaf", entries[i].leaf);
        record_word("subleaf", entries[i].subleaf);
        record_word("eax", entries[i].words.eax);
        record_word("ebx", entries[i].words.ebx);
        record_word("ecx", entries[i].words.ecx);
        record_word("edx", entries[i].words.edx);
        if (entries[i].count > 1) {
            record_u64("count", entries[i].count);
            record_word("stride", entries[i].stride);
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
