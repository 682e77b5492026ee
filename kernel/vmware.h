// VMware's backdoor port, which QEMU answers, too.
#pragma once

#include "kernel/platform.h"

// Does port 0x5658 answer GETVERSION? Asked only where this is QEMU by its fw_cfg, or a hypervisor
// is present that is VMware, KVM, QEMU TCG or does not say: elsewhere it would be a read of who
// knows what.
bool vmware_port_answers(const struct platform *platform);

// Where the source "vmware-port" makes a claim: brackets its GETHZ, for what it costs.
void vmware_bracket_gethz(struct bracket *out);
