#!/usr/bin/env bash
# Checks the model: with the real rules there is no error, in whatever order things happen; with each seeded bug there is one.
# Prints TAP. Needs spin and gcc (Debian: spin gcc libc6-dev).
#
#   check.sh                         everything
#   check.sh trail MODEL [-DNAME…]   the shortest way to the error of one variant, step by step
#
# PIPELINE_MODEL_WIDTH: searches at a time, 2 by default.
set -euo pipefail

MODELS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WIDTH=${PIPELINE_MODEL_WIDTH:-2}
# Of one search: seconds on the processor, depth, memory.
SECONDS_AT_MOST=120
DEPTH=100000
MEGABYTES=3000
# No partial-order reduction: the property looks at everything, and timeout does not go well with it.
PLAIN=(-DNOREDUCE "-DMEMLIM=$MEGABYTES" -w)

PASSED=0 FAILED=0
TITLES=()
RUNNING=()
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/model-XXXXXX")

clean_up() {
  local pid
  for pid in ${RUNNING[@]+"${RUNNING[@]}"}; do
    kill "$pid" 2>/dev/null || true
  done
  rm -rf "$SCRATCH"
}

# --- One search: builds in the present folder, leaves its output in out ---------------------------------------------------

search() { # MODEL 'GCC OPTION…' 'PAN OPTION…' -DNAME…
  local model=$1 compiling=$2 searching=$3
  cp "$MODELS"/*.pml .
  # shellcheck disable=SC2086 # lists of options
  spin "${@:4}" -a "$model.pml" >build 2>&1 && nice -n 19 gcc $compiling "${PLAIN[@]}" -o pan pan.c >>build 2>&1 || {
    cat build >out
    return 0
  }
  # shellcheck disable=SC2086
  (ulimit -t "$SECONDS_AT_MOST" && exec nice -n 19 ./pan "-m$DEPTH" $searching) >out 2>&1 || echo "ended with $?" >>out
}

is_exhaustive() {
  grep -q 'errors: 0$' out && ! grep -Eqi 'not completed|too small|memory limit|out of memory|ended with' out
}

figures() {
  awk '/states, stored/ { states = $1 } /elapsed time/ { seconds = $4 } END { printf "%d states, %.1f s", states, seconds }' out
}

say_trail() { # MODEL -DNAME…
  [ -f "$1.pml.trail" ] || return 0
  spin "${@:2}" -t "$1.pml" 2>/dev/null | sed -n '/^#processes/q; /^spin: .*\(warning\|trail ends\|find claim\)/d; s/^ */  /p'
}

shortest_trail() { # MODEL -DNAME…
  # Breadth first, where scratch must be a part of the state.
  search "$1" '-O1 -DSAFETY -DBFS' '-w24' -Dhidden= "${@:2}"
  if [ -f "$1.pml.trail" ]; then say_trail "$1" -Dhidden= "${@:2}"; else tail -n 20 out; fi
}

# --- Kinds of tests: each in a folder of its own; fails, or succeeds, with figures in the file of that name ------------------

holds() { # MODEL -DNAME…
  search "$1" '-O1 -DSAFETY' '-w24' "${@:2}"
  figures >figures
  is_exhaustive || shortest_trail "$@" >why
  [ ! -e why ]
}

# No run goes on for ever: then every run gets to where nothing moves, and there it is asked whether all is delivered.
ends() { # MODEL -DNAME…
  search "$1" '-O1 -DNP' '-l -w24' "${@:2}"
  figures >figures
  is_exhaustive || { say_trail "$1" "${@:2}" && tail -n 20 out; } >why
  [ ! -e why ]
}

# Every statement can be reached, but those whose line says never. -o3: none is merged with the one before.
is_all_reached() { # MODEL -DNAME…
  local place line statement
  search "$1" '-O1 -DSAFETY' '-w24' -o3 "${@:2}"
  figures >figures
  is_exhaustive && : >why || tail -n 20 out >why
  sed -nE 's/^\t([a-z]+\.pml):([0-9]+), state [0-9]+, "(.*)"$/\1 \2 \3/p' out | grep -vE ' (-end-|\(!\(alive.*)$' | sort -u >unreached || true
  while read -r place line statement; do
    sed -n "${line}p" "$place" | grep -q never || echo "  never reached: $place:$line: $statement" >>why
  done <unreached
  [ ! -s why ]
}

# The same for steps that are one in the search: each says something, and all of it is said. A part of the search is enough.
is_all_said() { # MODEL -DNAME…
  search "$1" '-O1 -DSAFETY -DBITSTATE' '-w20' -o3 -Dd_step=atomic -Dhidden= "${@:2}"
  figures >figures
  is_exhaustive && : >why || tail -n 20 out >why
  grep -E 'state [0-9]+, "printf' out >>why || true
  [ ! -s why ]
}

# The search finds this violation.
breaks() { # MODEL VIOLATION -DNAME…
  search "$1" '-O0 -DSAFETY' '-w20' "${@:3}"
  figures >figures
  grep -qF "$2" out || tail -n 20 out >why
  [ ! -e why ]
}

# --- Running --------------------------------------------------------------------------------------------------------------

