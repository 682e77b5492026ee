// What happens on an exception. The stubs that call trap_handle are in boot/traps.asm; the fixups
// come from machine_rdmsr, machine_wrmsr and machine_call.
#include "kernel/trap.h"

#include <machine.h>

#include "kernel/console/console.h"
#include "kernel/leave.h"
#include "kernel/report/emit.h"
#include "kernel/smp.h"
#include "kernel/wake.h"
#include "lib/text.h"

// What boot/traps.asm pushes, lowest address first.
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss; // by the CPU
};

_Static_assert(sizeof(struct trap_frame) == 22 * sizeof(uint64_t),
               "register_names has a name for each");

void trap_handle(struct trap_frame *frame);

extern const struct machine_fixup machine_fixups_start[], machine_fixups_end[];
extern char stack_guard[];

#define INVALID_OPCODE     6
#define GENERAL_PROTECTION 13
#define PAGE_FAULT         14
#define EXCEPTIONS         32 // what is above is an interrupt, whichever

// Intel SDM vol. 3A, table 6-1: the names one after the other, in the order of the vectors. The
// table ends with an empty name.
static const char names[] = "#DE divide error\0"
                            "#DB debug\0"
                            "NMI\0"
                            "#BP breakpoint\0"
                            "#OF overflow\0"
                            "#BR bound range\0"
                            "#UD invalid opcode\0"
                            "#NM device not available\0"
                            "#DF double fault\0"
                            "reserved exception\0"
                            "#TS invalid TSS\0"
                            "#NP segment not present\0"
                            "#SS stack fault\0"
                            "#GP general protection\0"
                            "#PF page fault\0"
                            "reserved exception\0"
                            "#MF x87 error\0"
                            "#AC alignment check\0"
                            "#MC machine check\0"
                            "#XM SIMD error\0"
                            "#VE virtualization\0"
                            "#CP control protection\0";

static const char *name_of(uint64_t vector)
{
    const char *name = names;

    if (vector >= EXCEPTIONS)
        return "unexpected interrupt";
    while (vector-- > 0 && *name)
        name += text_length(name) + 1;
    return *name ? name : "reserved exception";
}

// By name in machine.h's assembly.
struct machine_resume machine_resume __attribute__((used));

static void (*report_fault)(const char *summary);
static unsigned faults;

void trap_set_report(void (*on_fault)(const char *summary))
{
    report_fault = on_fault;
    faults = 0; // a run begins: the simulated machine has many
}

static bool recover(struct trap_frame *frame)
{
    size_t count = ((uint64_t)machine_fixups_end - (uint64_t)machine_fixups_start) /
                   sizeof(struct machine_fixup);

    for (size_t i = 0; i < count; i++) {
        const struct machine_fixup *fixup = &machine_fixups_start[i];
        uint64_t base = (uint64_t)fixup;
        if (frame->rip == base + (uint64_t)(int64_t)fixup->fault) {
            frame->rip = base + (uint64_t)(int64_t)fixup->resume;
            return true;
        }
    }
    return false;
}

// The members of struct trap_frame, in its order.
static const char register_names[] = "r15\0r14\0r13\0r12\0r11\0r10\0r9\0r8\0rdi\0rsi\0rbp\0rbx\0"
                                     "rdx\0rcx\0rax\0vector\0error\0rip\0cs\0rflags\0rsp\0ss\0";

static void record_register(const char *name, uint64_t value)
{
    char digits[24];

    text_print(digits, sizeof(digits), "0x%016llx", (unsigned long long)value);
    record_string(name, digits);
}

static void end_line(const char *line)
{
    emit_text("%s\n", line);
    emit_diagnostic("%s", line);
}

// All of them and CR2 to every sink, three a line or in one record.
void trap_report(const struct trap_frame *frame, uint64_t address, size_t vcpu)
{
    const uint64_t *value = (const uint64_t *)frame;
    char line[96];
    struct text text;
    unsigned printed = 0;

    emit_record("exception");
    record_string("name", name_of(frame->vector));
    text_init(&text, line, sizeof(line));
    for (const char *name = register_names; *name; name += text_length(name) + 1) {
        text_format(&text, "  %-6s %016llx", name, (unsigned long long)*value);
        record_register(name, *value++);
        if (++printed % 3 == 0) {
            end_line(line);
            text_init(&text, line, sizeof(line));
        }
    }
    text_format(&text, "  cr2    %016llx", (unsigned long long)address);
    end_line(line);
    record_register("cr2", address);
    record_u64("vcpu", vcpu);
    emit_record_end();
}

void trap_handle(struct trap_frame *frame)
{
    char summary[96];
    uint64_t fault_address = machine_cr2();

    if ((frame->vector == GENERAL_PROTECTION || frame->vector == INVALID_OPCODE) && recover(frame))
        return;
    if (frame->vector >= EXCEPTIONS && wake_take(&frame->rflags))
        return;
    if (machine_resume.rip) { // the machine is being left, and there are other ways
        frame->rip = machine_resume.rip;
        frame->rsp = machine_resume.rsp;
        return;
    }
    if (smp_take_fault((uint64_t)frame, frame->vector, frame->rip, fault_address))
        machine_halt();
    // A second fault came from the report of the first, a third from leaving.
    faults++;
    if (faults > 2)
        machine_halt();
    if (faults > 1)
        machine_leave(OUTCOME_FAIL, NULL);
    console_open_fallback();
    bool overflow =
        frame->vector == PAGE_FAULT && fault_address - (uint64_t)stack_guard < PAGE_SIZE;
    text_print(summary, sizeof(summary), "CPU exception %llu, %s%s, at rip 0x%llx",
               (unsigned long long)frame->vector, name_of(frame->vector),
               overflow ? " (stack overflow)" : "", (unsigned long long)frame->rip);
    emit_text("\n");
    emit_note("error", "%s", summary);
    trap_report(frame, fault_address, 0);
    if (report_fault)
        report_fault(summary);
    emit_text("FAIL: %s\n", summary);
    machine_leave(OUTCOME_FAIL, NULL);
}
