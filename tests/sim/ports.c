// I/O ports: which device answers, and the small ones themselves.
#include "tests/sim/model.h"

#define RTC_INDEX         0x70 // of the CMOS clock, with its data port behind it
#define DEBUGCON          0xe9
#define DEBUGCON_402      0x402
#define PCI_ADDRESS       0xcf8
#define PCI_DATA          0xcfc
#define DEBUG_EXIT        0xf4
#define KEYBOARD          0x64
#define KEYBOARD_RESET    0xfe
#define CF9               0xcf9
#define CRTC_INDEX        0x3d4 // of the VGA, with its data port behind it
#define CF9_HARD_RESET    0x06
#define PM1_SLEEP_ENABLE  (1u << 13) // ACPI 6.5, 4.8.3.2.1
#define PM1_SLEEP_TYPE(v) ((v) >> 10 & 7)
#define S5_TYPE           5 // what acpi.c puts into \_S5

struct port_device {
    uint16_t first, last;
    unsigned sizes; // bit n: accesses of n bytes
    bool (*present)(void);
    uint32_t (*read)(uint16_t port);
    void (*write)(uint16_t port, uint32_t value);
};

static bool has_pit(void)
{
    return sim.config->pit.clock.fault != SIM_ABSENT;
}

static bool has_port_61(void)
{
    return sim.config->pit.has_port_61;
}

static uint32_t read_pit(uint16_t port)
{
    return pit_read(port);
}

static void write_pit(uint16_t port, uint32_t value)
{
    pit_write(port, (uint8_t)value);
}

static bool has_rtc(void)
{
    return sim.config->rtc.clock.fault != SIM_ABSENT;
}

static uint32_t read_rtc(uint16_t port)
{
    if (port == RTC_INDEX)
        sim_violation("the CMOS index is write-only", port, 0);
    return rtc_read();
}

static void write_rtc(uint16_t port, uint32_t value)
{
    if (port == RTC_INDEX)
        sim.rtc_index = value & 0x7f;
    else
        sim_violation("write to a CMOS byte", sim.rtc_index, value);
}

// The UARTs at the four places of a PC, by bits 9 to 3 of their ports.
static struct uart *com_at(uint16_t port)
{
    switch (port & ~7u) {
    case 0x3f8:
        return &sim.com1;
    case 0x2f8:
        return &sim.com2;
    case 0x3e8:
        return &sim.com3;
    default:
        return &sim.com4;
    }
}

static bool has_com1(void)
{
    return sim.config->com1.present;
}

static bool has_com2(void)
{
    return sim.config->com2.present;
}

static bool has_com3(void)
{
    return sim.config->com3.present;
}

static bool has_com4(void)
{
    return sim.config->com4.present;
}

static uint32_t read_com(uint16_t port)
{
    return uart_read(com_at(port), port);
}

static void write_com(uint16_t port, uint32_t value)
{
    uart_write(com_at(port), port, (uint8_t)value);
}

static bool has_pci(void)
{
    return sim.config->pci.present;
}

static bool has_debugcon(void)
{
    return sim.config->debugcon != SIM_DEBUGCON_NONE;
}

static uint32_t read_debugcon(uint16_t port)
{
    return port != DEBUGCON || sim.config->debugcon == SIM_DEBUGCON_READABLE ? 0xe9 : 0xff;
}

static bool has_debugcon_402(void)
{
    return sim.config->debugcon_402;
}

static void write_debugcon(uint16_t port, uint32_t value)
{
    (void)port;
    sim_text_add(&sim.result->debugcon, (uint8_t)value);
}

static bool has_debug_exit(void)
{
    return sim.config->debug_exit;
}

static void write_debug_exit(uint16_t port, uint32_t value)
{
    (void)port;
    sim_leave(SIM_DEBUG_EXIT, value);
}

static bool has_keyboard_reset(void)
{
    return sim.config->keyboard_reset;
}

static uint32_t read_keyboard(uint16_t port)
{
    (void)port;
    return 0x1c; // input buffer empty
}

static void write_keyboard(uint16_t port, uint32_t value)
{
    if (value == KEYBOARD_RESET)
        sim_leave(SIM_RESET, port);
    sim_violation("a keyboard controller command other than reset", port, value);
}

