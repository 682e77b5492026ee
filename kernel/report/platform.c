#include "kernel/report/report.h"

#include "kernel/console/console.h"
#include "kernel/report/emit.h"

void report_banner(const struct boot_info *boot)
{
    emit_text("hypertick " HYPERTICK_VERSION ", booted by %s%s%s\n",
              boot_protocol_word(boot->protocol), boot->loader[0] ? " from " : "", boot->loader);
    emit_diagnostic("hypertick " HYPERTICK_VERSION ", booted by %s",
                    boot_protocol_word(boot->protocol));
}

void report_options(const struct options *options)
{
    size_t listed =
        options->error_count < OPTION_ERRORS_MAX ? options->error_count : OPTION_ERRORS_MAX;

    for (size_t i = 0; i < listed; i++) {
        const struct option_error *error = &options->errors[i];
        bool ignored = text_equal(error->used, "nothing");
        emit_note("error", "option \"%s\"%s%s: expected %s; %s%s", error->word,
                  error->source ? " of " : "", error->source ? error->source : "", error->expected,
                  ignored ? "it is ignored" : "using ", ignored ? "" : error->used);
    }
    if (options->error_count > listed)
        emit_note("error", "%zu more bad options", options->error_count - listed);
    for (size_t i = 0; i < options->ignored_count; i++)
        emit_note("info", "option \"%s\" comes from the loader and is ignored",
                  options->ignored[i]);
    emit_point(options->error_count == 0, NULL, "every option is understood");
}

// The line of one source, where it has one. True: some of it is options.
static bool write_options(const char *source, const char *line)
{
    bool is_boot = text_equal(source, "boot");

    if (!line[0])
        return false;
    emit_record("options");
    record_string("source", source);
    record_string("line", line);
    emit_record_end();
    if (is_boot)
        line = options_behind_file_name(line);
    if (line[0])
        emit_text("options   %s%s%.79s%s\n", is_boot ? "" : source, is_boot ? "" : ": ", line,
                  text_length(line) > 79 ? "..." : "");
    return line[0];
}

unsigned report_memory_mib(const struct platform *platform)
{
    return (unsigned)((platform->memory_bytes + (1 << 19)) >> 20);
}

void report_platform(const struct platform *platform, uint64_t start_tsc)
{
    const struct boot_info *boot = platform->boot;
    const struct acpi_tables *acpi = &platform->acpi;
    const struct smbios *smbios = &platform->smbios;
    unsigned memory_mib = report_memory_mib(platform);
    emit_record("start");

    record_u64("version", 1);
    record_string("hypertick", HYPERTICK_VERSION);
    record_string("boot", boot_protocol_word(boot->protocol));
    record_string("loader", boot->loader[0] ? boot->loader : NULL);
    record_u64("cpus", acpi->cpus ? acpi->cpus : 1);
    record_u64("memory_mib", memory_mib);
    record_string("options", boot->cmdline);
    record_u64("tsc", start_tsc);
    emit_record_end();

    emit_text("machine   ");
    if (acpi->cpus)
        emit_text("%u vCPU%s, ", acpi->cpus, acpi->cpus == 1 ? "" : "s");
    if (boot->region_count)
        emit_text("%u MiB of memory, ", memory_mib);
    if (acpi->found)
        emit_text("ACPI by \"%s\"\n", acpi->oem_id);
    else
        emit_text("no ACPI tables\n");
    bool options = write_options("smbios", platform->smbios.options);
    options |= write_options("fw_cfg", platform->fw_cfg.options);
    options |= write_options("boot", boot->cmdline);
    if (!options)
        emit_text("options   none\n");
    if (boot->options_from[0])
        emit_note("info", "the options come from %s", boot->options_from);

    for (size_t i = 0; i < boot->note_count && i < BOOT_NOTES_MAX; i++)
        emit_note("warning", "boot: %s", boot->notes[i]);
    for (size_t i = 0; i < acpi->problem_count && i < ACPI_PROBLEMS_MAX; i++)
        emit_note("warning", "ACPI: %s", acpi->problems[i]);
    for (size_t i = 0; i < smbios->problem_count && i < SMBIOS_PROBLEMS_MAX; i++)
        emit_note("warning", "SMBIOS: %s", smbios->problems[i]);
    if (platform->fw_cfg.problem[0])
        emit_note("warning", "fw_cfg: %s", platform->fw_cfg.problem);
}

// One line for each that gets something, one for all the others.
void report_sinks(void)
{
    struct sink_state sink;
    const char *separator = "";

    for (size_t i = 0; console_state(i, &sink); i++) {
        emit_record("sink");
        record_string("sink", sink.name);
        record_string("status", sink.status);
        record_string("gets", sink.gets);
        record_string("where", sink.account->where);
        emit_record_end();
        if (!text_equal(sink.status, "off")) {
            bool open = text_equal(sink.status, "open");
            emit_text("%-9s %-9s %-9s %s\n", separator[0] ? "" : "sinks", sink.name,
                      open ? sink.gets : sink.status, sink.account->where);
            separator = ", ";
        }
    }
    separator = "          off       ";
    for (size_t i = 0; console_state(i, &sink); i++) {
        if (!text_equal(sink.status, "off"))
            continue;
        emit_text("%s%s", separator, sink.name);
        separator = ", ";
    }
    emit_text("\n");
    for (size_t i = 0; console_state(i, &sink); i++)
        if (sink.account->problem[0])
            emit_note("warning", "%s: %s", sink.name, sink.account->problem);
}

void report_stopped_sinks(void)
{
    struct sink_state sink;

    for (size_t i = 0; console_state(i, &sink); i++)
        if (text_equal(sink.status, "stopped"))
            emit_note("warning", "%s took no more bytes after %llu", sink.name,
                      (unsigned long long)sink.bytes);
}
