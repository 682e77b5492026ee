// The report, section by section, in the order of the run. Each function writes its section to
// every sink: text, records and test points side by side, so that none can be forgotten.
#pragma once

#include "kernel/audit.h"
#include "kernel/judge.h"
#include "kernel/measure.h"
#include "kernel/platform.h"

// report/platform.c
void report_banner(const struct boot_info *boot);
void report_options(const struct options *options);
// The memory that the map lists, to the nearest MiB: firmware keeps some of the last one for itself.
unsigned report_memory_mib(const struct platform *platform);
void report_platform(const struct platform *platform, uint64_t start_tsc);
void report_sinks(void);
void report_stopped_sinks(void); // those that took no more bytes at some point

// report/detection.c
void report_detection(const struct platform *platform);
void report_leaves(void);
void report_scan_progress(unsigned done, unsigned total);

// report/identity.c
void report_identity(const struct evidence *evidence);

// report/claims.c
void report_claims(const struct claim *claims, size_t count);

// report/measurement.c
void report_clocks(const struct measurement *measurement);
void report_window_start(const struct measurement *measurement, const struct options *options);
void report_window_progress(unsigned percent);
void report_measurement(const struct measurement *measurement);

// report/checks.c
// `list`: those that did not fail as well. `strict`: a failed one is a failure of the run.
void report_checks(const struct check *checks, size_t count, bool list, bool strict);
// The same with what the audit took; nothing with checks=off.
void report_audit(const struct audit *audit, bool list, bool strict);

// report/vcpus.c
void report_vcpus(const struct smp *smp, const struct measurement *measurement);

// report/page.c: the summary for screens, before report_end
void report_page(const struct platform *platform, const struct judged *judged,
                 const struct measurement *measurement, const struct smp *smp,
                 const struct audit *audit);

// report/verdicts.c
void report_verdicts(const struct judged *judged, const struct measurement *measurement);
// Closes the report. `guest_ns` is the time that the run took, or NULL where no rate is known.
void report_end(const struct judged *judged, const uint64_t *guest_ns);
