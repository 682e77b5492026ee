// The machines of tests/sim/variants.c, for the table in tests/sim/machines.c.
#pragma once

#include "tests/sim/sim.h"

struct sim_config nitro(void);
struct sim_config tdx(void);
struct sim_config cloud_hypervisor_hyperv(void);
struct sim_config kvmtool(void);
struct sim_config openbsd_vmm(void);
struct sim_config qemu_whpx(void);
struct sim_config qemu_hvf(void);
struct sim_config haxm(void);
struct sim_config nvmm(void);
struct sim_config xen_viridian(void);
struct sim_config virtualbox_hyperv(void);
struct sim_config virtualbox_kvm(void);
struct sim_config parallels(void);
struct sim_config apple_vz(void);
struct sim_config qnx(void);
struct sim_config intel_kgt(void);
