# hypertick: `make help` lists what there is.
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

VERSION := 0.1.0
BUILD   := build

CC      := clang
HOST_CC := clang
LD      := ld.lld
NASM    := nasm
STRIP   := llvm-strip
OBJCOPY := llvm-objcopy
NM      := llvm-nm
# Debian's Python, since apt installs the tests' modules for that one and another may be first in PATH.
PYTHON  := $(firstword $(wildcard /usr/bin/python3) python3)

# `make V=1` shows every command whole.
Q := $(if $(V),,@)

# For `make run`: what is given on make's command line reaches tools/run through the environment.
export OPTIONS QEMU_FLAGS ACCEL PEERS

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2
COMMON   := -std=gnu11 -I. -DHYPERTICK_VERSION='"$(VERSION)"' $(WARNINGS)

# Sub-makes use every core, unless this make was told how many jobs there may be.
PARALLEL  = $(if $(filter --jobserver% -j%,$(MAKEFLAGS)),,-j$(shell nproc))
SUBMAKE   = @+$(MAKE) --no-print-directory $(if $(V),,--silent) $(PARALLEL)

# The image. Integer-only: some hypervisors emulate every instruction and have no SSE or x87. Small: it
# is read from slow media and unpacked at every start, so it is optimised for size as a whole, when it is linked.
IMAGE_TARGET := $(if $(findstring clang,$(CC)),--target=x86_64-unknown-none-elf -Oz -flto,-Os)
IMAGE_CFLAGS := $(IMAGE_TARGET) $(COMMON) -Ikernel -ffreestanding -mgeneral-regs-only \
                -mno-red-zone -fno-pic -fno-stack-protector -fno-builtin -fomit-frame-pointer \
                -fno-jump-tables -fmerge-all-constants -fno-asynchronous-unwind-tables \
                -ffunction-sections -fdata-sections '-ffile-prefix-map=$(CURDIR)=.'
# An address that is loaded before a loop rather than in it costs a register, and so pushes and pops.
LTO_FLAGS    := -mllvm -disable-machine-licm
NASM_FLAGS   := -f elf64 -w+all -w+error -DPACKED='"$(BUILD)/image/payload.gz"'

