; build/hypertick.bzImage: the image as a Linux kernel, for loaders that take nothing else. A setup
; header, real-mode setup code, then the ELF file as what is loaded at 1 MiB. Linux
; Documentation/arch/x86/boot.rst, protocol 2.12; zero-page.rst.
;
; The setup code does what a 32-bit or 64-bit loader does by itself: it asks the BIOS for the memory
; map, makes boot_params, and enters the image in protected mode. It stays within its own 64 KiB
; segment, wherever that lies: DS is all it takes from the loader.

%include SYMBOLS                    ; image_start, memory_end, entry_linux16, entry_linux32

PROTOCOL      equ 0x020C            ; the first with xloadflags
LOADED_HIGH   equ 1 << 0
KERNEL_64     equ 1 << 0
MIB_LOG2      equ 20
CMDLINE_BYTES equ 2047              ; BOOT_CMDLINE_MAX without the NUL
SECTOR        equ 512

; The setup code's segment behind what was loaded. Every loader leaves it 32 KiB.
BOOT_PARAMS   equ 0x2000
PARAMS_BYTES  equ 4096
STACK_TOP     equ 0x4000

ALT_MEM_KIB   equ BOOT_PARAMS + 0x1E0
E820_ENTRIES  equ BOOT_PARAMS + 0x1E8
E820_TABLE    equ BOOT_PARAMS + 0x2D0
E820_SIZE     equ 20
E820_MAX      equ 128
SMAP          equ 0x534D4150

bits 16
org 0
    int 0x18                        ; written to a disk, this is no boot sector: BIOS, try the next
    jmp $

times 0x1F1 - ($ - $$) db 0
header:
    db (setup_end - $$) / SECTOR - 1 ; setup_sects: the boot sector does not count
    dw 0                            ; root_flags
    dd (image_end - setup_end) / 16 ; syssize
    dw 0                            ; ram_size
    dw 0xFFFF                       ; vid_mode: as it is
    dw 0                            ; root_dev
    dw 0xAA55                       ; boot_flag
    jmp short entry
    db "HdrS"
    dw PROTOCOL
    dd 0                            ; realmode_swtch
    dw 0                            ; start_sys_seg
    dw name - SECTOR                ; kernel_version
    db 0                            ; type_of_loader
    db LOADED_HIGH                  ; loadflags
    dw 0                            ; setup_move_size
code32_start:
    dd image_start
    dd 0, 0                         ; ramdisk_image, ramdisk_size
    dd 0                            ; bootsect_kludge
    dw 0                            ; heap_end_ptr
    db 0, 0                         ; ext_loader_ver, ext_loader_type
    dd 0                            ; cmd_line_ptr
    dd 0x7FFFFFFF                   ; initrd_addr_max
    dd 1 << MIB_LOG2                ; kernel_alignment
    db 0                            ; relocatable_kernel
    db MIB_LOG2                     ; min_alignment
    dw KERNEL_64                    ; xloadflags
    dd CMDLINE_BYTES                ; cmdline_size
    dd 0                            ; hardware_subarch
    dq 0                            ; hardware_subarch_data
    dd 0, 0                         ; payload_offset, payload_length: not what they mean to Linux
    dq 0                            ; setup_data
    dq image_start                  ; pref_address
    dd memory_end - image_start    ; init_size
    dd 0                            ; handover_offset
header_end:

; Some loaders enter with CS = DS + 0x20, IP = 0, others with CS = DS, IP = 0x200.
entry:
    mov ax, ds
    mov es, ax
    mov ss, ax
    mov esp, STACK_TOP
    cld
    push ds
    push word .here
    retf
.here:
    mov di, BOOT_PARAMS
    mov cx, PARAMS_BYTES / 4
    xor eax, eax
    rep stosd
    mov si, header
    mov di, BOOT_PARAMS + (header - $$)
    mov cx, header_end - header
    rep movsb
    call find_memory
    call open_a20

    cli
    xor ebx, ebx
    mov bx, ds
    shl ebx, 4                      ; where the segment lies
    add [gdt_pointer + 2], ebx
    add [far_target], ebx
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    db 0x66, 0xEA                   ; jmp 0x10:protected
far_target:
    dd protected
    dw 0x10

