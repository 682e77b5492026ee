// What hypervisors offer their guests about time: KVM's and Xen's clock pages, Hyper-V's reference
// TSC page, VMware's backdoor. A page of the guest is one of the kernel's own variables here, so
// the addresses that it gives are this process's.
#include "tests/sim/model.h"

#include <string.h>

#include "lib/hyperv_page.h"
#include "lib/pvclock.h"

#define MSR_PVCLOCK_OLD   0x12
#define MSR_PVCLOCK       0x4b564d01
#define MSR_REFERENCE_TSC 0x40000021
#define MSR_STEAL_TIME    0x4b564d03
#define MSR_ENABLE        1u

// As KVM's struct kvm_steal_time begins.
struct steal_time {
    uint64_t steal;
    uint32_t version, flags;
};

void paravirt_delay(uint64_t length_fs)
{
    const struct sim_steal *config = &sim.config->paravirt.steal;
    uint64_t value = sim.result->left.steal;

    if (!(value & MSR_ENABLE) || config->silent)
        return;
    struct steal_time *page =
        (void *)(uintptr_t)(value & ~63ull); // NOLINT(performance-no-int-to-ptr)
    page->version += 2;
    page->steal += length_fs / FS_PER_NS * config->permille / 1000;
}

static bool write_steal(uint64_t value)
{
    const struct sim_steal *config = &sim.config->paravirt.steal;

    if (!config->present)
        return false;
    if (value & 0x3e)
        sim_violation("a reserved bit of the steal time's MSR", MSR_STEAL_TIME, value);
    sim.result->left.steal = value;
    paravirt_delay(0);
    if (value & MSR_ENABLE && config->busy)
        ((struct steal_time *)(uintptr_t)(value & ~63ull))->version |=
            1; // NOLINT(performance-no-int-to-ptr)
    return true;
}

void paravirt_reset(void)
{
    memset(&sim.result->left, 0, sizeof(sim.result->left));
    sim.result->left.reference_tsc = sim.config->paravirt.tsc_page.before;
}

static void fill_time(struct pvclock_time *page, const struct sim_time_page *time)
{
    if (time->silent)
        return;
    *page = (struct pvclock_time){
        .version = time->busy ? 3 : 2,
        .tsc_timestamp = sim_tsc(),
        .system_time = sim.now_fs / FS_PER_NS,
        .mul = time->mul,
        .shift = time->shift,
        .flags = time->flags,
    };
}

// local_time_calibration of Xen's xen/arch/x86/time.c: the pair lies on the line of the last one,
// or at the platform timer where that is ahead. A multiplier that is 1 to 3 ppm low makes it so.
void paravirt_pass(void)
{
    static const uint32_t low[] = {4000, 9000, 6000};
    struct pvclock_time *page = sim.xen_time;

    if (!page || !sim.config->xen_pair_ns || sim.now_fs < sim.xen_next_fs)
        return;
    uint64_t tsc = sim_tsc();
    uint64_t ns = pvclock_ns(page, tsc);
    page->version += 2;
    if (sim.config->xen_steered) {
        uint64_t platform = (uint64_t)(oscillator_phase(&sim.xen_platform, sim.now_fs) >> 64);
        ns = platform > ns ? platform : ns;
        page->mul = sim.config->paravirt.xen.mul - low[page->version / 2 % ARRAY_SIZE(low)];
    }
    page->tsc_timestamp = tsc;
    page->system_time = ns;
    sim.xen_next_fs = sim.now_fs + sim.config->xen_pair_ns * FS_PER_NS;
}

static void *guest_page(uint64_t address, uint64_t alignment, uint64_t length)
{
    if (address % alignment || address % PAGE_SIZE + length > PAGE_SIZE) {
        sim_violation("a page that does not lie as it must", address, length);
        return NULL;
    }
    return (void *)(uintptr_t)address;
}

static bool write_pvclock(uint32_t msr, uint64_t value)
{
    const struct sim_vcpu *vcpu = &sim.config->vcpus[vcpus_current()];
    const struct sim_time_page *time =
        vcpu->own_pvclock ? &vcpu->pvclock : &sim.config->paravirt.pvclock;

    if (!time->present || (time->old_only && msr != MSR_PVCLOCK_OLD))
        return false;
    sim.result->left.pvclock = value;
    sim.result->left.pvclock_writes++;
    if (value & MSR_ENABLE) {
        struct pvclock_time *page = guest_page(value & ~(uint64_t)MSR_ENABLE, 4, sizeof(*page));
        if (page) {
            fill_time(page, time);
            page->system_time += (uint64_t)vcpu->pvclock_ahead_ns;
        }
    }
    return true;
}

static bool write_reference_tsc(uint64_t value)
{
    const struct sim_tsc_page *config = &sim.config->paravirt.tsc_page;

    if (!config->present)
        return false;
    sim.result->left.reference_tsc = value;
    if (value != config->before && value & MSR_ENABLE) {
        struct hyperv_page *page = guest_page(value & ~(uint64_t)MSR_ENABLE, PAGE_SIZE, PAGE_SIZE);
        if (page)
            *page = (struct hyperv_page){.sequence = config->sequence, .scale = config->scale};
    }
    return true;
}

bool paravirt_write_msr(uint32_t msr, uint64_t value, bool *ok)
{
    switch (msr) {
    case MSR_PVCLOCK:
    case MSR_PVCLOCK_OLD:
        *ok = write_pvclock(msr, value);
        return true;
    case MSR_STEAL_TIME:
        *ok = write_steal(value);
        return true;
    case MSR_REFERENCE_TSC:
        *ok = write_reference_tsc(value);
        return true;
    default:
        return false;
    }
}

bool paravirt_read_msr(uint32_t msr, uint64_t *value)
{
    if (msr == MSR_PVCLOCK && sim.config->paravirt.pvclock.present) {
        *value = sim.result->left.pvclock;
        return true;
    }
    if (msr != MSR_REFERENCE_TSC || !sim.config->paravirt.tsc_page.present)
        return false;
    *value = sim.result->left.reference_tsc;
    return true;
}

// --- Calls

static void answer_backdoor(struct machine_registers *r)
{
    enum { MAGIC = 0x564d5868, GETVERSION = 10, GETHZ = 45 };
    const struct sim_backdoor *backdoor = &sim.config->paravirt.backdoor;

    if ((uint32_t)r->rax != MAGIC)
        sim_violation("a backdoor call without its magic number", r->rax, r->rcx);
    switch (r->rcx) {
    case GETVERSION:
        r->rax = 6;
        r->rbx = MAGIC;
        r->rcx = 2;
        break;
    case GETHZ:
        if (!backdoor->gethz) {
            r->rbx = UINT32_MAX;
            break;
        }
        r->rax = (uint32_t)backdoor->tsc_hz;
        r->rbx = backdoor->tsc_hz >> 32;
        r->rcx = backdoor->bus_hz;
        break;
    default:
        sim_violation("a backdoor command that the design does not use", r->rcx, r->rax);
    }
}

// CONSOLEIO_write, whose buffer is the process's memory. -EPERM where it is not allowed.
static void answer_xen_console(struct machine_registers *r)
{
    if (r->rdi != 0)
        sim_violation("a console operation that the design does not use", r->rdi, r->rsi);
    r->rax = sim.config->paravirt.xen_console ? 0 : (uint64_t)-1;
    if (r->rax)
        return;
    for (uint64_t i = 0; i < r->rsi; i++)
        sim_text_add(&sim.result->xen_console, ((const uint8_t *)(uintptr_t)r->rdx)[i]);
}

static void answer_xen(struct machine_registers *r)
{
    struct {
        uint16_t domain, size;
        uint32_t space;
        uint64_t index, frame;
    } map;
    uint8_t *page;

    memcpy(&map, (const void *)(uintptr_t)r->rsi, sizeof(map));
    if (r->rax != 12 || r->rdi != 7 || map.domain != 0x7ff0 || map.space || map.index)
        sim_violation("a hypercall that the design does not use", r->rax, r->rdi);
    r->rax = (uint64_t)(int64_t)sim.config->paravirt.xen_result;
    page = guest_page(map.frame * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE);
    if (r->rax == 0 && page) {
        memset(page, 0, PAGE_SIZE);
        memset(page, 0xee, 32);
        fill_time((struct pvclock_time *)(page + 32), &sim.config->paravirt.xen);
        if (sim.config->xen_steered)
            ((struct pvclock_time *)(page + 32))->system_time =
                (uint64_t)(oscillator_phase(&sim.xen_platform, sim.now_fs) >> 64);
        sim.xen_time = (struct pvclock_time *)(page + 32);
        sim.xen_next_fs = sim.now_fs + sim.config->xen_pair_ns * FS_PER_NS;
    }
}

bool paravirt_call(enum machine_call kind, struct machine_registers *r)
{
    const struct sim_paravirt *config = &sim.config->paravirt;
    bool amd = cpuid_answer(0, 0).ebx == 0x68747541; // "Auth"

    if (kind == CALL_PORT) {
        if ((uint16_t)r->rdx != 0x5658)
            sim_violation("a call by another port than VMware's", r->rdx, r->rcx);
        if (config->backdoor.port) {
            answer_backdoor(r);
        } else {
            policy_check(SPACE_PORT, (uint16_t)r->rdx, false, 0);
            r->rax = sim_open_bus();
        }
        return true;
    }
    // The other vendor's instruction is none.
    if (kind != (amd ? CALL_VMMCALL : CALL_VMCALL) && !config->backdoor.call)
        return false;
    if (config->backdoor.call)
        answer_backdoor(r);
    else if (config->xen.present && r->rax == 18)
        answer_xen_console(r);
    else if (config->xen.present)
        answer_xen(r);
    else
        return false;
    return true;
}

bool machine_call(enum machine_call kind, struct machine_registers *r)
{
    sim_operation();
    sim_before(SIM_MSR);
    bool ok = paravirt_call(kind, r);
    sim_after(SIM_MSR);
    return ok;
}
