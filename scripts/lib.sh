# What every script shares: where things are kept, how a stage is announced, how a failure reads. Sourced, never run.
#
#   LIVEMART_CACHE     downloads, the dbt environment, running parts and build output   (default ~/.cache/livemart)
#   CARGO_TARGET_DIR   cargo's build output, kept outside the checkout                  (default $LIVEMART_CACHE/target)
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${LIVEMART_CACHE:-$HOME/.cache/livemart}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PYTHONDONTWRITEBYTECODE=1 # nothing is written into the checkout
mkdir -p "$CACHE"

KAFKA_VERSION=4.3.1
KAFKA_HOME=$CACHE/kafka-$KAFKA_VERSION
DEBEZIUM_VERSION=3.6.3.Final
DEBEZIUM_HOME=$CACHE/debezium-$DEBEZIUM_VERSION
ORACLE_VENV=$CACHE/oracle-venv
BIN=$CARGO_TARGET_DIR/debug/livemart

say() { printf '%s\n' "$*" >&2; }

# die MESSAGE [HINT]: the message names the object, the hint the way out.
die() {
  say "error: $1"
  [ $# -lt 2 ] || say "hint: $2"
  exit 1
}

LEAVING=()      # commands to run when the script ends, the last one first
LEAVING_CODE=0  # with what exit code it ends

# on_leaving COMMAND: runs it when the script ends, however it ends.
# In a subshell it is the subshell's end, and what the script itself has to do then is left to it.
on_leaving() {
  if [ "${LEAVING_PID:-$$}" != "$BASHPID" ]; then
    LEAVING=()
    LEAVING_PID=$BASHPID
  fi
  LEAVING+=("$1")
  trap leave EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

leave() {
  LEAVING_CODE=$?
  local i
  trap - EXIT
  for ((i = ${#LEAVING[@]} - 1; i >= 0; i--)); do eval "${LEAVING[i]}" || true; done
  exit $LEAVING_CODE
}

STAGES=() # "seconds name", in the order they ran

# stage NAME COMMAND...: runs a command, says how long it took, and passes its failure on.
stage() {
  local name=$1 begun=$SECONDS code=0
  shift
  say "==> $name"
  # A subshell with its own errexit: bash ignores errexit in anything called on the left of `||`.
  set +e
  (set -e; "$@")
  code=$?
  set -e
  local took=$((SECONDS - begun))
  if [ $code -eq 0 ]; then
    STAGES+=("$took $name")
    say "==> $name: ${took} s"
  else
    STAGES+=("$took $name FAILED")
    say "==> $name: FAILED after ${took} s (exit code $code)"
    return $code
  fi
}

# The seconds of all stages so far, one per line.
stages() {
  local line total=0
  say ""
  say "  seconds  stage"
  for line in ${STAGES[@]+"${STAGES[@]}"}; do
    printf '  %7d  %s\n' "${line%% *}" "${line#* }" >&2
    total=$((total + ${line%% *}))
  done
  printf '  %7d  in all\n' "$total" >&2
}
