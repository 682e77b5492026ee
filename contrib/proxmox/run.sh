#!/bin/sh
# Makes a Proxmox VE machine of hypertick's disk, starts it and shows its serial port. As root on a node.
#
#   contrib/proxmox/run.sh VMID [STORAGE]
set -eu

vmid=$1
storage=${2:-local-lvm}
image=$(realpath "${IMAGE:-build/hypertick.qcow2}")

qm create "$vmid" --name hypertick --ostype other --machine q35 --memory 128 --balloon 0 \
    --cores "${CPUS:-2}" --cpu host --serial0 socket --vga std \
    --args '-smbios type=11,value=hypertick:com1=text+json'
qm importdisk "$vmid" "$image" "$storage"
qm set "$vmid" --sata0 "$storage:vm-$vmid-disk-0" --boot order=sata0
qm start "$vmid"
qm terminal "$vmid" --iface serial0 # ends with Ctrl-O
