; A boot sector that enters a bzImage's real-mode code as kvmtool does, at CS = DS and IP = 0x200, for
; test_linux.py, and with the A20 gate closed, as BIOSes of old leave it. The disk is this sector, the options in the next one, then the bzImage.

SETUP_SEGMENT equ 0x1000               ; of the setup code, at most 64 sectors with the boot sector
OPTIONS    equ 0x20000
BUFFER     equ 0x8000               ; one sector of what goes to 1 MiB
OPTIONS_AT equ 1                    ; sectors of the disk
BZIMAGE_AT equ 2

bits 16
org 0x7C00
    jmp 0:start
start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7C00
    cld
    mov [drive], dl
    mov eax, OPTIONS_AT
    mov bx, OPTIONS >> 4
    call read
    mov eax, BZIMAGE_AT
    mov bx, SETUP_SEGMENT
    call read
    mov fs, bx
    movzx cx, byte [fs:0x1F1]       ; setup_sects
.setup:
    inc eax
    add bx, 512 / 16
    call read
    loop .setup

    mov ecx, [fs:0x1F4]             ; syssize
    add ecx, 512 / 16 - 1
    shr ecx, 5
.system:
    inc eax
    mov bx, BUFFER >> 4
    call read
    pushad
    mov ah, 0x87                    ; INT 15h: move to extended memory
    mov cx, 512 / 2
    mov si, move_gdt
    int 0x15
    jc stop
    popad
    add dword [move_to], 512        ; the base's low 24 bits
    dec ecx
    jnz .system

    in al, 0x92                     ; system control port A
    and al, ~3                      ; A20 closed, no reset
    out 0x92, al
    mov dword [fs:0x228], OPTIONS
    mov byte [fs:0x210], 0xFF
    mov ax, SETUP_SEGMENT
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x8000
    jmp SETUP_SEGMENT:0x200

; Sector EAX to BX:0.
read:
    pushad
    mov [packet.segment], bx
    mov [packet.sector], eax
    mov ah, 0x42
    mov dl, [drive]
    mov si, packet
    int 0x13
    jc stop
    popad
    ret
stop:
    hlt
    jmp stop

drive:
    db 0
align 4
packet:
    db 16, 0
    dw 1, 0
.segment:
    dw 0
.sector:
    dq 0
move_gdt:
    times 16 db 0
    dw 0xFFFF, BUFFER
    db 0, 0x93, 0, 0
    dw 0xFFFF
move_to:
    dd 0x93100000                   ; 1 MiB, and the access byte
    dw 0
    times 16 db 0
times 510 - ($ - $$) db 0
    dw 0xAA55
