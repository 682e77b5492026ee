; A boot loader for the Linux 64-bit entry, for test_linux.py: QEMU itself never uses it. QEMU boots
; this by Multiboot 1, with the image, an ELF or a bzImage, as its module.
;
; As sparing as Firecracker: only the low 16 MiB are mapped, so no device memory is.

bits 32
LOAD          equ 0x800000          ; above the image
MAGIC         equ 0x1BADB002
FLAGS         equ (1 << 1) | (1 << 16)
BOOT_PARAMS   equ 0x7000
TABLES        equ 0xF00000          ; PML4, PDPT, page directory; QEMU's information is at 0x9000
STACK_TOP     equ 0x8FF0
MAPPED        equ 8                 ; 2 MiB pages
E820_ENTRIES  equ BOOT_PARAMS + 0x1E8
E820_TABLE    equ BOOT_PARAMS + 0x2D0
PT_LOAD       equ 1

org LOAD
header:
    dd MAGIC, FLAGS, -(MAGIC + FLAGS)
    dd header, LOAD, end, end, entry

entry:
    cld
    mov esp, STACK_TOP
    xor eax, eax
    mov edi, BOOT_PARAMS
    mov ecx, 4096 / 4
    rep stosd
    mov edi, TABLES
    mov ecx, 3 * 4096 / 4
    rep stosd

    ; boot_params: the command line and the memory map of the Multiboot information at EBX.
    mov eax, [ebx + 16]
    mov [BOOT_PARAMS + 0x228], eax
    mov word [BOOT_PARAMS + 0x1FE], 0xAA55
    mov dword [BOOT_PARAMS + 0x202], 0x53726448
    mov byte [BOOT_PARAMS + 0x210], 0xFF
    mov edx, [ebx + 48]             ; mmap_addr
    mov ebp, [ebx + 44]             ; mmap_length
    add ebp, edx
    mov edi, E820_TABLE
.region:
    cmp edx, ebp
    jae .mapped
    lea esi, [edx + 4]
    mov ecx, 20 / 4
    rep movsd
    inc byte [E820_ENTRIES]
    add edx, [edx]
    add edx, 4
    jmp .region
.mapped:

    mov edx, [ebx + 24]             ; mods_addr
    mov ebx, [edx]                  ; where the module begins
    mov edx, [edx + 4]              ; and ends
    cmp dword [ebx + 0x202], 0x53726448
    je .bzimage

    movzx ecx, word [ebx + 56]      ; e_phnum
    mov edx, [ebx + 32]             ; e_phoff
    add edx, ebx
.segment:
    push ecx
    cmp dword [edx], PT_LOAD
    jne .next
    mov esi, [edx + 8]              ; p_offset
    add esi, ebx
    mov edi, [edx + 24]             ; p_paddr
    mov ecx, [edx + 32]             ; p_filesz
    rep movsb
    mov ecx, [edx + 40]             ; p_memsz
    sub ecx, [edx + 32]
    xor eax, eax
    rep stosb
.next:
    pop ecx
    add edx, 56
    loop .segment
    mov ebp, [ebx + 24]             ; e_entry
    jmp .enter

.bzimage:
    movzx esi, byte [ebx + 0x1F1]   ; setup_sects
    inc esi
    shl esi, 9
    add esi, ebx
    mov edi, [ebx + 0x258]          ; pref_address
    lea ebp, [edi + 0x200]
    mov ecx, edx
    sub ecx, esi
    rep movsb

.enter:
    mov dword [TABLES], TABLES + 0x1000 + 3
    mov dword [TABLES + 0x1000], TABLES + 0x2000 + 3
    xor ecx, ecx
    mov eax, 0x83                   ; large, writable, present
.page:
    mov [TABLES + 0x2000 + ecx * 8], eax
    add eax, 2 << 20
    inc ecx
    cmp ecx, MAPPED
    jb .page
    mov eax, TABLES
    mov cr3, eax
    mov eax, cr4
    or eax, 1 << 5                  ; PAE
    mov cr4, eax
    mov ecx, 0xC0000080             ; EFER
    rdmsr
    or eax, 1 << 8                  ; LME
    wrmsr
    mov eax, cr0
    or eax, 1 << 31 | 1
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp 0x10:long_mode

bits 64
long_mode:
    mov eax, 0x18
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esi, BOOT_PARAMS
    mov ebp, ebp
    jmp rbp

align 8
gdt:
    dq 0, 0
    dq 0x00AF9B000000FFFF           ; 0x10: 64-bit code
    dq 0x00CF93000000FFFF           ; 0x18: data
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd gdt
end:
