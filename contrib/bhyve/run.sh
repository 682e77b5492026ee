#!/bin/sh
# Boots hypertick in bhyve on FreeBSD, as root, with the package edk2-bhyve. The report is on the
# terminal.
#
#   contrib/bhyve/run.sh [IMAGE [OPTIONS]]          # hypertick.img or hypertick.iso
#
# FreeBSD 13 and before have no fwcfg: there, leave out that line and take the menu's options.
set -eu

image=${1:-build/hypertick.img}
case $image in
*.iso) drive=ahci-cd ;;
*) drive=ahci-hd ;;
esac

kldload -n vmm
status=0
bhyve -A -H -P -c "${CPUS:-2}" -m 128M \
    -s 0,hostbridge \
    -s "3,$drive,$image" \
    -s 31,lpc \
    -l com1,stdio \
    -l fwcfg,qemu -f "opt/hypertick/options,string=${2-window=1000ms}" \
    -l bootrom,/usr/local/share/uefi-firmware/BHYVE_UEFI.fd \
    hypertick || status=$?
bhyvectl --vm=hypertick --destroy
[ "$status" -eq 1 ] || echo "bhyve ended with $status, and 1 is a power-off" >&2
