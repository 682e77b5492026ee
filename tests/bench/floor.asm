; The floor: an image that does nothing but write the exit port. What QEMU and its firmware take for it,
; every image takes.

bits 32
section .text
MAGIC equ 0x1BADB002
FLAGS equ 1 << 16
header:
    dd MAGIC, FLAGS, -(MAGIC + FLAGS)
    dd header, header, 0, 0, entry      ; header_addr, load_addr, load_end, bss_end, entry
global entry
entry:
    mov al, 0x10
    out 0xF4, al
.halt:
    hlt
    jmp .halt
