// The option line: `key=value` words. docs/options.md is the user's side of this file.
#pragma once

#include "lib/text.h"
#include "lib/types.h"

// What a sink gets. Text and JSON can be had together; TAP only alone.
#define SINK_TEXT 1u
#define SINK_JSON 2u
#define SINK_TAP  4u
#define SINK_PAGE 8u  // the summary at the end: what a screen gets besides text
#define SINK_AUTO 16u // text where more usual sinks are missing

enum option_exit { EXIT_AUTO, EXIT_QEMU, EXIT_ACPI, EXIT_RESET, EXIT_EFI, EXIT_HALT };
enum option_stop { STOP_PRECISION, STOP_VERDICT };
enum option_checks { CHECKS_ON, CHECKS_OFF, CHECKS_LIST };

// Parts of the report that can be asked for, each a bit of options.sections.
#define SECTION_VCPUS       1u
#define SECTION_COSTS       2u
#define SECTION_DISTURBANCE 4u
#define SECTION_HALT        8u
#define SECTION_LOAD        16u
#define SECTIONS_DEFAULT    (SECTION_VCPUS | SECTION_COSTS)
#define SECTIONS_ALL        31u

enum option_fault {
    FAULT_NONE,
    FAULT_DE,
    FAULT_UD,
    FAULT_GP,
    FAULT_PF,
    FAULT_STACK,
    FAULT_VCPU_STACK
};

// One `expect=` assertion: kind is the word before the first colon (vendor, boot, tsc, claim,
// clock, check), subject and value what follows. `expect=claim:leaf-0x15:ok` has subject
// "leaf-0x15" and value "ok"; `expect=vendor:KVM` has only a value; `expect=tsc:2596130khz` has a
// value and `millihertz`.
struct expectation {
    char text[64]; // as it was written
    enum { EXPECT_VENDOR, EXPECT_BOOT, EXPECT_TSC, EXPECT_CLAIM, EXPECT_CLOCK, EXPECT_CHECK } kind;
    char subject[32];
    char value[32];
    uint64_t millihertz; // EXPECT_TSC only
};

#define DURATION_FOREVER UINT64_MAX

#define EXPECT_MAX         16
#define OPTION_ERRORS_MAX  16
#define OPTION_CLOCKS_MAX  16
#define OPTION_IGNORED_MAX 16

struct option_error {
    const char *source; // the name of the source, NULL: the loader's line
    char word[64];      // the word as given, cut to fit
    char expected[256]; // what was expected, in words
    char used[48];      // what is used instead; "nothing": the word is ignored
};

struct options {
    uint64_t window_ns;     // longest sampling window, 1 ms to 24 h
    uint64_t duration_ns;   // windows follow one another for so long; 0: one window
    uint64_t precision_ppb; // 0: never stop early
    uint64_t tolerance_ppb;
    enum option_stop stop;
    char clocks[OPTION_CLOCKS_MAX][16]; // names asked for; none: all
    size_t clock_count;
    unsigned com1, com2, com3, com4, pciserial, debugcon, screen; // SINK_* bits, 0: off
    struct expectation expect[EXPECT_MAX];
    size_t expect_count;
    enum option_exit exit;
    bool strict;
    bool scan_wide;
    enum option_checks checks;
    unsigned cpus;     // vCPUs to examine, CPU 0 included: 1 to 65536; 0: all
    uint64_t skew_ns;  // a vCPU whose TSC is further from CPU 0's is off, a step that large fails
    unsigned sections; // SECTION_* bits
    enum option_fault fault; // raise this exception after the banner, to see the exception report
    struct option_error errors[OPTION_ERRORS_MAX];
    size_t error_count;                   // may exceed OPTION_ERRORS_MAX; the rest were dropped
    char ignored[OPTION_IGNORED_MAX][64]; // words that this door's loader is known to add
    size_t ignored_count;
};

// The defaults of docs/options.md.
void options_default(struct options *options);

// The line from its first word on, or from its second one if the first has no '=': a file's name.
const char *options_behind_file_name(const char *line);

// Where a line of options comes from.
struct option_source {
    const char *name; // for messages; it stays where it is. NULL: the loader's line
    const char *line;
    // For a loader's line: a NULL-terminated list of words that the loader adds. An entry that ends
    // in '=' or '.' stands for every word that begins with it ("console=", "i8042."), any other for
    // itself ("dummy"). NULL: a line of another kind, in which no word is dropped or ignored.
    const char *const *loader_words;
};

// Parses the lines over the values already in `options`, which are taken to be the defaults where a
// message names the value that is used instead. Words are separated by white space. A key given
// twice in a line is an error, and the last one counts; a later line is the stronger one, and may
// say of any key something else. So may, in a line, what stands behind the word "--".
// In a loader's line a first word without '=' is dropped (QEMU puts the file name there), and words
// that the door's loader adds are noted in `ignored`. Every other unknown word and bad value goes
// to `errors`; a bad value leaves the earlier value in force. Of a bad `expect=` each bad assertion
// is an error for itself, and the good ones stay.
// `clock_names` is the NULL-terminated list of clocks that exist: clocks= is checked against it.
void options_parse(struct options *options, const struct option_source *sources, size_t count,
                   const char *const *clock_names);
