; How another vCPU comes from real mode, where SIPI puts it, to C in long mode.
;
; The trampoline is copied to a page below 1 MiB; nothing in it depends on which one, and EBX holds
; its address all the way. What it leads to lies in the image.

global machine_trampoline
extern paging_guard
default rel

; Fields of struct machine_vcpus in kernel/machine.h.
VCPUS_ENTRY       equ 0
VCPUS_APIC_IDS    equ 8
VCPUS_STACKS      equ 16
VCPUS_STACK_BYTES equ 24
VCPUS_COUNT       equ 28
VCPUS_LIMIT       equ 32

PROTECTED  equ 1 << 0               ; CR0
CR4_KEPT   equ 0x41FFF              ; all that may be set before long mode, OSXSAVE included
EFER       equ 0xC0000080
EFER_KEPT  equ (1 << 0) | (1 << 8) | (1 << 11)  ; SCE, LME, NXE
GATES      equ 32                   ; exceptions: interrupts stay off
GATE_BYTES equ 16
GATE_IST   equ 4

; What a vCPU has of its own: VCPUS_STACK_BYTES, of which the lowest page is not mapped. From the top
; down there are its TSS and GDT, the stack for the exceptions that may come when its own is full, and
; its own. Intel SDM vol. 3A, 7.7 (TSS) and 7.2.3 (its descriptor).
OWN_BYTES       equ 256
EXCEPTION_BYTES equ 1280
TSS_IST1        equ 36
TSS_IO_MAP      equ 102
TSS_BYTES       equ 104
OWN_GDT         equ 112
OWN_GDT_POINTER equ OWN_GDT + 5 * 8
TSS_SELECTOR    equ 0x18
TSS_AVAILABLE   equ 0x89
TSS_TYPE        equ OWN_GDT + TSS_SELECTOR + 5

section .rodata
%define IN_PAGE(label) (label - trampoline)
align 16
bits 16
trampoline:
    cli
    cld
    xor ebx, ebx
    mov bx, cs
    mov ds, bx
    shl ebx, 4
    o32 lgdt [IN_PAGE(gdt_pointer)]
    mov eax, PROTECTED              ; and the caches on
    mov cr0, eax
    jmp far dword [IN_PAGE(protected_pointer)]

bits 32
protected:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, [ebx + IN_PAGE(cr4_value)]
    mov cr4, eax
    mov eax, [ebx + IN_PAGE(cr3_value)]
    mov cr3, eax
    mov ecx, EFER
    mov eax, [ebx + IN_PAGE(efer_value)]
    xor edx, edx
    wrmsr
    mov eax, [ebx + IN_PAGE(cr0_value)]
    mov cr0, eax
    jmp far dword [ebx + IN_PAGE(long_pointer)]

bits 64
long_mode:
    mov rdi, [rbx + IN_PAGE(vcpus)]
    jmp [rbx + IN_PAGE(arrive_pointer)]

align 8
gdt:
    dq 0
    dq 0x00AF9B000000FFFF           ; 0x08: 64-bit code, as in CPU 0's GDT
    dq 0x00CF93000000FFFF           ; 0x10: data
    dq 0x00CF9B000000FFFF           ; 0x18: 32-bit code
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd IN_PAGE(gdt)                 ; from here on completed by machine_trampoline
protected_pointer:
    dd IN_PAGE(protected)
    dw 0x18
long_pointer:
    dd IN_PAGE(long_mode)
    dw 0x08
cr0_value:  dd 0
cr3_value:  dd 0
cr4_value:  dd 0
efer_value: dd 0
vcpus:      dq 0
arrive_pointer: dq 0
trampoline_end:

section .bss
align 16
ap_idt:      resb GATES * GATE_BYTES
idt_pointer: resb 10
gdt_of_0:    resb 10

