#!/bin/sh
# shellcheck disable=SC1091,SC2154
# Step 3: the sums go to the day's partition and to the warehouse's table. By hand (the initial load) all that is staged.
set -eu
. "$(dirname "$0")/common.sh"

partition=$demo/gold/dt=$(date -u +%Y-%m-%d)
mkdir -p "$partition"
rows=0
for file in "$demo/staged"/*.tsv; do
  [ -e "$file" ] || continue
  rows=$((rows + $(wc -l <"$file")))
  cat "$file" >>"$demo/warehouse/orders.tsv"
  mv "$file" "$partition/"
done
tail -n 10000 "$demo/warehouse/orders.tsv" >"$demo/warehouse/orders.new" 2>/dev/null || : >"$demo/warehouse/orders.new"
mv "$demo/warehouse/orders.new" "$demo/warehouse/orders.tsv"
find "$demo/raw" "$demo/gold" -type f -mmin +1440 -delete
log "stage=loader rows=$rows"
