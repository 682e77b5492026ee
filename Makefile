# hypertick: `make help` lists what there is.
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:

BUILD   := build
VERSION := 0.1.0

CC      := clang
LD      := ld.lld
NASM    := nasm
HOST_CC := clang

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2
COMMON   := -std=gnu11 -I. -DHYPERTICK_VERSION='"$(VERSION)"' $(WARNINGS)

# The image is integer-only: some hypervisors emulate every instruction and have no SSE or x87.
IMAGE_CFLAGS := --target=x86_64-unknown-none-elf $(COMMON) -Ikernel -O2 -ffreestanding \
                -mgeneral-regs-only -mno-red-zone -fno-pic -fno-stack-protector -fno-builtin \
                -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
                -ffile-prefix-map=$(CURDIR)=.

IMAGE_C   := $(sort $(wildcard boot/*.c kernel/*.c kernel/*/*.c lib/*.c))
IMAGE_ASM := $(sort $(wildcard boot/*.asm))
IMAGE_O   := $(IMAGE_ASM:%.asm=$(BUILD)/image/%.o) $(IMAGE_C:%.c=$(BUILD)/image/%.o)

.PHONY: all unit clean
all: $(BUILD)/hypertick.elf

$(BUILD)/image/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(IMAGE_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/image/%.o: %.asm Makefile
	@mkdir -p $(@D)
	$(NASM) -f elf64 -I boot/ -MD $(@:.o=.d) -o $@ $<

$(BUILD)/hypertick.elf: $(IMAGE_O) linker.ld
	$(LD) -T linker.ld -nostdlib -static --gc-sections --build-id=none -z noexecstack \
	    -o $@ $(IMAGE_O)

# One test program per lib file: tests/unit/test_NAME.c, linked with all of lib/ and cmocka.
HOST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS   := $(COMMON) -g -O1 $(HOST_SANITIZE)
LIB_HOST_O    := $(patsubst lib/%.c,$(BUILD)/host/lib/%.o,$(filter-out lib/memory.c,$(wildcard lib/*.c)))
UNIT_TESTS    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

$(BUILD)/host/lib/%.o: lib/%.c Makefile
	@mkdir -p $(@D)
	$(HOST_CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/unit/%: tests/unit/%.c $(LIB_HOST_O)
	@mkdir -p $(@D)
	$(HOST_CC) $(HOST_CFLAGS) -MMD -MP $< $(LIB_HOST_O) -lcmocka -o $@

unit: $(UNIT_TESTS)
	@set -e; for test in $(UNIT_TESTS); do $$test; done

clean:
	rm -rf $(BUILD)

-include $(IMAGE_O:.o=.d) $(LIB_HOST_O:.o=.d) $(UNIT_TESTS:=.d)
