# The bench: Q1 to Q5 of the shop stream, each alone and all as one project, against a hand-written program; from rows, from records
# and from the file's bytes; each stage from bytes to SQLite by itself; memory of a live source row; two workers against one;
# `livemart run`; one change under `livemart serve`, and what that takes when nothing comes; ticks of the clock; an epoch in which one row changes under the whole shop project; and (with --only restart)
# what a killed `livemart serve` costs until it is fresh again. Sourced by scripts/x.
#
#   scripts/x bench [--size S|M|L] [--queries q1,…,q5,all] [--runs N] [--changes N] [--rest-seconds N]
#                   [--only engine,bytes,stages,workers,run,serve,rest,restart,ticks,epoch] [--limit DIR] [--save] [--profile NAME]
#
#   scripts/x bench windows [--rows N,N,...] [--changes N] [--save]      one changed row in a window's partition
#
#   scripts/x bench latency [--rate N] [--seconds N] [--interval-ms N] [--save]   Kafka to PostgreSQL, beside a pipeline without an engine;
#                                                                                  with a broker and a PostgreSQL of its own, which syncs
#
#   scripts/x bench shop [--customers N] [--days N] [--activity PERCENT] [--changes N] [--save]   the whole reference project: load, going on, one change, dashboards
#
#   --limit DIR      the hand-written program (or LIVEMART_LIMIT); it is copied to the cache and built there
#   --save           keep the table as benches/runs/DATE-COMMIT.txt as well
#   --profile NAME   cargo's profile; `release` builds everything a second time and is faster   (default: dev, the one of tests and demo)
#
# Events, the limit's build and the databases live under $CACHE/bench.

bench() {
  local args=() cargo_args=(--profile dev) save= table=
  while [ $# -gt 0 ]; do
    case $1 in
      --save) save=yes ;;
      --profile)
        [ $# -ge 2 ] || die "--profile needs a name" "for example: scripts/x bench --profile dev"
        cargo_args=(--profile "$2")
        shift
        ;;
      *) args+=("$1") ;;
    esac
    shift
  done
  LIVEMART_BENCH_COMMIT=$(bench_commit)
  export LIVEMART_BENCH_COMMIT LIVEMART_BENCH_PROFILE=${cargo_args[1]} LIVEMART_CACHE=$CACHE
  table=$(mktemp "${TMPDIR:-/tmp}/livemart-bench.XXXXXX")
  on_leaving "rm -f '$table'"
  if [ "${args[0]:-}" = latency ]; then
    local parts
    parts=$(mktemp -d "${TMPDIR:-/tmp}/livemart-latency.XXXXXX")
    on_leaving "parts_down '$parts'; rm -rf '$parts'"
    stage "setup of parts" setup_parts
    LIVEMART_PARTS_SYNC=yes stage "parts up" parts_up "$parts"
    . "$parts/parts.env"
  fi
  if [ "${args[0]:-}" = shop ]; then
    stage build cargo build --locked "${cargo_args[@]}"
    stage "setup of parts" setup_parts
    stage "setup of dbt" setup_oracle
    with_parts
    bench_shop "$CARGO_TARGET_DIR/$(profile_folder "${cargo_args[1]}")/livemart" "${args[@]:1}" | tee "$table"
    keep_table "$table" "$save"
    return
  fi
  cargo bench --locked --package livemart --bench engine ${cargo_args[@]+"${cargo_args[@]}"} -- ${args[@]+"${args[@]}"} | tee "$table"
  keep_table "$table" "$save"
}

# keep_table FILE SAVE: adds a table to the day's and commit's, if that is asked for.
keep_table() {
  [ -n "$2" ] || return 0
  local kept
  kept=$ROOT/benches/runs/$(date +%F)-$LIVEMART_BENCH_COMMIT.txt
  # Another run of the same day and commit is added below.
  cat "$1" >>"$kept"
  say "saved in ${kept#"$ROOT"/}"
}

profile_folder() { case $1 in dev) echo debug ;; *) echo "$1" ;; esac }

# bench_shop BINARY OPTION...: the figures, then the dashboards' queries over as many customers of the same activity.
bench_shop() {
  local binary=$1 customers=2000 activity=100
  shift
  printf 'commit %s, %s\n' "$LIVEMART_BENCH_COMMIT" "$LIVEMART_BENCH_PROFILE"
  python3 benches/shop.py --binary "$binary" "$@"
  while [ $# -gt 1 ]; do
    case $1 in
      --customers) customers=$2 ;;
      --activity) activity=$2 ;;
    esac
    shift
  done
  "$ORACLE_VENV/bin/python" tests/oracle/dashboards.py --binary "$binary" --customers "$customers" --activity "$activity"
}

# The commit that is measured, marked when the checkout differs from it.
bench_commit() {
  local commit
  commit=$(git -C "$ROOT" rev-parse --short HEAD 2>/dev/null) || commit=unknown
  if [ "$commit" != unknown ] && [ -n "$(git -C "$ROOT" status --porcelain 2>/dev/null)" ]; then commit+=-changed; fi
  printf '%s\n' "$commit"
}
