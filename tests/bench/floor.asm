; The floor: an image that does nothing but write the exit port. What QEMU and its firmware take for
; this one, they take for every image. It comes by the same door as ours, an ELF64 with Multiboot 1.

bits 32
section .text

MAGIC equ 0x1BADB002
FLAGS equ 1 << 16       ; the address fields are valid
header:
    dd MAGIC
    dd FLAGS
    dd -(MAGIC + FLAGS)
    dd header           ; header_addr
    dd header           ; load_addr: the file is loaded from the header on
    dd 0                ; load_end_addr: all of it
    dd 0                ; bss_end_addr: no bss
    dd entry            ; entry_addr

global entry
entry:
    mov al, 0x10        ; PASS
    out 0xF4, al
.halt:
    hlt
    jmp .halt