static bool has_cf9(void)
{
    return sim.config->cf9_reset;
}

static void write_cf9(uint16_t port, uint32_t value)
{
    if (value == CF9_HARD_RESET)
        sim_leave(SIM_RESET, port);
}

static bool has_screen(void)
{
    return sim.config->screen;
}

static void check_crtc_index(void)
{
    enum { CURSOR_HIGH = 0x0e, CURSOR_LOW = 0x0f };

    if (sim.crtc_index != CURSOR_HIGH && sim.crtc_index != CURSOR_LOW)
        sim_violation("a CRT controller register other than the cursor's", sim.crtc_index, 0);
}

static uint32_t read_crtc(uint16_t port)
{
    if (port == CRTC_INDEX)
        return sim.crtc_index;
    check_crtc_index();
    return sim.crtc_cursor[sim.crtc_index & 1];
}

static void write_crtc(uint16_t port, uint32_t value)
{
    if (port == CRTC_INDEX) {
        sim.crtc_index = (uint8_t)value;
        return;
    }
    check_crtc_index();
    sim.crtc_cursor[sim.crtc_index & 1] = (uint8_t)value;
}

static bool has_fw_cfg(void)
{
    return sim.config->fw_cfg.present;
}

static uint32_t read_fw_cfg(uint16_t port)
{
    (void)port;
    return fw_cfg_read_byte();
}

static void write_fw_cfg(uint16_t port, uint32_t value)
{
    (void)port;
    fw_cfg_select((uint16_t)value);
}

static bool has_pic(void)
{
    return sim.config->pic;
}

// The devices at addresses that never change.
static const struct port_device devices[] = {
    {0x40, 0x43, 1 << 1, has_pit, read_pit, write_pit},
    {0x61, 0x61, 1 << 1, has_port_61, read_pit, write_pit},
    {0x20, 0x21, 1 << 1, has_pic, pic_read, pic_write},
    {0xa0, 0xa1, 1 << 1, has_pic, pic_read, pic_write},
    {KEYBOARD, KEYBOARD, 1 << 1, has_keyboard_reset, read_keyboard, write_keyboard},
    {RTC_INDEX, RTC_INDEX + 1, 1 << 1, has_rtc, read_rtc, write_rtc},
    {DEBUGCON, DEBUGCON, 1 << 1, has_debugcon, read_debugcon, write_debugcon},
    {DEBUG_EXIT, DEBUG_EXIT, 1 << 1 | 1 << 4, has_debug_exit, NULL, write_debug_exit},
    {0x2e8, 0x2ef, 1 << 1, has_com4, read_com, write_com},
    {0x2f8, 0x2ff, 1 << 1, has_com2, read_com, write_com},
    {0x3e8, 0x3ef, 1 << 1, has_com3, read_com, write_com},
    {0x3f8, 0x3ff, 1 << 1, has_com1, read_com, write_com},
    {DEBUGCON_402, DEBUGCON_402, 1 << 1, has_debugcon_402, read_debugcon, write_debugcon},
    {PCI_ADDRESS, PCI_ADDRESS, 1 << 4, has_pci, pci_config_read, pci_config_write},
    {PCI_DATA, PCI_DATA, 1 << 4, has_pci, pci_config_read, pci_config_write},
    {0x510, 0x510, 1 << 2, has_fw_cfg, NULL, write_fw_cfg},
    {0x511, 0x511, 1 << 1, has_fw_cfg, read_fw_cfg, NULL},
    {CRTC_INDEX, CRTC_INDEX + 1, 1 << 1, has_screen, read_crtc, write_crtc},
    {CF9, CF9, 1 << 1, has_cf9, NULL, write_cf9},
};

static const struct port_device *find(uint16_t port)
{
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i].first <= port && port <= devices[i].last)
            return devices[i].present() ? &devices[i] : NULL;
    return NULL;
}

// --- The devices whose ports the FADT names

static bool is_pm_timer(uint16_t port)
{
    const struct sim_pm_timer *config = &sim.config->pm_timer;

    return config->clock.fault != SIM_ABSENT && port == config->port;
}

