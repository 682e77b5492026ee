#include "kernel/xen.h"

#include <machine.h>

#include "lib/text.h"

#define PAGE_SIZE             4096
#define HYPERVISOR_MEMORY_OP  12
#define XENMEM_ADD_TO_PHYSMAP 7
#define DOMID_SELF            0x7ff0
#define XENMAPSPACE_SHARED    0 // XENMAPSPACE_shared_info

// struct xen_add_to_physmap of a 64-bit guest
struct add_to_physmap {
    uint16_t domain, size;
    uint32_t space;
    uint64_t index, frame;
};

// In vcpu_info[0], with which the page begins, the time follows 32 bytes of event channel and
// architecture state, in the 32-bit layout too.
static _Alignas(PAGE_SIZE) union {
    struct {
        uint8_t events[32];
        struct pvclock_time time;
    } vcpu;
    uint8_t bytes[PAGE_SIZE];
} page;

// The instruction for a hypercall is the one that this CPU vendor's virtualization intercepts.
// Called directly, as Linux does since XSA-466: no page of the hypervisor's code is needed.
static enum machine_call instruction(const struct scan *scan)
{
    bool amd = text_equal(scan->cpu_vendor, "AuthenticAMD") ||
               text_equal(scan->cpu_vendor, "HygonGenuine");

    return amd ? CALL_VMMCALL : CALL_VMCALL;
}

bool xen_time_enable(const struct platform *platform, char *reason, size_t reason_size)
{
    struct add_to_physmap map = {
        .domain = DOMID_SELF,
        .space = XENMAPSPACE_SHARED,
        .frame = (uint64_t)(uintptr_t)&page / PAGE_SIZE,
    };
    // The calling convention of 64-bit guests: arch-x86/xen-x86_64.h.
    struct machine_registers registers = {
        .rax = HYPERVISOR_MEMORY_OP,
        .rdi = XENMEM_ADD_TO_PHYSMAP,
        .rsi = (uint64_t)(uintptr_t)&map,
    };

    if (!scan_block_signed(&platform->scan, XEN_SIGNATURE)) {
        text_print(reason, reason_size, "no Xen leaves");
        return false;
    }
    memset(&page, 0, sizeof(page));
    if (!machine_call(instruction(&platform->scan), &registers)) {
        text_print(reason, reason_size, "a hypercall raises #UD");
        return false;
    }
    if (registers.rax) {
        text_print(reason, reason_size, "XENMEM_add_to_physmap gives 0x%llx",
                   (unsigned long long)registers.rax);
        return false;
    }
    return true;
}

bool xen_time_snapshot(struct pvclock_time *out)
{
    return pvclock_copy(&page.vcpu.time, out);
}
