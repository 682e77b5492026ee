; Where boot/stub enters the kernel: long mode, interrupts off, the low 4 GiB mapped one to one,
; EDI = the loader's magic, ESI = its information.

bits 64
global payload_entry
extern boot_main, boot_stack_top, bss_start, bss_end

section .entry
payload_entry:
    mov edx, edi
    xor eax, eax
    mov edi, bss_start
    mov ecx, bss_end
    sub ecx, edi
    shr ecx, 3
    rep stosq
    mov edi, edx
    mov esp, boot_stack_top
    xor ebp, ebp
    call boot_main
.halt:
    cli
    hlt
    jmp .halt
