// Raw CPUID dumps as text: the table that they hold, and a CPU that answers from it.
//
// Lines of four formats are leaves, found by how they begin:
//   cpuid -r     0x00000000 0x00: eax=0x0000000d ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65
//   InstLatx64   CPUID 00000004: 1C004121-01C0003F-0000003F-00000000 [SL 01]
//   vmware.log   ...guestCPUID level 00000001, 0: 0x0001067a 0x00010800 0x80080201 0x0febfbff
//   hypertick    {"record":"leaf","leaf":"0x40000010","subleaf":...}
// Every other line is counted as unknown, but for empty ones, comments (#) and other records.
#pragma once

#include "lib/cpuid_table.h"

#define DUMP_LEAVES_MAX 4096
#define DUMP_READS_MAX  131072 // with those that records give as runs: two wide scans

struct dump {
    struct cpuid_entry leaves[DUMP_LEAVES_MAX];
    size_t count;
    uint32_t reads;   // leaves, each of a run counted
    unsigned lines;   // read so far: the number of the line that an error is in
    unsigned unknown; // lines that are no leaves
    unsigned others;  // lines of leaves of another CPU than the first, or of the host below a guest
    bool second_cpu;  // the first leaf came a second time: what follows is another CPU's
    bool guest;       // vmware.log: guest lines came, so the host's do not count
    unsigned missing; // leaves that were asked for and are not in the dump
    bool beyond_known;         // some leaf beyond the blocks is in the dump
    uint32_t beyond_leaf;      // that leaf
    struct cpuid_words beyond; // and its words: what other such leaves are taken to give
    char error[160];           // of a malformed line: what was expected
};

void dump_start(struct dump *dump);

// Takes the next line, without its newline. False: it begins like a leaf and does not go on like
// one, or there is no room for it; `error` says what was expected, and the line is not taken.
bool dump_line(struct dump *dump, const char *line, size_t length);

// After the last line: settles how leaves that are missing are answered. False: the dump has no
// leaf, or none that says anything; `error` says so.
bool dump_end(struct dump *dump);

// A CPU that answers as the dump says. A leaf that is missing counts in `missing`, and reads as
// zeros; beyond every block it reads as the highest such leaf in the dump does, if that is zeros,
// an echo of the highest basic leaf, or what another leaf there gives too.
struct cpuid_source dump_source(struct dump *dump);
