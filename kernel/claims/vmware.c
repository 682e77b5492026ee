// VMware's backdoor: GETHZ gives TSC and bus in hertz. Linux arch/x86/kernel/cpu/vmware.c and
// arch/x86/include/asm/vmware.h; open-vm-tools lib/include/backdoor_def.h. QEMU answers it too
// (hw/i386/vmport.c), so each claim says who did.
#include <machine.h>

#include "kernel/claims/claims.h"
#include "kernel/vmware.h"
#include "lib/span.h"
#include "lib/text.h"

#define PORT_SOURCE "vmware-port"
#define CALL_SOURCE "vmware-call"

#define MAGIC          0x564d5868u // BDOOR_MAGIC, "VMXh"
#define PORT           0x5658u     // BDOOR_PORT, "VX"
#define GETVERSION     10          // BDOOR_CMD_GETVERSION
#define GETHZ          45          // BDOOR_CMD_GETHZ
#define UNANSWERED     UINT32_MAX  // EBX going in, and coming out where a command is not known
#define TIMING_VMMCALL (1u << 0)   // ECX of leaf 0x40000010, CPUID_VMWARE_FEATURES_ECX_VMMCALL
#define TIMING_VMCALL  (1u << 1)   // CPUID_VMWARE_FEATURES_ECX_VMCALL

// False: the instruction raised an exception.
static bool ask(enum machine_call call, uint32_t command, struct machine_registers *registers)
{
    *registers = (struct machine_registers){
        .rax = MAGIC,
        .rbx = UNANSWERED,
        .rcx = command,
        .rdx = call == CALL_PORT ? PORT : 0,
    };
    if (!machine_call(call, registers))
        return false;
    registers->rax &= UINT32_MAX;
    registers->rbx &= UINT32_MAX;
    registers->rcx &= UINT32_MAX;
    return true;
}

static void state(struct claim *claim, const char *source, enum claim_clock clock, uint64_t hertz,
                  const char *who)
{
    uint64_t rate;

    if (__builtin_mul_overflow(hertz, MILLIHERTZ_PER_HZ, &rate))
        rate = UINT64_MAX;
    claim_stated(claim, source, clock, false, rate, MILLIHERTZ_PER_HZ, "%s", who);
}

static size_t collect_by(enum machine_call call, const char *source, const char *who,
                         struct claim out[2])
{
    struct machine_registers registers;

    if (!ask(call, GETVERSION, &registers)) {
        claim_absent(out, source, CLAIM_TSC, false, "the call raises #UD");
        return 1;
    }
    if (registers.rbx == MAGIC) {
        if (ask(call, GETHZ, &registers) && registers.rbx != UNANSWERED) {
            state(&out[0], source, CLAIM_TSC, registers.rbx << 32 | registers.rax, who);
            state(&out[1], source, CLAIM_BUS, registers.rcx, who);
            return 2;
        }
        claim_absent(out, source, CLAIM_TSC, false, "%s, but does not know GETHZ", who);
        return 1;
    }
    claim_absent(out, source, CLAIM_TSC, false, "%s",
                 call == CALL_PORT ? "nothing answers at port 0x5658" : "the call is not answered");
    return 1;
}

// QEMU, whatever CPUID hides: with kvm=off, behind Hyper-V's leaves, or without the present bit.
// Not that around a hypervisor which passes ports through to its first guest: it states its own
// TSC.
static bool is_qemu(const struct platform *platform)
{
    const struct signature *vendor = scan_vendor(&platform->scan);

    if (platform->fw_cfg.present)
        return !vendor || !span_is_one_of(span_of(vendor->vendor), "Xen|ACRN|Jailhouse|Intel KGT");
    return vendor && span_is_one_of(span_of(vendor->vendor), "KVM|QEMU TCG");
}

// Somebody that has the port, or does not say who they are.
static bool is_askable(const struct platform *platform)
{
    const struct scan *scan = &platform->scan;

    return (platform->fw_cfg.present && is_qemu(platform)) ||
           (scan->present &&
            (!scan_vendor(scan) || scan_has_vendor(scan, "VMware") || is_qemu(platform)));
}

bool vmware_port_answers(const struct platform *platform)
{
    struct machine_registers registers;

    return is_askable(platform) && ask(CALL_PORT, GETVERSION, &registers) && registers.rbx == MAGIC;
}

void vmware_bracket_gethz(struct bracket *out)
{
    machine_bracket_backdoor(PORT, MAGIC, GETHZ, out);
}

static size_t collect_vmware(const struct platform *platform, struct claim *out, size_t max)
{
    const struct scan *scan = &platform->scan;
    bool vmware = scan_has_vendor(scan, "VMware");
    const char *who = vmware              ? "VMware answers"
                      : is_qemu(platform) ? "QEMU's vmport answers"
                                          : "it answers without VMware's leaves";
    size_t count;

    if (!is_askable(platform))
        return claim_foreign(out, max, PORT_SOURCE, false, "neither VMware nor QEMU");
    if (max < 4)
        return 0;
    count = collect_by(CALL_PORT, PORT_SOURCE, who, out);
    // Only VMware announces the calls.
    if (!vmware)
        return count;
    if (scan->timing_in_range && scan->timing.ecx & (TIMING_VMMCALL | TIMING_VMCALL))
        return count + collect_by((scan->timing.ecx & TIMING_VMCALL) ? CALL_VMCALL : CALL_VMMCALL,
                                  CALL_SOURCE, who, out + count);
    claim_absent(out + count, CALL_SOURCE, CLAIM_TSC, false,
                 "leaf 0x40000010 ECX bits 0 and 1 are clear");
    return count + 1;
}

const struct claim_source claim_vmware_port = {.name = PORT_SOURCE, .collect = collect_vmware};
