#!/bin/sh
# Boots hypertick in kvmtool; the report and the records are on the terminal.
#
#   contrib/kvmtool/run.sh [OPTIONS]                # of hypertick, as one word: "window=1s"
set -eu

exec lkvm run --name hypertick --nodefaults \
    --kernel "${IMAGE:-build/hypertick.bzImage}" \
    --cpus "${CPUS:-2}" --mem 128 \
    --console serial \
    --params "com1=text+json ${1-window=1000ms}"
