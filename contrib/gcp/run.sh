#!/bin/sh
# Imports hypertick's disk into Google Compute Engine, runs it, prints what its first serial port said,
# leaves the second one's in hypertick.jsonl, and removes the instance. Costs money.
#
#   contrib/gcp/run.sh BUCKET ZONE [MACHINE_TYPE]
set -eu

bucket=$1
zone=$2
type=${3:-e2-small}
name=hypertick-$(date +%s)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "${IMAGE:-build/hypertick.img}" "$work/disk.raw" # this name, and whole GiB
truncate -s 1G "$work/disk.raw"
tar --format=oldgnu -Sczf "$work/hypertick.tar.gz" -C "$work" disk.raw

gcloud storage cp "$work/hypertick.tar.gz" "gs://$bucket/$name.tar.gz"
gcloud compute images create "$name" --source-uri "gs://$bucket/$name.tar.gz" \
    --guest-os-features UEFI_COMPATIBLE
gcloud compute instances create "$name" --zone "$zone" --machine-type "$type" --image "$name" \
    --no-shielded-secure-boot
sleep 90 # boot, the window, and the copying of the serial port
gcloud compute instances get-serial-port-output "$name" --zone "$zone" --port 1
gcloud compute instances get-serial-port-output "$name" --zone "$zone" --port 2 >hypertick.jsonl
gcloud compute instances delete "$name" --zone "$zone" --quiet
echo "left: image $name, gs://$bucket/$name.tar.gz" >&2
