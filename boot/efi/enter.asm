; From firmware's stack to ours.

bits 64
default rel
global efi_enter
extern boot_stack_top, efi_run

section .text
; _Noreturn void efi_enter(struct boot_info *boot, uint64_t root)
efi_enter:
    cli
    lea rsp, [boot_stack_top]
    xor ebp, ebp
    call efi_run                ; with the same arguments
.halt:
    cli
    hlt
    jmp .halt