begin() { # TITLE KIND ARGUMENT…
  local number=$((${#TITLES[@]} + 1))
  TITLES+=("$1")
  while [ "$(jobs -rp | wc -l)" -ge "$WIDTH" ]; do
    wait -n || true
  done
  mkdir "$SCRATCH/$number"
  (cd "$SCRATCH/$number" && set +e && "${@:2}" && touch passed; rm -f pan pan.*) &
  RUNNING+=($!)
}

report() {
  local number folder
  wait
  RUNNING=()
  echo "1..${#TITLES[@]}"
  for number in $(seq ${#TITLES[@]}); do
    folder=$SCRATCH/$number
    if [ -e "$folder/passed" ]; then
      PASSED=$((PASSED + 1))
      echo "ok $number - ${TITLES[$number - 1]} ($(cat "$folder/figures"))"
    else
      FAILED=$((FAILED + 1))
      echo "not ok $number - ${TITLES[$number - 1]} ($(cat "$folder/figures" 2>/dev/null))"
      cat "$folder/why" 2>/dev/null || true
    fi
  done
  printf '# tests %d\n# pass %d\n# fail %d\n' ${#TITLES[@]} $PASSED $FAILED
  [ "$FAILED" = 0 ]
}

shows() { # MODEL NAME VIOLATION -DNAME…
  begin "$1 shows $(tr '[:upper:]_' '[:lower:] ' <<<"$2")" breaks "$1" "$3" "-D$2" "${@:4}"
}

check() {
  begin 'append: an event posted to two processes, three faults' holds append -DJOBS=1 -DFAULTS=3
  begin 'append: a run ended by two processes, three faults' holds append -DJOBS=2 -DFAULTS=3
  begin 'append: both, one fault, and every statement is reached' is_all_reached append -DJOBS=3 -DFAULTS=1
  begin 'append: an event that two callers commit with changes of their own, three faults' holds append -DJOBS=1 -DTWO_CALLERS -DFAULTS=3
  begin 'append: an event posted to two processes, every run ends' ends append -DJOBS=1 -DFAULTS=2
  begin 'append: a run ended by two processes, every run ends' ends append -DJOBS=2 -DFAULTS=2
  begin 'delivery: two events, two faults' holds delivery -DFAULTS=2
  begin 'delivery: two events, a raised generation' holds delivery -DRAISE
  begin 'delivery: three events' holds delivery -DEVENTS=3 -DFAULTS=0
  begin 'delivery: two screens' holds delivery -DSCREENS=2 -DFAULTS=0
  begin 'delivery: every run ends' ends delivery -DFAULTS=1
  begin 'delivery: every step is taken' is_all_said delivery -DFAULTS=1

  shows append BUG_DEDUPE_IN_LOCK_STATEMENT '!(position[0])' -DJOBS=1
  shows append BUG_FENCE_BEFORE_LOCK '(attempt==' -DJOBS=2
  shows append BUG_FENCE_BEFORE_IDS '!(position[1])&& !(changes)' -DJOBS=2
  shows append BUG_REPEAT_UNSETTLED '(position[1]&&(changes==1))' -DJOBS=2
  shows append BUG_SETTLED_BY_IDS '(position[0]&&(changes==1))' -DJOBS=1 -DTWO_CALLERS
  shows append BUG_DELETE_BEFORE_CONFIRM '!(owed[0])' -DJOBS=1
  shows append BUG_SWEEP_DELETES '(owner[e]==0)' -DJOBS=1
  shows append BUG_DELETE_ANY_GENERATION '(owner[e]==0)' -DJOBS=1
  shows append BUG_OWN_ROWS_UNSWEPT '(owner[e]==0)' -DJOBS=1

  local behind='assertion violated 0 '
  shows delivery BUG_HEAD_BEFORE_FEED "$behind"
  shows delivery BUG_BEACON_COUNTED_AS_PAGE "$behind"
  shows delivery BUG_LATE_BEACON_REPEATS "$behind"
  shows delivery BUG_FORGOTTEN_BEFORE_SILENT "$behind"
  shows delivery BUG_STALE_HEAD_TAKEN "$behind"
  shows delivery BUG_PULSE_ONLY_ON_NEWS "$behind" -DFAULTS=2
  shows delivery BUG_OLD_HISTORY_PAGE '(b==feedHistory)'
  shows delivery BUG_SWEEP_IN_TWO_SNAPSHOTS '(b==feedHistory)'
  shows delivery BUG_ANSWER_OF_ANOTHER_HISTORY '(h==reader[s].asked)'
  shows delivery BUG_JUDGED_BY_AN_OLD_HEAD '(h<history)'

  # What the product does not promise, and the model would.
  shows append LIMIT_ID_OF_TWO_CALLERS '(position[0]&&(changes==1))' -DJOBS=1
  shows delivery LIMIT_READY_BEFORE_HEAD '(screen[s].position<promised)'
  report
}

main() {
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  command -v spin >/dev/null && command -v gcc >/dev/null || {
    echo 'check.sh: missing spin or gcc; install them (Debian: spin gcc libc6-dev)' >&2
    exit 1
  }
  case ${1:-} in
    '') check ;;
    trail)
      [ -f "$MODELS/${2:-}.pml" ] || { echo 'check.sh: usage: check.sh [trail append|delivery [-DNAME…]]' >&2; exit 1; }
      cd "$SCRATCH" && shortest_trail "${@:2}"
      ;;
    *) echo 'check.sh: usage: check.sh [trail append|delivery [-DNAME…]]' >&2; exit 1 ;;
  esac
}

main "$@"
