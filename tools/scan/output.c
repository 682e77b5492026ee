// The console of hypertick-scan: what kernel/report/emit.c writes goes to standard output.
#include "tools/scan/output.h"

#include <stdio.h>

#include "kernel/console/console.h"

static unsigned wanted = SINK_TEXT;

void output_format(unsigned format)
{
    wanted = format;
}

bool console_wants(unsigned formats)
{
    return formats & wanted;
}

void console_write(unsigned formats, const char *bytes, size_t length)
{
    // An error stays in stdout, and main asks for it at the end.
    if (console_wants(formats))
        (void)fwrite(bytes, 1, length, stdout);
}
