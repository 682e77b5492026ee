// Finding hypervisors in CPUID: every convention that was proposed, side by side.
//
// The proposals met on LKML in October 2008 (docs/scan.md tells the story and the rules):
//   flat       generic leaves at 0x40000010 and up, valid up to the max leaf in 0x40000000 EAX
//   blocks16   16-leaf blocks at 0x400000x0, each beginning with a signature leaf
//   blocks256  256-leaf blocks at 0x4000xx00, the form that Linux and Xen use
//   interface  a four-letter signature in leaf 0x40000001 EAX ("Hv#1")
//   wide       vendor spaces at 0x40SSSS00, SSSS being a PCI vendor id (on request: 65536 leaves)
#pragma once

#include "lib/cpuid.h"
#include "lib/signature.h"

#define CPUID_HYPERVISOR_BASE 0x40000000u
#define CPUID_TIMING_LEAF     0x40000010u

// What a CPU answers for a leaf.
enum cpuid_answer {
    ANSWER_DATA,         // words of its own
    ANSWER_ZEROS,        // all four zero: the convention's "not implemented"
    ANSWER_ECHO,         // the words of the highest basic leaf (Intel SDM vol. 2A, CPUID)
    ANSWER_CLAMP,        // the words of the highest hypervisor leaf (bhyve)
    ANSWER_PASS_THROUGH, // the words that any out-of-range leaf gives, none of the above
};
const char *cpuid_answer_word(enum cpuid_answer answer); // "data", "zeros", "echo", ...

enum scan_kind { SCAN_FLAT, SCAN_BLOCKS16, SCAN_BLOCKS256, SCAN_INTERFACE, SCAN_WIDE, SCAN_KINDS };
const char *scan_kind_word(enum scan_kind kind); // "flat", "blocks16", ...

struct block {
    enum scan_kind scan; // the convention under which it was found first
    uint32_t base;
    struct cpuid_words words; // of the signature leaf
    char signature[12];
    uint32_t max_leaf;             // as EAX says
    uint32_t last_leaf;            // the highest leaf that may be read: max_leaf made plausible
    const struct signature *known; // NULL: unknown, not touched beyond its signature leaf
    bool generic;                  // signature begins with "Generic"
    bool next_read;                // leaf base + 1 was read: of block 0x40000000 and generic blocks
    struct cpuid_words next;       // its words
    unsigned repeats;              // further bases that gave the same words (a clamp)
    char note[96];                 // what is odd about it, or ""
};

#define SCAN_BLOCKS_MAX 32

struct scan_finding {
    bool ran;
    unsigned bases; // signature leaves read
    unsigned found; // blocks found under this convention (first found elsewhere included)
    unsigned answers[ANSWER_PASS_THROUGH + 1]; // how the other bases answered
    char text[160];                            // the finding in one sentence
};

struct scan {
    bool present;                   // CPUID 1 ECX bit 31
    uint32_t max_basic;             // CPUID 0 EAX
    char cpu_vendor[13];            // CPUID 0 EBX, EDX, ECX as printable text
    struct cpuid_words echo;        // leaf max_basic, sub-leaf 0; zeros where it is no basic leaf
    struct cpuid_words beyond;      // a leaf beyond every range, sub-leaf 0
    enum cpuid_answer out_of_range; // what leaves beyond every range answer
    bool echo_subleaf;              // they echo the sub-leaf that is asked for, not sub-leaf 0
    struct cpuid_words first;       // leaf 0x40000000 as it was read, whether or not it is a block
    struct block blocks[SCAN_BLOCKS_MAX];
    size_t block_count;
    size_t blocks_dropped;           // found but no room
    uint32_t max_leaf;               // 0x40000000 EAX where block 0x40000000 is valid, else 0
    char interface_signature[5];     // leaf 0x40000001 EAX as text where printable, else ""
    uint32_t interface_words;        // its EAX, 0 where the leaf was not read
    enum cpuid_answer timing_answer; // leaf 0x40000010: what kind of answer it is
    bool timing_in_range;            // block 0x40000000 is valid and reaches that far
    struct cpuid_words timing;       // its words; it is read in any case
    struct scan_finding findings[SCAN_KINDS];
};

// Rates in a timing leaf outside these bounds are refused: an echo of another leaf reads as some
// hundred kHz. The APIC timers of known implementations count at 19.2 MHz to 1 GHz.
#define TIMING_TSC_KHZ_MIN 100000u
#define TIMING_BUS_KHZ_MIN 1000u
#define TIMING_KHZ_MAX     20000000u

// Called during the wide scan with the bases done so far: 0, then 16 times up to `total`. May be
// NULL.
typedef void scan_progress(unsigned done, unsigned total);

// Runs every scan; `wide` adds the vendor spaces. Reads, with sub-leaf 0:
//   leaves 0, 1, CPUID 0 EAX (also sub-leaf 1), 0x4ffffffe, 0x4fffffff (also sub-leaf 1)
//   the signature leaves of every convention: 271, with `wide` 65551
//   of the block at 0x40000000, whatever its vendor: leaf 0x40000001 and 0x40000010 up to its last
//     leaf, at most 0x400000ff; and its last leaf if its vendor is known
//   leaf base + 1 of generic blocks
// and nothing else: an unknown block at another base is not touched beyond its signature leaf.
void scan_run(struct scan *scan, const struct cpuid_source *source, bool wide,
              scan_progress *progress);

// The block at 0x40000000, or NULL.
const struct block *scan_main_block(const struct scan *scan);

// Does any block carry this vendor (its name, its option word, or an unknown signature as text)?
bool scan_has_vendor(const struct scan *scan, const char *vendor);

// The first block with these twelve bytes of signature, or NULL.
const struct block *scan_block_signed(const struct scan *scan, const char signature[12]);

// Who runs this guest, as far as signatures tell: that of the block at 0x40000000; where that is an
// interface which others show too (Hyper-V's), of the first other known block. NULL: not known.
const struct signature *scan_vendor(const struct scan *scan);

// What kind of answer `words` are for a leaf that lies within `block` (at most its last leaf).
enum cpuid_answer scan_answer_within(const struct scan *scan, const struct block *block,
                                     struct cpuid_words words);

// An answer in words that follow a leaf's name: "echoes leaf 0xd", "reads as zeros".
#define SCAN_ANSWER_SIZE 48
const char *scan_answer_text(const struct scan *scan, enum cpuid_answer answer,
                             char out[SCAN_ANSWER_SIZE]);

// Writes the text of every finding. scan_run ends with it.
void scan_describe(struct scan *scan);
