// What happens on an exception. The stubs that call trap_handle are in boot/traps.asm; the fixups
// come from machine_rdmsr and machine_wrmsr.
#include "kernel/trap.h"

#include <machine.h>

#include "kernel/console/console.h"
#include "kernel/leave.h"
#include "lib/text.h"

// What boot/traps.asm pushes, lowest address first.
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss; // by the CPU
};

void trap_handle(struct trap_frame *frame);

extern const struct machine_fixup machine_fixups_start[], machine_fixups_end[];
extern char stack_guard[];

#define PAGE_SIZE          4096
#define GENERAL_PROTECTION 13
#define PAGE_FAULT         14
#define EXCEPTIONS         32 // what is above is an interrupt, whichever

// Intel SDM vol. 3A, table 6-1.
static const char *const names[EXCEPTIONS] = {
    [0] = "#DE divide error",
    [1] = "#DB debug",
    [2] = "NMI",
    [3] = "#BP breakpoint",
    [4] = "#OF overflow",
    [5] = "#BR bound range",
    [6] = "#UD invalid opcode",
    [7] = "#NM device not available",
    [8] = "#DF double fault",
    [10] = "#TS invalid TSS",
    [11] = "#NP segment not present",
    [12] = "#SS stack fault",
    [13] = "#GP general protection",
    [14] = "#PF page fault",
    [16] = "#MF x87 error",
    [17] = "#AC alignment check",
    [18] = "#MC machine check",
    [19] = "#XM SIMD error",
    [20] = "#VE virtualization",
    [21] = "#CP control protection",
};

static void (*report_fault)(const char *summary);
static bool handling;

void trap_set_report(void (*on_fault)(const char *summary))
{
    report_fault = on_fault;
    handling = false;
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

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
    char line[160];
    struct text text;
    __builtin_va_list arguments;

    text_init(&text, line, sizeof(line));
    __builtin_va_start(arguments, format);
    text_vformat(&text, format, arguments);
    __builtin_va_end(arguments);
    console_write(SINK_TEXT, line, text.used);
}

// The registers by name, three a line.
static void print_registers(const struct trap_frame *frame, uint64_t fault_address)
{
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {
        {"rip", frame->rip}, {"rsp", frame->rsp},       {"rbp", frame->rbp},
        {"rax", frame->rax}, {"rbx", frame->rbx},       {"rcx", frame->rcx},
        {"rdx", frame->rdx}, {"rsi", frame->rsi},       {"rdi", frame->rdi},
        {"r8", frame->r8},   {"r9", frame->r9},         {"r10", frame->r10},
        {"r11", frame->r11}, {"r12", frame->r12},       {"r13", frame->r13},
        {"r14", frame->r14}, {"r15", frame->r15},       {"cr2", fault_address},
        {"cs", frame->cs},   {"rflags", frame->rflags}, {"error", frame->error},
    };

    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        print("  %-6s %016llx%s", registers[i].name, (unsigned long long)registers[i].value,
              i % 3 == 2 ? "\n" : "");
}

void trap_handle(struct trap_frame *frame)
{
    char summary[96];
    uint64_t fault_address = machine_cr2();

    if (frame->vector == GENERAL_PROTECTION && recover(frame))
        return;
    if (handling)
        machine_leave(OUTCOME_FAIL, NULL);
    handling = true;
    console_open_fallback();
    const char *name = frame->vector >= EXCEPTIONS ? "unexpected interrupt"
                       : names[frame->vector]      ? names[frame->vector]
                                                   : "reserved exception";
    bool overflow =
        frame->vector == PAGE_FAULT && fault_address - (uint64_t)stack_guard < PAGE_SIZE;
    text_print(summary, sizeof(summary), "CPU exception %llu, %s%s, at rip 0x%llx",
               (unsigned long long)frame->vector, name, overflow ? " (stack overflow)" : "",
               (unsigned long long)frame->rip);
    print("\n%s\n", summary);
    print_registers(frame, fault_address);
    if (report_fault)
        report_fault(summary);
    print("FAIL: %s\n", summary);
    machine_leave(OUTCOME_FAIL, NULL);
}
