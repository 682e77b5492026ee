#include "kernel/report/emit.h"
#include "kernel/report/report.h"

#include "lib/text.h"

static void write_state(const struct state_rate *rate, enum state state, const char *clock)
{
    bool known = rate->verdict != STATE_NONE;
    char low[DECIMAL_SIZE], high[DECIMAL_SIZE];

    emit_record("state");
    record_string("state", state_word(state));
    record_string("verdict", state_verdict_word(rate->verdict));
    record_string("clock", clock);
    record_u64("passes", rate->passes);
    if (known) {
        record_u64("window_ns", rate->ns);
        record_u64("cycles", rate->cycles);
        record_decimal("low_hz", rate->rate.low, 3);
        record_decimal("high_hz", rate->rate.high, 3);
    } else {
        record_null("window_ns");
        record_null("cycles");
        record_null("low_hz");
        record_null("high_hz");
    }
    record_string("reason", rate->reason);
    emit_record_end();
    if (known)
        emit_text("  %-6s %s..%s%s%s\n", state_word(state), text_decimal(low, rate->rate.low, 9, 6),
                  text_decimal(high, rate->rate.high, 9, 6), state == STATE_PAUSE ? "" : "  ",
                  state == STATE_PAUSE ? "" : state_verdict_word(rate->verdict));
    else
        emit_text("  %-6s not measured: %s\n", state_word(state), rate->reason);
}

static void write_wakes(const enum wake_result *wakes)
{
    const char *separator = "  interrupts:";

    for (unsigned i = 0; i < WAKE_SOURCES; i++) {
        emit_record("wake");
        record_string("source", wake_source_word(i));
        record_string("result", wake_result_word(wakes[i]));
        emit_record_end();
        emit_text("%s %s %s", separator, wake_source_word(i), wake_result_word(wakes[i]));
        separator = ",";
    }
    emit_text("\n");
}

void report_states(const struct states *states)
{
    if (!states->ran)
        return;
    emit_text("\nThe TSC's rate in MHz, by what the CPU does%s%s\n",
              states->clock ? ", timed by " : "", states->clock ? states->clock : "");
    for (unsigned i = 0; i < STATES; i++)
        if (states->rates[i].asked)
            write_state(&states->rates[i], i, states->clock);
    if (states->rates[STATE_HALT].asked)
        write_wakes(states->wakes);
    if (states->broken)
        emit_note("warning", "the TSC's rate is not constant: %s", states->broken);
}
