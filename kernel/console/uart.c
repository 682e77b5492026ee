// COM1 to COM4 and PCI serial cards: 16550-compatible UARTs, polled. National Semiconductor
// PC16550D data sheet.
#include <machine.h>

#include "kernel/console/console.h"
#include "kernel/pci.h"
#include "lib/text.h"

// Where the IBM PC and its successors have their ports; none has an identification beyond itself.
static const uint16_t com_ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
#define UNIT_PCI ARRAY_SIZE(com_ports)

// PCI Code and ID Assignment, 1.8: "Simple Communication Controllers", serial; the programming
// interfaces are 16550, 16650, 16750, 16850 and 16950. The older ones, 8250 and 16450, are no cards
// that any hypervisor has.
#define CLASS_SERIAL    0x0700
#define INTERFACE_16550 2
#define INTERFACE_16950 6

// Registers, as offsets from the base port.
#define UART_DATA         0
#define UART_INTERRUPT    1
#define UART_DIVISOR_LOW  0 // while LINE_DIVISOR is set
#define UART_DIVISOR_HIGH 1
#define UART_FIFO         2 // write
#define FIFO_ENABLE_CLEAR 0x07
#define UART_IDENTIFY     2 // read
#define IDENTIFY_FIFO     0xc0
#define UART_LINE         3
#define LINE_8N1          0x03
#define LINE_DIVISOR      0x80
#define UART_MODEM        4
#define MODEM_DTR_RTS     0x03
#define UART_STATUS       5
#define STATUS_SEND_READY 0x20
#define STATUS_SEND_IDLE  0x60
#define STATUS_ABSENT     0xff // no device: the bus floats high
#define UART_SCRATCH      7

#define DIVISOR_115200 1
#define FIFO_DEPTH     16

// A character takes 87 us at 115200 baud, a full FIFO 1.4 ms. An idle transmitter that is not ready
// in the time of 100000 reads, 10 ms and more, is dead.
#define OPEN_CYCLES 100000000u
#define OPEN_READS  100000
// While running, the far end may be a pipe that somebody reads slowly: a few seconds of patience,
// once.
#define WRITE_CYCLES 10000000000ull
#define WRITE_READS  4000000

static struct {
    uint16_t base;
    unsigned burst; // characters that may be sent after each wait
} uarts[UNIT_PCI + 1];

static bool wait_ready(uint16_t base, uint64_t cycles, uint32_t reads)
{
    uint64_t start = machine_tsc();

    while (!(machine_in8(base + UART_STATUS) & STATUS_SEND_READY)) {
        if (--reads == 0 || machine_tsc() - start > cycles)
            return false;
        machine_pause();
    }
    return true;
}

static bool scratch_holds(uint16_t base, uint8_t value)
{
    machine_out8(base + UART_SCRATCH, value);
    return machine_in8(base + UART_SCRATCH) == value;
}

// Returns the burst length, 0 if there is no UART that works.
static unsigned open_uart(uint16_t base)
{
    uint8_t status = machine_in8(base + UART_STATUS);

    // The oldest UARTs have no scratch register; those must at least look idle.
    if (status == STATUS_ABSENT)
        return 0;
    if (!(scratch_holds(base, 0x5a) && scratch_holds(base, 0xa5)) &&
        (status & STATUS_SEND_IDLE) != STATUS_SEND_IDLE)
        return 0;
    machine_out8(base + UART_INTERRUPT, 0);
    machine_out8(base + UART_LINE, LINE_DIVISOR);
    machine_out8(base + UART_DIVISOR_LOW, DIVISOR_115200);
    machine_out8(base + UART_DIVISOR_HIGH, 0);
    machine_out8(base + UART_LINE, LINE_8N1);
    machine_out8(base + UART_FIFO, FIFO_ENABLE_CLEAR);
    machine_out8(base + UART_MODEM, MODEM_DTR_RTS);
    if (!wait_ready(base, OPEN_CYCLES, OPEN_READS))
        return 0;
    return (machine_in8(base + UART_IDENTIFY) & IDENTIFY_FIFO) == IDENTIFY_FIFO ? FIFO_DEPTH : 1;
}

static bool write_uart(uint16_t base, unsigned burst, const char *bytes, size_t length)
{
    unsigned room = 0;
    bool return_sent = false;

    for (size_t i = 0; i < length;) {
        if (room == 0) {
            if (!wait_ready(base, WRITE_CYCLES, WRITE_READS))
                return false;
            room = burst;
        }
        room--;
        // Terminals want a carriage return before each line feed.
        if (bytes[i] == '\n' && !return_sent) {
            machine_out8(base + UART_DATA, '\r');
            return_sent = true;
            continue;
        }
        machine_out8(base + UART_DATA, (uint8_t)bytes[i++]);
        return_sent = false;
    }
    return true;
}

static bool open_at(unsigned unit, uint16_t base)
{
    uarts[unit].base = base;
    uarts[unit].burst = open_uart(base);
    return uarts[unit].burst != 0;
}

static bool open_com(unsigned unit, const struct platform *platform, struct sink_account *account)
{
    uint16_t base = com_ports[unit];
    bool found = open_at(unit, base);

    (void)platform;
    text_print(account->where, sizeof(account->where), found ? "port 0x%x" : "no UART at 0x%x",
               base);
    return found;
}

// A card that has decoding of its ports switched off gets it switched on, and off again if there is
// no UART behind them.
static bool try_card(struct pci_function function, void *context)
{
    struct sink_account *account = context;
    char at[PCI_NAME_SIZE];
    uint32_t class = pci_read(function, PCI_CLASS);
    uint8_t interface = class >> 8 & 0xff;

    if (class >> 16 != CLASS_SERIAL || interface < INTERFACE_16550 || interface > INTERFACE_16950)
        return false;
    uint32_t bar = pci_read(function, PCI_BAR_0);
    uint32_t command = pci_read(function, PCI_COMMAND) & 0xffff; // status bits clear by ones
    uint32_t base = bar & ~3u;
    pci_name(function, at);
    if (!(bar & PCI_BAR_IO) || base == 0 || base > 0xfff8) {
        text_print(account->where, sizeof(account->where), "the card at %s has no I/O port", at);
        return false;
    }
    if (!(command & PCI_COMMAND_IO))
        pci_write(function, PCI_COMMAND, command | PCI_COMMAND_IO);
    if (open_at(UNIT_PCI, (uint16_t)base)) {
        text_print(account->where, sizeof(account->where), "PCI %s, port 0x%x", at, base);
        return true;
    }
    if (!(command & PCI_COMMAND_IO))
        pci_write(function, PCI_COMMAND, command);
    text_print(account->where, sizeof(account->where), "the card at %s has no UART at 0x%x", at,
               base);
    return false;
}

static bool open_card(unsigned unit, const struct platform *platform, struct sink_account *account)
{
    (void)unit;
    (void)platform;
    text_print(account->where, sizeof(account->where),
               pci_present() ? "no PCI serial card" : "no PCI bus");
    return pci_find(try_card, account);
}

static bool write(unsigned unit, const char *bytes, size_t length)
{
    return write_uart(uarts[unit].base, uarts[unit].burst, bytes, length);
}

const struct sink_device console_com1 = {"com1", 0, open_com, write};
const struct sink_device console_com2 = {"com2", 1, open_com, write};
const struct sink_device console_com3 = {"com3", 2, open_com, write};
const struct sink_device console_com4 = {"com4", 3, open_com, write};
const struct sink_device console_pciserial = {"pciserial", UNIT_PCI, open_card, write};
