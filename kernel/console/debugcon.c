// The debug console: a port that prints what is written to it. That of QEMU, Bochs and others reads
// as 0xe9, which nothing else does, at 0xe9 or, where SeaBIOS and OVMF log to, at 0x402. Xen has
// one for all its guests, but only for writing; and a hypercall that shows the text at any log
// level, but only to guests that may use Xen's console, such as dom0.
#include <machine.h>

#include "kernel/console/console.h"
#include "kernel/xen.h"
#include "lib/text.h"

#define PORT          0xe9
#define PORT_FIRMWARE 0x402
#define READS_AS      0xe9

static uint16_t port; // 0: the hypercall

static bool open(unsigned unit, const struct platform *platform, struct sink_account *account)
{
    const char *what = "";

    (void)unit;
    (void)platform;
    port = PORT;
    if (machine_in8(PORT) != READS_AS) {
        if (machine_in8(PORT_FIRMWARE) == READS_AS) {
            port = PORT_FIRMWARE;
        } else if (!xen_is_here()) {
            text_print(account->where, sizeof(account->where),
                       "neither port 0xe9 nor 0x402 reads as 0xe9");
            return false;
        } else if (xen_console_write("", 0)) {
            port = 0;
        } else {
            what = "Xen, ";
        }
    }
    if (port)
        text_print(account->where, sizeof(account->where), "%sport 0x%x", what, port);
    else
        text_print(account->where, sizeof(account->where), "Xen's console, by hypercall");
    return true;
}

static bool write(unsigned unit, const char *bytes, size_t length)
{
    (void)unit;
    if (!port)
        return xen_console_write(bytes, length);
    for (size_t i = 0; i < length; i++)
        machine_out8(port, (uint8_t)bytes[i]);
    return true;
}

const struct sink_device console_debugcon = {"debugcon", 0, open, write};
