// COM1 and COM2: 16550-compatible UARTs, polled. National Semiconductor PC16550D data sheet.
#include <machine.h>

#include "kernel/console/console.h"

#define COM1 0x3f8
#define COM2 0x2f8

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

static unsigned burst_com1, burst_com2; // characters that may be sent after each wait

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

static bool open_com1(void)
{
    burst_com1 = open_uart(COM1);
    return burst_com1 != 0;
}

static bool open_com2(void)
{
    burst_com2 = open_uart(COM2);
    return burst_com2 != 0;
}

static bool write_com1(const char *bytes, size_t length)
{
    return write_uart(COM1, burst_com1, bytes, length);
}

static bool write_com2(const char *bytes, size_t length)
{
    return write_uart(COM2, burst_com2, bytes, length);
}

const struct sink_device console_com1 = {"com1", open_com1, write_com1};
const struct sink_device console_com2 = {"com2", open_com2, write_com2};
