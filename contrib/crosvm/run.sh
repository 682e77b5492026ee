#!/bin/sh
# Boots hypertick in crosvm, by the Linux boot protocol; report in hypertick.log, records in
# hypertick.jsonl.
#
#   contrib/crosvm/run.sh [OPTIONS]                 # of hypertick, as one word: "window=1s"
set -eu

exec crosvm run --disable-sandbox \
    --cpus "${CPUS:-2}" --mem 128 \
    --serial type=file,path=hypertick.log,hardware=serial,num=1 \
    --serial type=file,path=hypertick.jsonl,hardware=serial,num=2 \
    --params "${1-window=1000ms}" \
    "${IMAGE:-build/hypertick.bzImage}"
