#include "kernel/xen.h"

#include <machine.h>

#include "lib/text.h"

#define HYPERVISOR_MEMORY_OP  12
#define HYPERVISOR_CONSOLE_IO 18
#define CONSOLEIO_WRITE       0
#define XENMEM_ADD_TO_PHYSMAP 7
#define VENDOR_AMD            0x68747541 // CPUID 0 EBX: "Auth"enticAMD
#define VENDOR_HYGON          0x6f677948 // "Hygo"nGenuine
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
// Called directly, as Linux does since XSA-466: no page of the hypervisor's code is needed. The
// calling convention of 64-bit guests: arch-x86/xen-x86_64.h. False: it raises #UD.
static bool call(uint64_t number, uint64_t first, uint64_t second, uint64_t third, uint64_t *result)
{
    uint32_t vendor = machine_cpuid(0, 0).ebx;
    bool amd = vendor == VENDOR_AMD || vendor == VENDOR_HYGON;
    struct machine_registers registers = {.rax = number, .rdi = first, .rsi = second, .rdx = third};

    if (!machine_call(amd ? CALL_VMMCALL : CALL_VMCALL, &registers))
        return false;
    *result = registers.rax;
    return true;
}

bool xen_is_here(void)
{
    for (uint32_t base = CPUID_HYPERVISOR_BASE; base <= CPUID_HYPERVISOR_BASE + 0x100;
         base += 0x100) {
        char bytes[12];
        signature_bytes(machine_cpuid(base, 0), bytes);
        if (memcmp(bytes, XEN_SIGNATURE, sizeof(bytes)) == 0)
            return true;
    }
    return false;
}

bool xen_console_write(const char *bytes, size_t length)
{
    uint64_t result;

    return call(HYPERVISOR_CONSOLE_IO, CONSOLEIO_WRITE, length, (uint64_t)(uintptr_t)bytes,
                &result) &&
           result == 0;
}

bool xen_time_enable(const struct platform *platform, char *reason, size_t reason_size)
{
    struct add_to_physmap map = {
        .domain = DOMID_SELF,
        .space = XENMAPSPACE_SHARED,
        .frame = (uint64_t)(uintptr_t)&page / PAGE_SIZE,
    };
    uint64_t result;

    if (!scan_block_signed(&platform->scan, XEN_SIGNATURE)) {
        text_print(reason, reason_size, "no Xen leaves");
        return false;
    }
    if (!call(HYPERVISOR_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, (uint64_t)(uintptr_t)&map, 0, &result)) {
        text_print(reason, reason_size, "a hypercall raises #UD");
        return false;
    }
    if (result) {
        text_print(reason, reason_size, "XENMEM_add_to_physmap gives 0x%llx",
                   (unsigned long long)result);
        return false;
    }
    return true;
}

bool xen_time_snapshot(struct pvclock_time *out)
{
    return pvclock_copy(&page.vcpu.time, out);
}
