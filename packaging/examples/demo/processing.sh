#!/bin/sh
# shellcheck disable=SC1091,SC2154
# Step 2: a sum for each customer. Every third run fails at its first attempt; the retry succeeds.
set -eu
. "$(dirname "$0")/common.sh"

if [ "${PIPEWARDEN_ATTEMPT:-1}" = 1 ] && [ $((${PIPEWARDEN_RUN_ID:-0} % 3)) = 1 ]; then
  log "ERROR stage=processing the cluster is busy, try again"
  exit 75
fi
sleep 1
awk -F, '{ sum[$2] += $3 } END { for (customer in sum) printf "%s\t%.2f\n", customer, sum[customer] }' \
  "$demo/raw/$name.csv" | sort >"$demo/staged/$name.tsv"
log "stage=processing rows=$(wc -l <"$demo/staged/$name.tsv" | tr -d ' ')"
