// What the scans found, in words: one sentence a convention.
#include "lib/scan.h"

#include "lib/text.h"

const char *cpuid_answer_word(enum cpuid_answer answer)
{
    static const char *const words[] = {
        [ANSWER_DATA] = "data",
        [ANSWER_ZEROS] = "zeros",
        [ANSWER_ECHO] = "echo",
        [ANSWER_CLAMP] = "clamp",
        [ANSWER_PASS_THROUGH] = "pass-through",
    };

    return words[answer];
}

const char *scan_kind_word(enum scan_kind kind)
{
    static const char *const words[SCAN_KINDS] = {
        [SCAN_FLAT] = "flat",           [SCAN_BLOCKS16] = "blocks16",
        [SCAN_BLOCKS256] = "blocks256", [SCAN_INTERFACE] = "interface",
        [SCAN_WIDE] = "wide",
    };

    return words[kind];
}

static void put_answer(struct text *text, const struct scan *scan, enum cpuid_answer answer,
                       unsigned count)
{
    static const struct {
        const char *one, *many;
    } phrases[] = {
        [ANSWER_DATA] = {"holds data", "hold data"},
        [ANSWER_ZEROS] = {"reads as zeros", "read as zeros"},
        [ANSWER_ECHO] = {"echoes leaf", "echo leaf"},
        [ANSWER_CLAMP] = {"repeats another leaf", "repeat another leaf"},
        [ANSWER_PASS_THROUGH] = {"gives what every leaf gives", "give what every leaf gives"},
    };

    text_string(text, count == 1 ? phrases[answer].one : phrases[answer].many);
    if (answer == ANSWER_ECHO)
        text_format(text, " 0x%x", scan->max_basic);
}

const char *scan_answer_text(const struct scan *scan, enum cpuid_answer answer,
                             char out[SCAN_ANSWER_SIZE])
{
    struct text text;

    text_init(&text, out, SCAN_ANSWER_SIZE);
    put_answer(&text, scan, answer, 1);
    return out;
}

static void describe_flat(struct scan *scan, struct text *text)
{
    const struct block *block = scan_main_block(scan);
    char answer[SCAN_ANSWER_SIZE];

    if (!block) {
        text_string(text, "leaf 0x40000000 is no signature leaf: it ");
        for (unsigned i = ANSWER_DATA; i <= ANSWER_PASS_THROUGH; i++)
            if (scan->findings[SCAN_FLAT].answers[i])
                put_answer(text, scan, i, 1);
        return;
    }
    text_format(text, "leaves up to 0x%08x are valid", block->last_leaf);
    if (!scan->timing_in_range)
        text_string(text, "; the generic range at 0x40000010 is not among them");
    else if (scan->timing_answer == ANSWER_DATA)
        text_string(text, ", the timing leaf at 0x40000010 among them");
    else
        text_format(text, ", but 0x40000010 %s",
                    scan_answer_text(scan, scan->timing_answer, answer));
}

static void describe_blocks(const struct scan *scan, const struct scan_finding *finding,
                            struct text *text)
{
    unsigned kinds = 0, others = finding->bases - finding->found;
    const char *separator = "; ";

    if (finding->found)
        text_format(text, "%u block%s", finding->found, finding->found == 1 ? "" : "s");
    else
        text_string(text, "no block");
    text_format(text, " at %u bases", finding->bases);
    for (unsigned i = ANSWER_DATA; i <= ANSWER_PASS_THROUGH; i++)
        kinds += finding->answers[i] != 0;
    for (unsigned i = ANSWER_DATA; i <= ANSWER_PASS_THROUGH; i++) {
        if (!finding->answers[i])
            continue;
        text_string(text, separator);
        separator = ", ";
        if (kinds > 1)
            text_format(text, "%u ", finding->answers[i]);
        else if (!finding->found)
            text_string(text, "all ");
        else
            text_format(text, "the other%s ", others == 1 ? "" : "s");
        put_answer(text, scan, i, finding->answers[i]);
    }
}

static void describe_interface(const struct scan *scan, struct text *text)
{
    const struct block *block = scan_main_block(scan);

    text_string(text, "leaf 0x40000001 ");
    if (!block)
        text_string(text, "was not read: there is no block at 0x40000000");
    else if (!block->next_read)
        text_string(text, "was not read: it is above the max leaf");
    else if (!scan->interface_signature[0])
        text_format(text, "names no interface (0x%08x), as usual outside Hyper-V",
                    scan->interface_words);
    else
        text_format(text, "says \"%s\"%s", scan->interface_signature,
                    text_equal(scan->interface_signature, "Hv#1") ? ", the interface of Hyper-V"
                                                                  : "");
}

void scan_describe(struct scan *scan)
{
    for (unsigned kind = 0; kind < SCAN_KINDS; kind++) {
        struct scan_finding *finding = &scan->findings[kind];
        struct text text;
        text_init(&text, finding->text, sizeof(finding->text));
        if (kind == SCAN_FLAT)
            describe_flat(scan, &text);
        else if (kind == SCAN_INTERFACE)
            describe_interface(scan, &text);
        else if (finding->ran)
            describe_blocks(scan, finding, &text);
        else
            text_string(&text, "not asked for: scan=wide reads 65536 bases");
    }
}
