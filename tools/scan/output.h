// What hypertick-scan's standard output gets.
#pragma once

#include "lib/options.h"

// SINK_TEXT, which it gets at first, or SINK_JSON.
void output_format(unsigned format);
