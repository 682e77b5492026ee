// Any bytes as an option line: the parser stays in its bounds and its results in theirs.
#include <assert.h>
#include <string.h>

#include "lib/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ended(const char *string, size_t size)
{
    return memchr(string, '\0', size) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const loader_words[] = {"dummy", "console=", "i8042.", NULL};
    static const char *const clocks[] = {"pit", "hpet", "pmtimer", "lapic", NULL};
    char line[2048];
    struct options options;

    if (size >= sizeof(line))
        return 0;
    memcpy(line, data, size);
    line[size] = '\0';
    options_default(&options);
    options_parse(&options, &(struct option_source){NULL, line, loader_words}, 1, clocks);

    assert(options.window_ns >= 1000000 && options.window_ns <= 24 * 3600 * 1000000000ull);
    assert(options.clock_count <= OPTION_CLOCKS_MAX);
    assert(options.expect_count <= EXPECT_MAX);
    assert(options.ignored_count <= ARRAY_SIZE(options.ignored));
    for (size_t i = 0; i < options.clock_count; i++)
        assert(ended(options.clocks[i], sizeof(options.clocks[i])));
    for (size_t i = 0; i < options.expect_count; i++) {
        assert(ended(options.expect[i].text, sizeof(options.expect[i].text)));
        assert(ended(options.expect[i].subject, sizeof(options.expect[i].subject)));
        assert(ended(options.expect[i].value, sizeof(options.expect[i].value)));
    }
    for (size_t i = 0; i < options.error_count && i < OPTION_ERRORS_MAX; i++) {
        assert(ended(options.errors[i].word, sizeof(options.errors[i].word)));
        assert(options.errors[i].expected[0] && options.errors[i].used[0]);
    }
    return 0;
}
