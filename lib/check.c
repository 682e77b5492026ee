#include "lib/check_rules.h"

#define EXTENDED_LAST 0x8000ffffu // an EAX above is an echo of something else

// Proposals: docs/checks.md says who made each of them.
#define ARCHITECTURE "architecture" // Intel SDM vol. 2A and AMD APM vol. 3, CPUID
#define VENDOR_LEAF  "vendor-leaf"  // a signature at 0x40000000, common to all
#define FLAT         "flat-range"
#define BLOCKS_16    "blocks-16"
#define BLOCKS_256   "blocks-256"
#define INTERFACE    "interface-signature"
#define VENDOR_SPACE "vendor-space"
#define VENDOR       "vendor-interface"

static const struct {
    struct check_rule rule;
    check_function *function;
} rules[] = {
    {{"present-bit", VENDOR_LEAF,
      "CPUID 1 ECX bit 31 is set if and only if a signature leaf is there"},
     check_present_bit},
    {{"signature-printable", VENDOR_LEAF, "the signature is printable ASCII, padded with NULs"},
     check_signature},
    {{"max-leaf-plausible", VENDOR_LEAF, "EAX of 0x40000000 lies in 0x40000000 to 0x400000ff"},
     check_max_leaf},
    {{"out-of-range-answer", ARCHITECTURE,
      "leaves beyond every range read as zeros, or on Intel as the highest basic leaf"},
     check_out_of_range},
    {{"signature-once", VENDOR_LEAF, "a signature leaf's words appear at one base only"},
     check_signature_repeats},
    {{"generic-leaves-zero", FLAT, "a generic leaf in range that is not supported reads as zeros"},
     check_generic_zero},
    {{"timing-leaf-range", FLAT, "where 0x40000010 is out of range it does not read as a rate"},
     check_timing_range},
    {{"timing-leaf-values", FLAT, "0x40000010 holds rates in kHz that a machine can have"},
     check_timing_values},
    {{"timing-leaf-reserved", FLAT, "ECX and EDX of 0x40000010 are zero, but for VMware's flags"},
     check_timing_reserved},
    {{"blocks-16-form", BLOCKS_16,
      "a 16-leaf block has a signature, and its max leaf in the block"},
     check_blocks_16},
    {{"blocks-256-form", BLOCKS_256,
      "a 256-leaf block has a signature, and its max leaf in the block"},
     check_blocks_256},
    {{"generic-block-leaf", BLOCKS_16, "a block named Generic... reaches to its TSC leaf at +1"},
     check_generic_block},
    {{"vendor-space-form", VENDOR_SPACE,
      "a block at 0x40SSSS00 has a signature, and its max leaf in the block"},
     check_vendor_spaces},
    {{"unknown-blocks-ignored", BLOCKS_16,
      "the guest reads nothing of an unknown block but its signature leaf"},
     check_unknown_blocks},
    {{"interface-signature", INTERFACE,
      "a vendor whose interface has a signature shows it in EAX of its leaf +1"},
     check_interface_signature},
    {{"interface-max-leaf", INTERFACE, "the interface Hv#1 needs leaves up to 0x40000005"},
     check_interface_max_leaf},
    {{"vendor-max-leaf", VENDOR, "a known vendor's block reaches to the leaves its guests rely on"},
     check_vendor_max_leaf},
    {{"hyperv-frequency-bits", VENDOR,
      "0x40000003 EAX bit 11 and EDX bit 8, both about frequency MSRs, agree"},
     check_hyperv_frequency},
    {{"cpuid-repeatable", ARCHITECTURE,
      "CPUID has no side effects: a second scan reads what the first one read"},
     check_repeatable},
    {{"claims-agree", FLAT, "0x40000010 agrees with every other claim within their granularity"},
     check_claims_agree},
    {{"bus-claim", FLAT, "EBX of 0x40000010 is the rate of the LAPIC timer"}, check_bus_claim},
    {{"invariant-tsc", ARCHITECTURE,
      "where 0x80000007 EDX bit 8 is set, the TSC's rate is constant"},
     check_invariant_tsc},
    {{"leaf-0x15-leak", ARCHITECTURE, "leaf 0x15 states this machine's rates, not its host's"},
     check_leaf_15},
    {{"leaf-0x16-leak", ARCHITECTURE, "leaf 0x16 states this machine's rate, not its host's"},
     check_leaf_16},
};

_Static_assert(ARRAY_SIZE(rules) == CHECKS_MAX, "every rule has room");

const char *check_result_word(enum check_result result)
{
    static const char *const words[] = {
        [CHECK_PASS] = "pass",
        [CHECK_FAIL] = "fail",
        [CHECK_SKIP] = "skip",
    };

    return words[result];
}

const struct cpuid_words *check_leaf(const struct check_input *input, uint32_t leaf)
{
    return cpuid_table_find(input->leaves, input->leaf_count, leaf, 0);
}

enum check_result check_say(struct text *detail, enum check_result result, const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    text_vformat(detail, format, arguments);
    __builtin_va_end(arguments);
    return result;
}

bool check_is_guest(const struct scan *scan)
{
    return scan->present || scan->block_count;
}

void check_read(const struct cpuid_source *source, const struct scan *scan)
{
    const struct block *block = scan_main_block(scan);
    uint32_t last = cpuid_read(source, CPUID_EXTENDED, 0).eax;

    if (last >= CPUID_EXTENDED_POWER && last <= EXTENDED_LAST)
        cpuid_read(source, CPUID_EXTENDED_POWER, 0);
    for (size_t i = 0; i < scan->block_count; i++)
        if (check_interface_of(&scan->blocks[i]) &&
            scan->blocks[i].last_leaf > scan->blocks[i].base && &scan->blocks[i] != block)
            cpuid_read(source, scan->blocks[i].base + 1, 0);
    if (block && block->last_leaf >= CPUID_HYPERV_FEATURES &&
        text_equal(scan->interface_signature, "Hv#1"))
        cpuid_read(source, CPUID_HYPERV_FEATURES, 0);
}

size_t check_run(const struct check_input *input, struct check out[CHECKS_MAX])
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        struct text detail;
        text_init(&detail, out[i].detail, sizeof(out[i].detail));
        out[i].rule = &rules[i].rule;
        out[i].result = rules[i].function(input, &detail);
    }
    return ARRAY_SIZE(rules);
}

bool check_exists(const char *id)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (text_equal(rules[i].rule.id, id))
            return true;
    return false;
}
