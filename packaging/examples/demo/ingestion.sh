#!/bin/sh
# shellcheck disable=SC1091,SC2154
# Step 1: orders arrive, as a CSV file of some 50 to 250 lines.
set -eu
. "$(dirname "$0")/common.sh"

rows=$((50 + (${PIPEWARDEN_RUN_ID:-1} * 37) % 200))
awk -v rows="$rows" -v seed="${PIPEWARDEN_RUN_ID:-1}" 'BEGIN {
  srand(seed)
  for (i = 0; i < rows; ++i) printf "%d,customer-%d,%.2f\n", i, rand() * 20, rand() * 100
}' >"$demo/raw/$name.csv"
log "stage=ingestion rows=$rows"
