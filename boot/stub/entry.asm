; From whatever mode a loader leaves to long mode with our own page tables; then the kernel is unpacked
; and entered with EDI = the loader's magic, ESI = its information.
;
; Nothing but the loader's registers is relied on: no stack, no GDT of ours.

%include "boot/stub/tables.inc"
%include "boot/stub/say.inc"
%include "boot/linux.inc"

global entry32, entry_efi64, entry_linux32, entry_linux16, entry_linux64
extern page_tables, packed, packed_size, unpack
extern payload_start, payload_size, payload_entry, boot_stack_top
extern efi_leave, information, memory_end

; The Linux boot protocol fixes it 0x200 bytes into what is loaded.
section .entry64
bits 64
entry_linux64:
    cli
    cld
    mov ebp, LINUX64_MAGIC
from64:                             ; EBP: the magic, RSI: the information
    mov rax, rsi
    shr rax, 32
    jz .low
    mov esi, 0xFFFFFFFF         ; beyond what the page tables map: the door says that it cannot be read
.low:
    mov ebx, esi
    BUILD_PAGE_TABLES
    mov eax, page_tables
    mov cr3, rax
    lgdt [gdt_pointer]
    mov esp, boot_stack_top
    push 0x08
    lea rax, [rel start64]
    push rax
    retfq

section .text
; Multiboot 2 with boot services alive: on the firmware's page tables, EAX and RBX as for entry32.
entry_efi64:
    cld
    mov ebp, eax
    mov esp, boot_stack_top
    mov rdi, rbx
    mov esi, information
    mov edx, memory_end
    sub edx, esi
    call efi_leave
    cli
    mov rsi, rax
    jmp from64

bits 32
; The real-mode setup code of boot/linux16.asm enters here.
entry_linux16:
    mov eax, LINUX16_MAGIC
    jmp linux
entry_linux32:
    mov eax, LINUX32_MAGIC
linux:
    mov ebx, esi                ; boot_params
; Multiboot 1 and 2, PVH: EAX is the magic, EBX points to the information.
entry32:
    cli
    cld
    mov esp, boot_stack_top
    mov ebp, eax
    push ebx
    call require_long_mode
    pop ebx
    BUILD_PAGE_TABLES

    mov eax, page_tables
    mov cr3, eax
    mov eax, cr4
    or eax, 1 << 5              ; PAE
    mov cr4, eax
    mov ecx, 0xC0000080         ; EFER
    rdmsr
    or eax, 1 << 8              ; LME
    wrmsr
    mov eax, cr0
    and eax, ~(1 << 29 | 1 << 30)   ; NW and CD: some loaders leave the caches off
    or eax, (1 << 31) | (1 << 16) | 1   ; PG, WP, PE
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp 0x08:start64

; CPUID exists if EFLAGS.ID can be changed; ZF is set if not.
find_cpuid:
    pushfd
    pop eax
    mov ecx, eax
    xor eax, 1 << 21
    push eax
    popfd
    pushfd
    pop eax
    push ecx
    popfd
    xor eax, ecx
    ret

; Long mode exists if leaf 0x80000001 EDX bit 29 says so.
require_long_mode:
    call find_cpuid
    jz no_long_mode
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb no_long_mode
    mov eax, 0x80000001
    cpuid
    bt edx, 29
    jnc no_long_mode
    ret

no_long_mode:
    mov esi, no_long_mode_sentence
    SAY_AND_HALT call find_cpuid

bits 64
start64:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov esp, boot_stack_top
    mov edi, packed
    mov esi, packed_size
    mov edx, payload_start
    mov ecx, payload_size
    call unpack
    cmp rax, payload_size
    jne damaged

; Calls get back their distances, which boot/stub/calls.py had replaced by their targets: an operand
; loses its place in the kernel. The last place where one fits is 4 bytes before the end.
restore_calls:
    mov edi, payload_start
    mov ecx, payload_size - 4
    mov al, 0xE8                ; CALL rel32
.next:
    repne scasb
    jne .done
    mov edx, edi
    sub edx, payload_start
    sub [rdi], edx
    add edi, 4
    sub ecx, 4
    ja .next
.done:
    mov edi, ebp
    mov esi, ebx
    mov eax, payload_entry      ; not relative: the kernel is another program
    jmp rax

damaged:
    mov esi, damaged_sentence
    SAY_AND_HALT {or eax, 1}      ; a CPU in long mode has CPUID

section .rodata
no_long_mode_sentence:
    db "hypertick: this CPU has no long mode (64-bit); an x86-64 CPU is needed.", 13, 10
    db "FAIL: no long mode", 13, 10, 0
damaged_sentence:
    db "hypertick: the image in memory is damaged: the kernel cannot be unpacked.", 13, 10
    db "FAIL: damaged image", 13, 10, 0

align 8
gdt:
    dq 0
    dq 0x00AF9B000000FFFF       ; 0x08: 64-bit code
    dq 0x00CF93000000FFFF       ; 0x10: data
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dq gdt