IMAGE_C   := $(sort $(wildcard boot/*.c kernel/*.c kernel/*/*.c lib/*.c))
IMAGE_ASM := $(filter-out boot/linux16.asm,$(sort $(wildcard boot/*.asm)))
IMAGE_O   := $(IMAGE_ASM:%.asm=$(BUILD)/image/%.o) $(IMAGE_C:%.c=$(BUILD)/image/%.o)
STUB_C    := $(wildcard boot/stub/*.c)
STUB_O    := $(patsubst %.asm,$(BUILD)/image/%.o,$(wildcard boot/stub/*.asm)) \
             $(STUB_C:%.c=$(BUILD)/image/%.o) $(BUILD)/image/lib/memory.o

# The same kernel as an EFI program, position independent, by way of gnu-efi (Debian's package of that
# name): its headers, its crt0, which relocates the program, and GNU objcopy, which makes a PE file.
EFI_CRT0    := /usr/lib/crt0-efi-x86_64.o
EFI_LIBRARY := /usr/lib/libgnuefi.a
EFI_OBJCOPY := objcopy
EFI_FLAGS   := -DGNU_EFI_USE_MS_ABI -fshort-wchar -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
EFI_CFLAGS   = $(filter-out -fno-pic,$(IMAGE_CFLAGS)) -fpie $(EFI_FLAGS)
EFI_C       := boot/collect.c boot/descriptors.c boot/paging.c boot/processor.c \
               $(sort $(wildcard boot/efi/*.c kernel/*.c kernel/*/*.c lib/*.c))
EFI_ASM     := boot/traps.asm boot/ap.asm boot/efi/enter.asm
EFI_O       := $(EFI_ASM:%.asm=$(BUILD)/efi/%.o) $(EFI_C:%.c=$(BUILD)/efi/%.o)
HAVE_EFI    := $(and $(wildcard $(EFI_CRT0)),$(wildcard $(EFI_LIBRARY)))

# What is compiled for the host: tests/unit/test_NAME.c, each with all of lib/, and
# tests/sim/test_NAME.c, each with lib/, kernel/ and the rest of tests/sim/, whose machine.h stands in
# for the kernel's.
INSTRUMENT  := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS := $(COMMON) -g -O1 $(INSTRUMENT)
LIB_HOST_O  := $(patsubst %.c,$(BUILD)/host/%.o,$(filter-out lib/memory.c,$(wildcard lib/*.c)))
UNIT_C      := $(wildcard tests/unit/test_*.c)
UNIT_TESTS  := $(UNIT_C:tests/%.c=$(BUILD)/%)
SIM_C       := $(filter-out kernel/phys.c kernel/trap.c,$(wildcard kernel/*.c kernel/*/*.c)) \
               $(filter-out tests/sim/test_%,$(wildcard tests/sim/*.c))
SIM_O       := $(SIM_C:%.c=$(BUILD)/sim/%.o)
SIM_TEST_C  := $(wildcard tests/sim/test_*.c)
SIM_TESTS   := $(SIM_TEST_C:tests/%.c=$(BUILD)/%)

# hypertick-scan, for the host: tools/scan/, all of lib/, and what of kernel/ needs no machine.
# _GNU_SOURCE: it stays on one CPU, by sched_setaffinity.
SCAN_CFLAGS := $(COMMON) -D_GNU_SOURCE -g -O2 -Itools/scan
SCAN_C      := $(sort $(wildcard tools/scan/*.c) $(filter-out lib/memory.c,$(wildcard lib/*.c))) \
               kernel/cpuid_log.c \
               $(addprefix kernel/report/,checks.c claims.c detection.c emit.c) \
               $(addprefix kernel/claims/,brand.c claims.c generic_block.c leaf_15.c leaf_16.c \
                   leaf_timing.c transmeta.c xen_leaf.c)
SCAN_O      := $(SCAN_C:%.c=$(BUILD)/scan/%.o)

.PHONY: all efi image run check check-beds unit sim guest tools-test bench soak lint coverage fuzz setup clean help
.PHONY: image-objects unit-programs sim-programs

all: ## build build/hypertick.elf, .bzImage, hypertick-scan and, where gnu-efi is, .efi (the default)
	@tools/setup --needed-for build
	$(SUBMAKE) artefacts

.PHONY: artefacts
artefacts: $(BUILD)/hypertick.elf $(BUILD)/hypertick.bzImage $(if $(HAVE_EFI),efi,efi-missing) $(BUILD)/hypertick-scan

efi: $(BUILD)/hypertick.efi ## build the EFI program, build/hypertick.efi

.PHONY: efi-missing
efi-missing:
	@echo "build/hypertick.efi is left out: install gnu-efi for it (apt-get install gnu-efi)"

run: ## boot the image in QEMU: OPTIONS="window=100ms", QEMU_FLAGS="-machine q35", ACCEL=tcg
	@tools/setup --needed-for run
	$(SUBMAKE) all
	@$(PYTHON) tools/run

check: ## set up and run every test
	@tools/setup --needed-for check
	@$(PYTHON) tools/check

unit: ## run the unit tests of lib/
	@tools/setup --needed-for unit
	@$(PYTHON) tools/check unit

sim: ## run the tests on the simulated machine
	@tools/setup --needed-for unit
	@$(PYTHON) tools/check sim

tools-test: ## run the tests of the programs in tools/
	@tools/setup --needed-for check
	@$(PYTHON) tools/check tools

guest: ## run the tests that boot the image
	@tools/setup --needed-for check
	@$(PYTHON) tools/check guest

check-beds: ## boot the image in the heavier test beds: docs/testing.md
	@tools/setup --needed-for check
	@$(PYTHON) tools/check beds

lint: ## check the format and run every static analyser
	@tools/setup --needed-for lint
	$(SUBMAKE) lint-all

coverage: ## show which lines of lib/ and kernel/ the unit and sim tests reach
	@tools/setup --needed-for coverage
	$(SUBMAKE) coverage-report BUILD=$(BUILD)/coverage \
	    INSTRUMENT='-fprofile-instr-generate -fcoverage-mapping'

bench: ## measure accuracy, speed and size: RUNS=20, PEERS=1 for Linux beside it
	@tools/setup --needed-for bench
	$(SUBMAKE) all
	@$(PYTHON) tests/bench/bench.py $(if $(RUNS),--runs $(RUNS)) $(BENCH_FLAGS)

SOAK := 3600
soak: ## let the monitor run for SOAK=3600 seconds in QEMU TCG, and check that nothing creeps
	@tools/setup --needed-for run
	$(SUBMAKE) all
	@$(PYTHON) tests/guest/soak.py --seconds $(SOAK)

image: ## make build/hypertick.iso and .img for BIOS and UEFI, and qcow2, vmdk, vhdx, vhd
	@tools/setup --needed-for image
	$(SUBMAKE) all
	@tools/image --build $(BUILD)

FUZZ_SECONDS := 60
FUZZ_MAKE = $(SUBMAKE) BUILD=$(BUILD)/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) \
    INSTRUMENT='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'
fuzz: ## run each fuzzer of tests/fuzz for FUZZ_SECONDS=60
	@tools/setup --needed-for fuzz
	$(FUZZ_MAKE) fuzz-run

.PHONY: fuzz-programs
fuzz-programs:
	$(FUZZ_MAKE) fuzzers

setup: ## install everything that run, check and lint need
	@tools/setup --needed-for run
	@tools/setup --needed-for check
	@tools/setup --needed-for lint

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

# --- The image

$(BUILD)/image/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "CC     $@"
	$(Q)$(CC) $(IMAGE_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/image/%.o: %.asm Makefile
	@mkdir -p $(@D)
	@echo "NASM   $@"
	$(Q)$(NASM) $(NASM_FLAGS) -MD $(@:.o=.d) -o $@ $<

# The kernel, with symbols, for a debugger and addr2line. It lies compressed in the image, behind the
# stub that loaders enter and that unpacks it.
$(BUILD)/hypertick.debug: $(IMAGE_O) linker.ld
	@echo "LD     $@"
	$(Q)$(LD) -T linker.ld -nostdlib -static --gc-sections --icf=all -O2 --build-id=none -z noexecstack \
	    $(LTO_FLAGS) -o $@ $(IMAGE_O)

$(BUILD)/image/payload: $(BUILD)/hypertick.debug
	$(Q)$(OBJCOPY) -O binary $< $@

$(BUILD)/image/payload.calls: $(BUILD)/image/payload boot/stub/calls.py
	$(Q)$(PYTHON) boot/stub/calls.py $< $@

# As small as the DEFLATE format allows; gzip -9 is 4 % larger.
$(BUILD)/image/payload.gz: $(BUILD)/image/payload.calls
	@echo "GZIP   $@"
	$(Q)zopfli -c $< >$@

$(BUILD)/image/boot/stub/packed.o: $(BUILD)/image/payload.gz

# What the stub must know of the kernel, and nothing else: it must not call into what is still packed.
$(BUILD)/image/payload.ld: $(BUILD)/hypertick.debug
	$(Q)$(NM) $< | awk '$$3 ~ /^(payload_[a-z]+|boot_stack_top)$$/ { print $$3 " = 0x" $$1 ";" }' >$@

$(BUILD)/image/stub.debug: $(STUB_O) $(BUILD)/image/payload.ld boot/stub/stub.ld
	@echo "LD     $@"
	$(Q)$(LD) -T boot/stub/stub.ld -nostdlib -static --build-id=none -z noexecstack -o $@ $(STUB_O) \
	    $(BUILD)/image/payload.ld

$(BUILD)/hypertick.elf: $(BUILD)/image/stub.debug
	@echo "STRIP  $@"
	$(Q)$(STRIP) --strip-sections -o $@ $<

# The same as a Linux kernel.
$(BUILD)/image/stub.inc: $(BUILD)/image/stub.debug
	$(Q)$(NM) $< | awk '$$3 ~ /^(image_start|memory_end|entry_linux(16|32))$$/ { print $$3 " equ 0x" $$1 }' >$@

$(BUILD)/hypertick.bzImage: boot/linux16.asm $(BUILD)/image/stub.inc $(BUILD)/hypertick.elf Makefile
	@echo "NASM   $@"
	$(Q)$(NASM) -f bin -w+all -w+error -DSYMBOLS='"$(BUILD)/image/stub.inc"' -DELF='"$(BUILD)/hypertick.elf"' \
	    -DVERSION='"$(VERSION)"' -o $@ $<

# Unpacking is all that happens before the first byte of the report: here speed counts, but -O2 would
# only make it larger.
$(STUB_C:%.c=$(BUILD)/image/%.o): IMAGE_CFLAGS += -Os

image-objects: $(IMAGE_O) $(STUB_C:%.c=$(BUILD)/image/%.o) $(if $(HAVE_EFI),$(EFI_O))

$(BUILD)/efi/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "CC     $@"
	$(Q)$(CC) $(EFI_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/efi/%.o: %.asm Makefile
	@mkdir -p $(@D)
	@echo "NASM   $@"
	$(Q)$(NASM) $(NASM_FLAGS) -MD $(@:.o=.d) -o $@ $<

# gnu-efi relocates by adding to what lies in the file, not by the addend: hence --apply-dynamic-relocs.
$(BUILD)/hypertick.efi.debug: $(EFI_O) boot/efi/link.ld
	@$(if $(HAVE_EFI),,echo "build/hypertick.efi needs gnu-efi: apt-get install gnu-efi"; exit 1)
	@echo "LD     $@"
	$(Q)$(LD) -T boot/efi/link.ld -nostdlib -pie --no-dynamic-linker -Bsymbolic --gc-sections \
	    --icf=all -O2 --build-id=none -z noexecstack \
	    --apply-dynamic-relocs $(LTO_FLAGS) \
	    -o $@ $(EFI_CRT0) $(EFI_O) $(EFI_LIBRARY)

# The time stamp in the PE header is 0, or two builds would differ.
$(BUILD)/hypertick.efi: $(BUILD)/hypertick.efi.debug
	@echo "PE     $@"
	$(Q)SOURCE_DATE_EPOCH=0 $(EFI_OBJCOPY) -j .text -j .data -j .dynamic -j .rela -j .reloc -j .bss \
	    --strip-all --output-target=efi-app-x86_64 $< $@

# --- hypertick-scan

$(BUILD)/scan/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "CC     $@"
	$(Q)$(HOST_CC) $(SCAN_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/hypertick-scan: $(SCAN_O)
	@echo "LD     $@"
	$(Q)$(HOST_CC) $(SCAN_CFLAGS) $^ -o $@

# --- Tests on the host

$(BUILD)/host/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "CC     $@"
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/unit/test_unpack: HOST_LIBS := -lz
# Parts of kernel/ and boot/ include the seam, boot/efi/ the headers of gnu-efi.
$(BUILD)/host/tests/unit/%.o $(BUILD)/tidy/tests/unit/%.ok: HOST_CFLAGS += -Itests/sim
$(BUILD)/host/tests/unit/test_efi.o $(BUILD)/tidy/tests/unit/test_efi.c.ok: HOST_CFLAGS += $(EFI_FLAGS)
$(BUILD)/tidy/boot/efi/%.ok: IMAGE_CFLAGS += $(EFI_FLAGS)

$(BUILD)/unit/%: $(BUILD)/host/tests/unit/%.o $(LIB_HOST_O)
	@mkdir -p $(@D)
	@echo "LD     $@"
	$(Q)$(HOST_CC) $(HOST_CFLAGS) $^ -lcmocka $(HOST_LIBS) -o $@

$(BUILD)/sim/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "CC     $@"
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -Itests/sim -MMD -MP -c $< -o $@

$(BUILD)/sim/test_%: $(BUILD)/sim/tests/sim/test_%.o $(SIM_O) $(LIB_HOST_O)
	@mkdir -p $(@D)
	@echo "LD     $@"
	$(Q)$(HOST_CC) $(HOST_CFLAGS) $^ -lcmocka -o $@

unit-programs: $(UNIT_TESTS)
sim-programs: $(SIM_TESTS)

.PHONY: coverage-report
coverage-report: $(UNIT_TESTS) $(SIM_TESTS)
	@rm -f $(BUILD)/*.profraw
	@for test in $^; do \
	    LLVM_PROFILE_FILE=$(BUILD)/%p.profraw $$test >$$test.log 2>&1 || \
	        echo "FAILED $$test: see $$test.log"; \
	done
	@llvm-profdata merge -o $(BUILD)/all.profdata $(BUILD)/*.profraw
	@llvm-cov report -show-region-summary=false -show-branch-summary=false \
	    -instr-profile=$(BUILD)/all.profdata $< $(patsubst %,-object %,$^) lib kernel

FUZZ_C := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS := $(FUZZ_C:tests/fuzz/%.c=$(BUILD)/%)
$(BUILD)/fuzz_%: $(BUILD)/host/tests/fuzz/fuzz_%.o $(LIB_HOST_O)
	@echo "LD     $@"
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -fsanitize=fuzzer $^ -o $@

# The doors of boot/ with the page tables that they need.
$(BUILD)/fuzz_boot: $(patsubst %,$(BUILD)/host/boot/%.o,collect linux multiboot1 multiboot2 paging pvh)

# A run starts from the seeds in tests/fuzz/corpus and from what earlier runs found worth keeping.
.PHONY: fuzz-run fuzzers
fuzzers: $(FUZZERS)
fuzz-run: $(FUZZERS)
	@set -e; for fuzzer in $(FUZZERS); do \
	    mkdir -p $$fuzzer.corpus; \
	    echo "FUZZ   $$fuzzer, $(FUZZ_SECONDS) s"; \
	    $$fuzzer -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$fuzzer. $$fuzzer.corpus \
	        tests/fuzz/corpus/$${fuzzer##*/fuzz_} >$$fuzzer.log 2>&1 || { tail -n 40 $$fuzzer.log; exit 1; }; \
	    tail -n 1 $$fuzzer.log; \
	done

# --- Lint: every rule below is one tool over everything it can read.

ALL_C      := $(sort $(IMAGE_C) $(STUB_C) $(EFI_C) $(wildcard tests/*/*.c tools/scan/*.c))
ALL_H      := $(sort $(wildcard boot/*.h boot/*/*.h kernel/*.h kernel/*/*.h lib/*.h tests/*/*.h tools/scan/*.h))
ALL_PYTHON := $(sort $(wildcard boot/*/*.py tools/*.py tools/*/*.py tests/*/*.py)) $(shell grep -l '^\#!.*python' tools/* 2>/dev/null)
ALL_SHELL  := $(shell grep -l '^\#!.*[/ ]\(ba\)\?sh$$' tools/* .ci/* 2>/dev/null)

.PHONY: lint-all lint-format lint-tidy lint-cppcheck lint-gcc lint-python lint-shell
lint-all: lint-format lint-tidy lint-cppcheck lint-gcc lint-python lint-shell

lint-format:
	$(Q)clang-format --dry-run -Werror $(ALL_C) $(ALL_H)

# clang-tidy is slow, so a file is read again only when it or a header changed.
TIDY_OK := $(ALL_C:%=$(BUILD)/tidy/%.ok)
lint-tidy: $(TIDY_OK)

$(BUILD)/tidy/tests/sim/%.ok: TIDY_CFLAGS = $(HOST_CFLAGS) -Itests/sim
$(BUILD)/tidy/tests/%.ok: TIDY_CFLAGS = $(HOST_CFLAGS)
$(BUILD)/tidy/tools/scan/%.ok: TIDY_CFLAGS = $(SCAN_CFLAGS)
$(BUILD)/tidy/%.ok: TIDY_CFLAGS = $(IMAGE_CFLAGS)
$(BUILD)/tidy/%.ok: % $(ALL_H) .clang-tidy tests/.clang-tidy tools/scan/.clang-tidy Makefile
	@mkdir -p $(@D)
	@echo "TIDY   $<"
	$(Q)clang-tidy --quiet $< -- $(TIDY_CFLAGS) >$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

lint-cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	$(Q)cppcheck --quiet --std=c11 --platform=unix64 --enable=warning,style,performance,portability \
	    --error-exitcode=1 --inline-suppr --suppressions-list=.cppcheck \
	    --cppcheck-build-dir=$(BUILD)/cppcheck -I. -Ikernel $(sort $(IMAGE_C) $(EFI_C))
	$(Q)cppcheck --quiet --std=c11 --platform=unix64 --enable=warning,style,performance,portability \
	    --error-exitcode=1 --inline-suppr --suppressions-list=.cppcheck \
	    -I. -Itests/sim $(filter tests/%,$(ALL_C))
	$(Q)cppcheck --quiet --std=c11 --platform=unix64 --enable=warning,style,performance,portability \
	    --error-exitcode=1 --inline-suppr --suppressions-list=.cppcheck \
	    -I. -Itools/scan $(filter tools/%,$(ALL_C))

# gcc compiles the image and the tests, too; its warnings are errors as clang's are.
lint-gcc:
	$(SUBMAKE) image-objects unit-programs sim-programs $(BUILD)/gcc/hypertick-scan BUILD=$(BUILD)/gcc CC=gcc HOST_CC=gcc

lint-python:
	$(Q)$(PYTHON) -m py_compile $(ALL_PYTHON)

lint-shell:
	$(Q)shellcheck $(ALL_SHELL)

OBJECTS := $(IMAGE_O) $(STUB_O) $(EFI_O) $(LIB_HOST_O) $(UNIT_C:%.c=$(BUILD)/host/%.o) $(FUZZ_C:%.c=$(BUILD)/host/%.o) \
           $(SIM_O) $(SIM_TEST_C:%.c=$(BUILD)/sim/%.o) $(SCAN_O)
-include $(OBJECTS:.o=.d)
