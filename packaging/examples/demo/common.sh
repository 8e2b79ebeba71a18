# shellcheck shell=sh disable=SC2034
# Read by the demo's steps. Where they work, and how they log.
demo=${DEMO_DIR:-/tmp/pipewarden-demo}
mkdir -p "$demo/raw" "$demo/staged" "$demo/gold" "$demo/warehouse"
name=$(echo "${PIPEWARDEN_SLOT:-by-hand}" | tr -d ':')
log() {
  echo "$*"
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) run=${PIPEWARDEN_RUN_ID:-0} $*" >>"$demo/pipeline.log"
}
