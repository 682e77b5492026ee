; What loaders look for from outside: Multiboot 1 in the first 8 KiB of the file, Multiboot 2 in the
; first 32 KiB, PVH in a note.

bits 32
extern entry32, entry_efi64, image_start, image_data_end, memory_end

; PVH: the ELF note XEN_ELFNOTE_PHYS32_ENTRY (18), Xen public/elfnote.h.
section .note.Xen note alloc noexec nowrite align=4
    dd 4                    ; name size, the NUL counts
    dd 8                    ; descriptor size: QEMU reads 8 bytes from an ELF64
    dd 18
    db "Xen", 0
    dd entry32
    dd 0

section .headers align=8
; Multiboot 2, section 3.1. Loaded by its ELF headers, entered by the entry tag.
MAGIC_2 equ 0xE85250D6
multiboot2_header:
    dd MAGIC_2
    dd 0                    ; i386, protected mode
    dd multiboot2_end - multiboot2_header
    dd -(MAGIC_2 + (multiboot2_end - multiboot2_header))
    dw 3, 0                 ; entry address
    dd 12
    dd entry32
    align 8
    dw 5, 1                 ; framebuffer, optional; any size and depth
    dd 20
    dd 0, 0, 0
    align 8
    dw 7, 1                 ; UEFI's boot services may stay: we leave them
    dd 8
    dw 9, 1                 ; and where to enter then
    dd 12
    dd entry_efi64
    align 8
    dw 0, 0                 ; the end
    dd 8
multiboot2_end:

; Multiboot 1, section 3.1. With address fields, QEMU takes an ELF64 file too.
MAGIC equ 0x1BADB002
FLAGS equ (1 << 1) | (1 << 16)  ; memory information; the address fields are valid
multiboot_header:
    dd MAGIC
    dd FLAGS
    dd -(MAGIC + FLAGS)
    dd multiboot_header     ; header_addr
    dd image_start          ; load_addr
    dd image_data_end       ; load_end_addr
    dd memory_end           ; bss_end_addr
    dd entry32              ; entry_addr
