; From 32-bit protected mode, as Multiboot 1 and PVH leave it, to boot_main in long mode.
;
; EAX and EBX are the loader's; nothing else is relied on: no stack, no GDT of ours, no paging.

bits 32
global entry32
extern boot_main, boot_stack_top, page_tables, bss_start, bss_end, stack_guard

COM1        equ 0x3F8
VGA_TEXT    equ 0xB8000
VGA_ROW     equ 80 * 2
VGA_ROWS    equ 25
BLANK_PAIR  equ 0x0F200F20          ; two blanks, white on black
FAIL_STATUS equ 0x11
EXIT_PORT   equ 0xF4

PRESENT   equ 1
WRITABLE  equ 2
UNCACHED  equ (1 << 3) | (1 << 4)   ; PWT and PCD
LARGE     equ 1 << 7

section .text
entry32:
    cli
    cld
    mov esp, boot_stack_top
    mov ebp, eax                ; the loader's magic
    mov esi, ebx                ; the loader's information

    ; A loader may leave bss unclear.
    xor eax, eax
    mov edi, bss_start
    mov ecx, bss_end
    sub ecx, edi
    shr ecx, 2
    rep stosd

    call require_long_mode
    call build_page_tables

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
    jmp 0x08:entry64

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
    mov esi, sentence
    mov dx, COM1 + 5
    in al, dx
    cmp al, 0xFF
    je .screen                  ; no UART
    mov dx, COM1 + 3
    mov al, 0x80                ; DLAB
    out dx, al
    mov dx, COM1
    mov al, 1                   ; 115200
    out dx, al
    mov dx, COM1 + 1
    xor al, al
    out dx, al
    mov dx, COM1 + 3
    mov al, 3                   ; 8N1
    out dx, al
.next:
    mov ecx, 100000             ; a character takes 87 us; a port read takes 0.1 us or more
.wait:
    mov dx, COM1 + 5
    in al, dx
    test al, 0x20               ; THRE
    jnz .ready
    loop .wait
    jmp .screen
.ready:
    lodsb
    test al, al
    jz .screen
    mov dx, COM1
    out dx, al
    jmp .next
.screen:
    mov edi, VGA_TEXT
    mov eax, BLANK_PAIR         ; leaves the attribute in AH
    mov ecx, VGA_ROWS * VGA_ROW / 4
    rep stosd
    mov esi, sentence
    mov edi, VGA_TEXT
.character:
    lodsb
    test al, al
    jz .leave
    cmp al, ' '
    jb .line_end
    stosw
    jmp .character
.line_end:
    mov edi, VGA_TEXT + VGA_ROW
    jmp .character
.leave:
    call find_cpuid
    jz .halt
    mov eax, 1
    cpuid
    bt ecx, 31                  ; under a hypervisor only: elsewhere the port may be anything
    jnc .halt
    mov al, FAIL_STATUS
    out EXIT_PORT, al
.halt:
    cli
    hlt
    jmp .halt

; Identity map of the low 4 GiB: 2 MiB pages, but 4 KiB pages for the first 2 MiB, where the stack's
; guard page is left out. Layout: PML4, PDPT, four page directories, one page table.
build_page_tables:
    mov edi, page_tables
    lea eax, [edi + 0x1000 + PRESENT + WRITABLE]
    mov [edi], eax
    lea eax, [edi + 0x2000 + PRESENT + WRITABLE]
    mov ecx, 4
.directory:
    mov edx, 4
    sub edx, ecx
    mov [edi + 0x1000 + edx * 8], eax
    add eax, 0x1000
    loop .directory

    xor ecx, ecx
.large:
    mov eax, ecx
    shl eax, 21
    or eax, PRESENT + WRITABLE + LARGE
    cmp ecx, 0xC0000000 >> 21   ; devices lie in the last GiB
    jb .cached
    or eax, UNCACHED
.cached:
    mov [edi + 0x2000 + ecx * 8], eax
    inc ecx
    cmp ecx, 2048
    jb .large

    lea eax, [edi + 0x6000 + PRESENT + WRITABLE]
    mov [edi + 0x2000], eax
    xor ecx, ecx
.small:
    mov eax, ecx
    shl eax, 12
    cmp eax, stack_guard
    je .skip
    mov edx, eax
    or eax, PRESENT + WRITABLE
    cmp edx, 0xA0000            ; the VGA window
    jb .store
    cmp edx, 0xC0000
    jae .store
    or eax, UNCACHED
.store:
    mov [edi + 0x6000 + ecx * 8], eax
.skip:
    inc ecx
    cmp ecx, 512
    jb .small
    ret

bits 64
entry64:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov rsp, boot_stack_top
    mov edi, ebp
    mov esi, esi
    xor ebp, ebp
    call boot_main
.halt:
    cli
    hlt
    jmp .halt

section .rodata
sentence:
    db "hypertick: this CPU has no long mode (64-bit); an x86-64 CPU is needed.", 13, 10
    db "FAIL: no long mode", 13, 10, 0

section .data
align 8
gdt:
    dq 0
    dq 0x00AF9B000000FFFF       ; 0x08: 64-bit code
    dq 0x00CF93000000FFFF       ; 0x10: data
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dq gdt