static uint32_t read_pm_timer(void)
{
    const struct sim_pm_timer *config = &sim.config->pm_timer;

    if (config->clock.fault == SIM_DEAD_ONES)
        return UINT32_MAX;
    if (config->clock.fault == SIM_DEAD_ZEROS)
        return 0;
    uint32_t ticks = (uint32_t)(oscillator_phase(&sim.pm_clock, sim.now_fs) >> 64);
    return config->bits == 32 ? ticks : ticks & 0xffffff;
}

static bool is_pm1a(uint16_t port)
{
    return sim.config->acpi.present && sim.config->acpi.pm1a_port &&
           port == sim.config->acpi.pm1a_port;
}

static void write_pm1a(uint16_t port, unsigned size, uint32_t value)
{
    if (size != 2)
        sim_violation("PM1 control is 16 bits wide", port, value);
    if (value & PM1_SLEEP_ENABLE && PM1_SLEEP_TYPE(value) == S5_TYPE && sim.config->acpi.has_s5)
        sim_leave(SIM_S5, value);
    sim_violation("a sleep state other than S5", port, value);
}

static bool is_reset(uint16_t port)
{
    return sim.config->acpi.present && sim.config->acpi.reset_port &&
           port == sim.config->acpi.reset_port;
}

// --- Ports that switch the machine off

static bool is_shutdown(uint16_t port)
{
    static const uint16_t ports[] = {[SIM_SHUTDOWN_BOCHS] = 0x8900,
                                     [SIM_SHUTDOWN_CLOUD_HYPERVISOR] = 0x600,
                                     [SIM_SHUTDOWN_VIRTUALBOX] = 0x4004};

    return sim.config->shutdown && port == ports[sim.config->shutdown];
}

static void write_shutdown(uint16_t port, unsigned size, uint32_t value)
{
    static const char word[] = "Shutdown";
    enum sim_shutdown kind = sim.config->shutdown;

    if (kind == SIM_SHUTDOWN_BOCHS && size == 1) {
        sim.shutdown_at = value == (uint8_t)word[sim.shutdown_at] ? sim.shutdown_at + 1 : 0;
        if (!word[sim.shutdown_at])
            sim_leave(SIM_SHUTDOWN, port);
        return;
    }
    if ((kind == SIM_SHUTDOWN_CLOUD_HYPERVISOR && size == 1 && value == 0x34) ||
        (kind == SIM_SHUTDOWN_VIRTUALBOX && size == 2 && value == 0x3400))
        sim_leave(SIM_SHUTDOWN, port);
    sim_violation("no value that this port is known for", port, value);
}

// --- Dispatch

enum sim_access ports_access(uint16_t port)
{
    if (port == 0x43)
        return SIM_PIT_LATCH;
    return is_pm_timer(port) ? SIM_PM_TIMER : SIM_PORT;
}

uint32_t ports_read(uint16_t port, unsigned size)
{
    if (is_pm_timer(port)) {
        if (size != 4)
            sim_violation("the PM timer is read 4 bytes at a time", port, size);
        return read_pm_timer();
    }
    if (is_pm1a(port))
        return 1; // SCI_EN
    if (pci_decodes(port))
        return uart_read(&sim.pci_serial, port - sim.config->pci.port);
    const struct port_device *device = find(port);
    if (!device || !device->read) {
        policy_check(SPACE_PORT, port, false, 0);
        return sim_open_bus();
    }
    if (!(device->sizes >> size & 1))
        sim_violation("read of a port in a size that it does not have", port, size);
    return device->read(port);
}

void ports_write(uint16_t port, unsigned size, uint32_t value)
{
    if (is_pm1a(port)) {
        write_pm1a(port, size, value);
        return;
    }
    if (is_shutdown(port)) {
        write_shutdown(port, size, value);
        return;
    }
    if (is_reset(port) && value == sim.config->acpi.reset_value)
        sim_leave(SIM_RESET, port);
    if (pci_decodes(port)) {
        uart_write(&sim.pci_serial, port - sim.config->pci.port, (uint8_t)value);
        return;
    }
    const struct port_device *device = find(port);
    if (!device || !device->write) {
        policy_check(SPACE_PORT, port, true, value);
        return;
    }
    if (!(device->sizes >> size & 1))
        sim_violation("write to a port in a size that it does not have", port, size);
    device->write(port, value);
}
