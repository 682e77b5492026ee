#!/bin/sh
# Boots hypertick in Cloud Hypervisor, by PVH.
#
#   contrib/cloud-hypervisor/run.sh [OPTIONS]       # of hypertick, as one word: "window=1s"
set -eu

exec cloud-hypervisor \
    --kernel "${IMAGE:-build/hypertick.elf}" \
    --cmdline "com1=text+json ${1-window=1000ms}" \
    --cpus "boot=${CPUS:-2}" \
    --memory size=128M \
    --serial tty --console off
