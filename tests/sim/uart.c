// A 16550A UART at 0x3f8 or 0x2f8. National Semiconductor PC16550D data sheet.
#include "tests/sim/model.h"

#define DATA         0 // divisor low while DLAB
#define INTERRUPTS   1 // divisor high while DLAB
#define FIFO         2 // read: interrupt identification
#define LINE         3
#define LINE_8N1     0x03
#define LINE_DLAB    0x80
#define MODEM        4
#define MODEM_LOOP   0x10
#define LINE_STATUS  5
#define DATA_READY   0x01
#define THR_EMPTY    0x20
#define ALL_EMPTY    0x40
#define MODEM_STATUS 6
#define SCRATCH      7

#define FIFO_BYTES 16

void uart_reset(struct uart *uart, const struct sim_uart *config, struct sim_text *text)
{
    *uart = (struct uart){.config = config, .text = text};
}

static bool refuses(const struct uart *uart)
{
    const struct sim_uart *config = uart->config;

    return config->dead || (config->stops_after && uart->taken >= config->stops_after);
}

static bool is_empty(const struct uart *uart)
{
    return !refuses(uart) && sim.now_fs >= uart->empty_fs;
}

static uint64_t waiting(const struct uart *uart)
{
    uint64_t byte_fs = (uint64_t)uart->config->byte_ns * FS_PER_NS;

    return sim.now_fs >= uart->empty_fs ? 0 : (uart->empty_fs - sim.now_fs + byte_fs - 1) / byte_fs;
}

static void send(struct uart *uart, uint8_t byte)
{
    if (uart->modem & MODEM_LOOP) {
        uart->loop_data = byte;
        uart->loop_ready = true;
        return;
    }
    uint64_t room = uart->fifo & 1 ? FIFO_BYTES : 1;
    if (refuses(uart) && uart->stuck < room && !uart->config->dead) {
        uart->stuck++; // it stopped with this byte in its FIFO
        return;
    }
    if (refuses(uart) || waiting(uart) >= room) {
        sim_violation("a byte for a UART that is not ready was lost", DATA, byte);
        return;
    }
    if (uart->line != LINE_8N1)
        sim_violation("a byte was sent while the UART was not set to 8N1", LINE, uart->line);
    if (uart->divisor != 1)
        sim_violation("a byte was sent at another rate than 115200 baud", DATA, uart->divisor);
    uint64_t from_fs = sim.now_fs > uart->empty_fs ? sim.now_fs : uart->empty_fs;
    uart->empty_fs = from_fs + (uint64_t)uart->config->byte_ns * FS_PER_NS;
    uart->taken++;
    sim_text_add(uart->text, byte);
}

uint8_t uart_read(struct uart *uart, uint16_t port)
{
    switch (port & 7) {
    case DATA:
        if (uart->line & LINE_DLAB)
            return (uint8_t)uart->divisor;
        uart->loop_ready = false;
        return uart->loop_data;
    case INTERRUPTS:
        return uart->line & LINE_DLAB ? (uint8_t)(uart->divisor >> 8) : uart->interrupts;
    case FIFO:
        return uart->fifo & 1 ? 0xc1 : 0x01;
    case LINE:
        return uart->line;
    case MODEM:
        return uart->modem;
    case LINE_STATUS:
        return (uint8_t)((uart->loop_ready ? DATA_READY : 0) |
                         (is_empty(uart) ? THR_EMPTY | ALL_EMPTY : 0));
    case MODEM_STATUS:
        return 0xb0; // clear to send, data set ready, carrier
    default:
        return uart->scratch;
    }
}

void uart_write(struct uart *uart, uint16_t port, uint8_t value)
{
    switch (port & 7) {
    case DATA:
        if (uart->line & LINE_DLAB)
            uart->divisor = (uint16_t)((uart->divisor & 0xff00) | value);
        else
            send(uart, value);
        break;
    case INTERRUPTS:
        if (uart->line & LINE_DLAB)
            uart->divisor = (uint16_t)((uart->divisor & 0xff) | value << 8);
        else
            uart->interrupts = value;
        break;
    case FIFO:
        uart->fifo = value;
        break;
    case LINE:
        uart->line = value;
        break;
    case MODEM:
        uart->modem = value & 0x1f;
        break;
    case SCRATCH:
        uart->scratch = value;
        break;
    default:
        sim_violation("write to a read-only UART register", port, value);
    }
}
