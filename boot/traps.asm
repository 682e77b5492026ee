; One stub for each exception, and one for all interrupts: they make them look alike and call
; trap_handle. All have the same size, so that boot/descriptors.c needs no table of them.

bits 64
global trap_stubs, descriptors_load
extern trap_handle

; The exceptions that push an error code: Intel SDM vol. 3A, table 6-1; AMD APM vol. 2, 8.1.
%define HAS_ERROR_CODE(v) (v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30)

STUB_BYTES equ 9                ; TRAP_STUB_BYTES in boot/descriptors.c

section .text
trap_stubs:
%assign vector 0
%rep 33
%if !HAS_ERROR_CODE(vector)
    push byte 0
%endif
    push byte vector
    jmp near enter
    times (vector + 1) * STUB_BYTES - ($ - trap_stubs) nop
%assign vector vector + 1
%endrep

; Pushes the general registers as struct trap_frame in kernel/trap.c lists them, lowest address last.
enter:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    mov rbp, rsp                ; trap_handle keeps it
    and rsp, -16
    call trap_handle
    mov rsp, rbp
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16                 ; the vector and the error code
    iretq

; void descriptors_load(const struct pointer *gdt, const struct pointer *idt, uint16_t tss_selector)
descriptors_load:
    lgdt [rdi]
    lidt [rsi]
    mov eax, 0x10               ; SELECTOR_DATA in boot/descriptors.c
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    push byte 0x08              ; SELECTOR_CODE
    lea rax, [rel .reloaded]
    push rax
    o64 retf
.reloaded:
    ltr dx
    ret