bits 32
protected:
    mov eax, 0x18
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    lea esi, [ebx + BOOT_PARAMS]
    mov eax, [ebx + code32_start]
    cmp eax, image_start
    jne .hook                       ; the loader wants to be called in between
    mov eax, entry_linux16
.hook:
    xor ebx, ebx
    xor ebp, ebp
    xor edi, edi
    jmp eax

bits 16
; The memory map by INT 15h AX=E820h, else the memory above 1 MiB by AX=E801h, else by AH=88h.
find_memory:
    xor ebx, ebx
    mov di, E820_TABLE
.entry:
    mov eax, 0xE820
    mov edx, SMAP
    mov ecx, E820_SIZE
    push di
    int 0x15
    pop di
    jc .end                         ; some BIOSes end so, others by EBX = 0
    cmp eax, SMAP
    jne .none
    inc byte [E820_ENTRIES]
    add di, E820_SIZE
    cmp byte [E820_ENTRIES], E820_MAX
    je .done
    test ebx, ebx
    jnz .entry
.end:
    cmp byte [E820_ENTRIES], 0
    jne .done
.none:
    mov byte [E820_ENTRIES], 0

    mov ax, 0xE801
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    int 0x15
    jc .oldest
    mov si, cx
    or si, dx
    jz .in_ax_bx
    mov ax, cx
    mov bx, dx
.in_ax_bx:                          ; KiB from 1 MiB to 16 MiB; 64 KiB from 16 MiB on
    movzx eax, ax
    movzx ebx, bx
    cmp eax, 15 * 1024
    jne .keep                       ; a hole: what lies beyond does not follow on
    shl ebx, 6
    add eax, ebx
    jmp .keep
.oldest:
    mov ah, 0x88
    int 0x15
    jc .done
    movzx eax, ax
.keep:
    mov [ALT_MEM_KIB], eax
.done:
    ret

; With the gate closed address bit 20 is always 0, and the image at 1 MiB would not be found.
open_a20:
    call test_a20
    jne .open
    mov ax, 0x2401
    int 0x15
    call test_a20
    jne .open
    in al, 0x92                     ; system control port A
    and al, ~1                      ; no reset
    or al, 2
    out 0x92, al
    mov cx, 0xFFFF                  ; a gate takes at most milliseconds
.wait:
    call test_a20
    jne .open
    loop .wait
    mov si, no_a20_sentence
.say:
    lodsb
    test al, al
    jz .halt
    mov ah, 0x0E
    xor bx, bx
    int 0x10
    jmp .say
.halt:
    hlt
    jmp .halt
.open:
    ret

; ZF set: 1 MiB above an address in the low memory is that address again.
test_a20:
    push fs
    push gs
    xor ax, ax
    mov fs, ax
    dec ax
    mov gs, ax
    cli
    mov bx, [fs:A20_WORD]
    inc word [gs:A20_WORD + 16]
    mov ax, [fs:A20_WORD]
    dec word [gs:A20_WORD + 16]
    cmp ax, bx
    je .differ                      ; unchanged: two places
    cmp ax, ax
.leave:
    pop gs
    pop fs
    ret
.differ:
    or ax, 1
    jmp .leave
A20_WORD equ 0x200                  ; interrupt vector 80h, which no BIOS uses

name:
    db "hypertick ", VERSION, 0
no_a20_sentence:
    db "hypertick: the A20 gate stays closed.", 13, 10, "FAIL: no A20", 13, 10, 0

align 8
gdt:
    dq 0, 0                         ; the protocol wants 0x10 and 0x18
    dq 0x00CF9B000000FFFF           ; 0x10: 32-bit code
    dq 0x00CF93000000FFFF           ; 0x18: data
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd gdt

align SECTOR, db 0
setup_end:
%if setup_end - $$ > BOOT_PARAMS
%error "the setup code reaches into boot_params"
%endif

; The 64-bit entry lies in the ELF file where the protocol wants it, 0x200 bytes in. The 32-bit one is
; the first byte.
bits 32
    db 0xE9                         ; jmp entry_linux32
    dd entry_linux32 - (image_start + 5)
    incbin ELF, 5
    align 16, db 0
image_end:
