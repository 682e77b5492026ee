#!/bin/sh
# Makes a VirtualBox machine of hypertick's ISO, runs it to its end and removes it. The report is in
# hypertick.log, the records in hypertick.jsonl.
#
#   contrib/virtualbox/run.sh [PROVIDER [OPTIONS]]  # none, legacy, minimal, hyperv, kvm, default
set -eu

name=hypertick
iso=$(realpath "${IMAGE:-build/hypertick.iso}")

VBoxManage createvm --name "$name" --ostype Other_64 --register
trap 'VBoxManage unregistervm "$name" --delete' EXIT
VBoxManage modifyvm "$name" --memory 128 --vram 16 --cpus "${CPUS:-2}" \
    --firmware "${FIRMWARE:-bios}" --ioapic on --hpet on --paravirtprovider "${1:-default}" \
    --uart1 0x3f8 4 --uartmode1 file "$PWD/hypertick.log" \
    --uart2 0x2f8 3 --uartmode2 file "$PWD/hypertick.jsonl"
case ${FIRMWARE:-bios} in
bios) device=pcbios ;;
*) device=efi ;;
esac
# An OEM string of SMBIOS, which hypertick takes options from.
VBoxManage setextradata "$name" "VBoxInternal/Devices/$device/0/Config/DmiOEMVBoxVer" \
    "hypertick:${2-window=1000ms}"
VBoxManage storagectl "$name" --name sata --add sata
VBoxManage storageattach "$name" --storagectl sata --port 0 --device 0 --type dvddrive \
    --medium "$iso"
VBoxManage startvm "$name" --type headless

# Ends when hypertick has powered the machine off, or after two minutes.
seconds=120
while [ "$seconds" -gt 0 ] &&
    ! VBoxManage showvminfo "$name" --machinereadable | grep -q '^VMState="poweroff"'; do
    sleep 1
    seconds=$((seconds - 1))
done
if [ "$seconds" -eq 0 ]; then
    echo "hypertick is still running; it is switched off" >&2
    VBoxManage controlvm "$name" poweroff
fi
sleep 2 # VirtualBox keeps its lock for a moment
