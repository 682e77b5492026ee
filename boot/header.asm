; The two doors that a loader sees from outside.

bits 32
extern entry32, image_start, image_data_end, image_end

; Multiboot 1, section 3.1. With address fields, QEMU takes an ELF64 file too.
section .multiboot align=4
MAGIC equ 0x1BADB002
FLAGS equ (1 << 1) | (1 << 16)  ; memory information; the address fields are valid
multiboot_header:
    dd MAGIC
    dd FLAGS
    dd -(MAGIC + FLAGS)
    dd multiboot_header     ; header_addr
    dd image_start          ; load_addr
    dd image_data_end       ; load_end_addr
    dd image_end            ; bss_end_addr
    dd entry32              ; entry_addr

; PVH: the ELF note XEN_ELFNOTE_PHYS32_ENTRY (18), Xen public/elfnote.h.
section .note.Xen note alloc noexec nowrite align=4
    dd 4                    ; name size, the NUL counts
    dd 8                    ; descriptor size: QEMU reads 8 bytes from an ELF64
    dd 18
    db "Xen", 0
    dd entry32
    dd 0