section .text
; void machine_trampoline(uint64_t page, struct machine_vcpus *vcpus)
machine_trampoline:
    push rbx
    mov rbx, rdi
    mov rdx, rsi
    lea rsi, [trampoline]
    mov ecx, trampoline_end - trampoline
    rep movsb
    add [rbx + IN_PAGE(gdt_pointer) + 2], ebx
    add [rbx + IN_PAGE(protected_pointer)], ebx
    add [rbx + IN_PAGE(long_pointer)], ebx
    mov [rbx + IN_PAGE(vcpus)], rdx
    lea rax, [arrive]
    mov [rbx + IN_PAGE(arrive_pointer)], rax
    mov rax, cr0
    mov [rbx + IN_PAGE(cr0_value)], eax
    mov rax, cr3
    mov [rbx + IN_PAGE(cr3_value)], eax
    mov rax, cr4
    and eax, CR4_KEPT
    mov [rbx + IN_PAGE(cr4_value)], eax
    mov ecx, EFER
    rdmsr
    and eax, EFER_KEPT
    mov [rbx + IN_PAGE(efer_value)], eax

    ; Of CPU 0's IDT the exceptions; each vCPU has one stack for all that want one of their own.
    sgdt [gdt_of_0]
    sidt [idt_pointer]
    mov rsi, [idt_pointer + 2]
    lea rdi, [ap_idt]
    mov [idt_pointer + 2], rdi
    mov word [idt_pointer], GATES * GATE_BYTES - 1
    mov ecx, GATES
.gate:
    movsq
    movsq
    cmp byte [rdi - GATE_BYTES + GATE_IST], 0
    setne [rdi - GATE_BYTES + GATE_IST]
    loop .gate

    push r12
    push r13
    mov rbx, [rbx + IN_PAGE(vcpus)]
    mov r12d, [rbx + VCPUS_LIMIT]
    mov r13, [rbx + VCPUS_STACKS]
.own:
    mov rdi, r13
    call paging_guard
    mov eax, [rbx + VCPUS_STACK_BYTES]
    add r13, rax
    lea rdx, [r13 - OWN_BYTES]
    mov rdi, rdx
    mov ecx, OWN_BYTES / 8
    xor eax, eax
    rep stosq
    mov [rdx + TSS_IST1], rdx
    mov word [rdx + TSS_IO_MAP], TSS_BYTES      ; none
    mov rsi, [gdt_of_0 + 2]
    lea rdi, [rdx + OWN_GDT]
    mov word [rdx + OWN_GDT_POINTER], 5 * 8 - 1
    mov [rdx + OWN_GDT_POINTER + 2], rdi
    movsq
    movsq
    movsq
    mov word [rdi], TSS_BYTES - 1
    mov [rdi + 2], edx                          ; base 0 to 23, and 24 to 31 further up
    mov rax, rdx
    shr rax, 24
    mov [rdi + 7], rax                          ; with 32 to 63
    mov byte [rdi + 5], TSS_AVAILABLE
    dec r12d
    jnz .own
    pop r13
    pop r12
    pop rbx
    ret

; In long mode, without a stack. RDI: struct machine_vcpus.
arrive:
    lidt [idt_pointer]
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov rbp, rdi

    ; Which one is it? The x2APIC id where there is one: Intel SDM vol. 2A, CPUID, leaf 0BH.
    xor eax, eax
    cpuid
    cmp eax, 0xB
    jb .short
    mov eax, 0xB
    xor ecx, ecx
    cpuid
    test ebx, ebx
    jnz .known
.short:
    mov eax, 1
    cpuid
    mov edx, ebx
    shr edx, 24
.known:
    mov rsi, [rbp + VCPUS_APIC_IDS]
    mov ecx, [rbp + VCPUS_COUNT]
    xor eax, eax
.next:
    cmp eax, ecx
    jae .new
    cmp [rsi + rax * 4], edx
    je .found
    inc eax
    jmp .next
.new:
    ; Nobody has listed it. Where there is a list, it stays out.
    cmp ecx, [rbp + VCPUS_LIMIT]
    jae .halt
    mov eax, 1
    lock xadd [rbp + VCPUS_COUNT], eax
    cmp eax, [rbp + VCPUS_LIMIT]
    jae .many
    mov [rsi + rax * 4], edx
.found:
    mov edi, eax
    inc eax
    imul eax, [rbp + VCPUS_STACK_BYTES]
    mov rsp, [rbp + VCPUS_STACKS]
    lea rsp, [rsp + rax - OWN_BYTES]
    lgdt [rsp + OWN_GDT_POINTER]
    mov byte [rsp + TSS_TYPE], TSS_AVAILABLE    ; the last visit has left it busy
    mov eax, TSS_SELECTOR
    ltr ax
    sub rsp, EXCEPTION_BYTES
    mov rax, [rbp + VCPUS_ENTRY]
    xor ebp, ebp
    call rax
    jmp .halt
.many:
    lock dec dword [rbp + VCPUS_COUNT]
.halt:
    cli
    hlt
    jmp .halt
