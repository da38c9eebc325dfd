#!/usr/bin/env bash
# Builds everything as a release, then runs the tests against a real PostgreSQL, RabbitMQ and Chromium.
#
#   ./test.sh            every suite
#   ./test.sh fast       what needs no server and no browser: without the classes of trait 'needs' or named for PostgreSQL
#   ./test.sh NAME…      the named suites: Contracts, Persistence, … (tests/NAME.Tests), JavaScript, Model (infra/model)
#   ./test.sh faults [--minutes N] [--seed S]
#                        no tests: a running system under a seeded mix of faults, its timeline, and a verdict as the last line,
#                        'events=… faults=… violations=…'; the exit status is 0 only without violations
#
# Servers come from a Docker engine where one answers, else from local binaries; Debian packages that are missing are then
# installed. Results and logs: artifacts/test. The last line says 'N passed, N failed', with ', N skipped' if there are any.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1
# Build servers would outlive this command.
export MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false

RESULTS=$PWD/artifacts/test
FAST_SUITES='Contracts Persistence Messaging Worker Delivery Client JavaScript'
SERVERLESS_SUITES='Contracts Delivery Client JavaScript Model'
# What is no .NET project.
UNBUILT_SUITES='JavaScript Model'
# Timing matters in these: they have the machine to themselves, after the others.
ALONE_SUITES='EndToEnd Browser Faults'
SUITE_LIMIT=${PIPELINE_TEST_LIMIT:-40m}

FAST=no
PASSED=0 FAILED=0 SKIPPED=0
RUNNING=()
SERVER_FOLDERS=()

fail() {
  echo "test.sh: $*" >&2
  exit 1
}

is_in() { # WORD LIST
  [[ " $2 " == *" $1 "* ]]
}

# --- What to run ------------------------------------------------------------------------------------------------------

javascript_folders() {
  local manifest
  while IFS= read -r manifest; do
    ! grep -q '"test":' "$manifest" || dirname "$manifest"
  done < <(find src tests \( -name node_modules -o -name bin -o -name obj \) -prune -o -name package.json -print)
}

all_suites() {
  local folder
  for folder in tests/*.Tests; do
    basename "$folder" .Tests
  done
  [ -z "$(javascript_folders)" ] || echo JavaScript
  echo Model
}

choose_suites() {
  local all suite
  all=$(all_suites | tr '\n' ' ')
  case ${1:-all} in
    all) SUITES=$all ;;
    fast)
      FAST=yes SUITES=''
      for suite in $all; do
        ! is_in "$suite" "$FAST_SUITES" || SUITES+="$suite "
      done
      ;;
    *) SUITES="$*" ;;
  esac
  for suite in $SUITES; do
    is_in "$suite" "$all" || fail "there is no suite '$suite'; the suites are: $all"
  done
}

need_servers() {
  local suite
  [ "$FAST" = no ] || return 1
  for suite in $SUITES; do
    is_in "$suite" "$SERVERLESS_SUITES" || return 0
  done
  return 1
}

# --- What must be there -----------------------------------------------------------------------------------------------

# The page is judged by axe-core, the client's types by TypeScript: what tests/js/package-lock.json names.
need_npm() {
  is_in Browser "$SUITES" || is_in JavaScript "$SUITES"
}

docker_answers() {
  command -v docker >/dev/null && docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

has_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' >/dev/null || command -v pg_ctl >/dev/null
}

has_rabbitmq() {
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null
}

has_chromium() {
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null
}

has_c_compiler() {
  command -v gcc >/dev/null && echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1
}

install_missing() {
  local missing=()
  if need_servers && [ "$USE_DOCKER" = no ]; then
    [ -n "${PIPELINE_TEST_POSTGRES:-}" ] || has_postgres || missing+=(postgresql)
    [ -n "${PIPELINE_TEST_RABBITMQ:-}" ] || has_rabbitmq || missing+=(rabbitmq-server)
  fi
  ! is_in Browser "$SUITES" || has_chromium || missing+=(chromium)
  ! need_npm || command -v node >/dev/null || missing+=(nodejs)
  ! need_npm || command -v npm >/dev/null || missing+=(npm)
  ! is_in Model "$SUITES" || command -v spin >/dev/null || missing+=(spin)
  ! is_in Model "$SUITES" || has_c_compiler || missing+=(gcc libc6-dev)
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  if ! command -v apt-get >/dev/null || ! ${as_root[@]+"${as_root[@]}"} true 2>/dev/null; then
    fail "missing: ${missing[*]}; install them (the names are Debian's), or start a Docker engine for the servers"
  fi
  echo "Installing ${missing[*]}"
  # Packages start their servers unless told that this is no time for it; the tests start their own.
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c \
    'apt-get update -q && apt-get install -q -y --no-install-recommends "$@"' sh "${missing[@]}" \
    </dev/null >"$RESULTS/install.log" 2>&1 || fail "could not install ${missing[*]}: $(tail -n 5 "$RESULTS/install.log")"
}

install_npm_packages() {
  need_npm || return 0
  [ ! tests/js/node_modules/.package-lock.json -nt tests/js/package-lock.json ] || return 0
  (cd tests/js && npm ci --ignore-scripts --no-audit --no-fund) </dev/null >"$RESULTS/npm.log" 2>&1 ||
    fail "could not install the npm packages of tests/js: $(tail -n 5 "$RESULTS/npm.log")"
}

# --- Servers that all suites share ------------------------------------------------------------------------------------

start_server() { # KIND
  local folder=$SCRATCH/shared-$1
  SERVER_FOLDERS+=("$folder")
  infra/servers.sh start "$1" "$folder" >"$RESULTS/$1.env" 2>"$RESULTS/$1.log" &
}

start_servers() {
  local kind kinds=() HOST PORT USERNAME PASSWORD
  [ -n "${PIPELINE_TEST_POSTGRES:-}" ] || kinds+=(postgres)
  [ -n "${PIPELINE_TEST_RABBITMQ:-}" ] || kinds+=(rabbitmq)
  for kind in ${kinds[@]+"${kinds[@]}"}; do
    start_server "$kind"
    RUNNING+=($!)
  done
  # The guard stops the servers when this script is gone, however it ended.
  if [ ${#SERVER_FOLDERS[@]} -gt 0 ]; then
    exec 9> >(exec setsid infra/servers.sh guard "${SERVER_FOLDERS[@]}" >/dev/null 2>&1)
    GUARD=$!
  fi
  local position=0
  for kind in ${kinds[@]+"${kinds[@]}"}; do
    wait "${RUNNING[$position]}" || fail "$(cat "$RESULTS/$kind.log")"
    # shellcheck source=/dev/null
    . "$RESULTS/$kind.env"
    case $kind in
      postgres)
        export PIPELINE_TEST_POSTGRES="Host=$HOST;Port=$PORT;Username=$USERNAME;Password=$PASSWORD;Database=postgres;Pooling=false"
        ;;
      rabbitmq)
        export PIPELINE_TEST_RABBITMQ="amqp://$USERNAME:$PASSWORD@$HOST:$PORT"
        export PIPELINE_TEST_RABBITMQ_CONTROL=${SERVER_FOLDERS[$position]}/rabbitmqctl
        ;;
    esac
    position=$((position + 1))
  done
  RUNNING=()
}

clean_up() {
  local pid
  for pid in ${RUNNING[@]+"${RUNNING[@]}"}; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if [ -n "${GUARD:-}" ]; then
    exec 9>&-
    wait "$GUARD" 2>/dev/null || true
  fi
  rm -rf "${SCRATCH:-}"
}

# --- Building ---------------------------------------------------------------------------------------------------------

check_format() {
  echo 'Checking the format'
  dotnet format whitespace . --folder --verify-no-changes >"$RESULTS/format.log" 2>&1 ||
    fail "format: run 'dotnet format whitespace . --folder'
$(tail -n 20 "$RESULTS/format.log")"
}

# Prints a solution of the chosen suites and, by reference, of what they test.
solution_filter() {
  local suite separator=''
  printf '{ "solution": { "path": "../../Pipeline.sln", "projects": ['
  for suite in $SUITES; do
    ! is_in "$suite" "$UNBUILT_SUITES" || continue
    printf '%s"tests/%s.Tests/%s.Tests.csproj"' "$separator" "$suite" "$suite"
    separator=', '
  done
  printf '] } }\n'
}

build() {
  local solution=Pipeline.sln suite built=no
  for suite in $SUITES; do
    is_in "$suite" "$UNBUILT_SUITES" || built=yes
  done
  [ "$built" = yes ] || return 0
  if [ "$SUITES" != "$(all_suites | tr '\n' ' ')" ]; then
    solution=$RESULTS/suites.slnf
    solution_filter >"$solution"
  fi
  echo 'Building'
  if ! { dotnet restore --locked-mode "$solution" && dotnet build -c Release --no-restore -warnaserror "$solution"; } \
    </dev/null >"$RESULTS/build.log" 2>&1; then
    grep error "$RESULTS/build.log" | sort -u | head -n 40 >&2 || true
    fail 'the build failed; log: artifacts/test/build.log'
  fi
}

# --- Running ----------------------------------------------------------------------------------------------------------

# Becomes the suite. timeout makes a process group of it, by which what a suite leaves behind is found and ended.
run_suite() { # NAME
  exec </dev/null >"$RESULTS/$1.log" 2>&1 9>&-
  if [ "$1" = JavaScript ]; then
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec timeout -k 15 "$SUITE_LIMIT" bash -c '
      status=0
      for folder in "$@"; do
        (cd "$folder" && sh -c "$(node -p "require(\"./package.json\").scripts.test")") || status=1
      done
      exit $status' javascript "${JAVASCRIPT[@]}"
  elif [ "$1" = Model ]; then
    exec timeout -k 15 "$SUITE_LIMIT" infra/model/check.sh
  fi
  local only=()
  [ "$FAST" = no ] || only=(-trait- 'needs=*' -class- '*Postgres*')
  exec timeout -k 15 "$SUITE_LIMIT" "tests/$1.Tests/bin/Release/net10.0/Pipeline.$1.Tests" \
    -noColor -noLogo -noAutoReporters -result-xml "$RESULTS/$1.xml" ${only[@]+"${only[@]}"}
}

sum_attribute() { # NAME FILE
  { grep -o "<assembly [^>]*" "$2" || true; } | { grep -oE " $1=\"[0-9]+\"" || true; } | tr -dc '0-9\n' | awk '{ n += $1 } END { print n + 0 }'
}

sum_node() { # WORD FILE
  { grep -E "^(#|ℹ) $1 [0-9]+$" "$2" || true; } | awk '{ n += $3 } END { print n + 0 }'
}

report_suite() { # NAME STATUS SECONDS
  local passed=0 failed=0 skipped=0 remark=''
  if is_in "$1" "$UNBUILT_SUITES"; then
    passed=$(sum_node pass "$RESULTS/$1.log")
    failed=$(($(sum_node fail "$RESULTS/$1.log") + $(sum_node cancelled "$RESULTS/$1.log")))
    skipped=$(($(sum_node skipped "$RESULTS/$1.log") + $(sum_node todo "$RESULTS/$1.log")))
  elif [ -s "$RESULTS/$1.xml" ]; then
    passed=$(sum_attribute passed "$RESULTS/$1.xml")
    failed=$(($(sum_attribute failed "$RESULTS/$1.xml") + $(sum_attribute errors "$RESULTS/$1.xml")))
    skipped=$(($(sum_attribute skipped "$RESULTS/$1.xml") + $(sum_attribute not-run "$RESULTS/$1.xml")))
  fi
  if [ "$2" != 0 ] && [ "$failed" = 0 ]; then
    failed=1 remark=" (ended with $2: $([ "$2" = 124 ] && echo "more than $SUITE_LIMIT" || echo 'see the log'))"
  elif [ $((passed + failed)) = 0 ]; then
    failed=1 remark=' (no test ran)'
  fi
  printf '%-14s %5d passed, %3d failed, %3d skipped  %4d s%s\n' "$1" "$passed" "$failed" "$skipped" "$3" "$remark"
  if [ "$failed" -gt 0 ]; then
    grep -E -A 15 '\[FAIL\]|^ *not ok|✖' "$RESULTS/$1.log" | head -n 120 || tail -n 40 "$RESULTS/$1.log"
    echo "  log: artifacts/test/$1.log"
  fi
  PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
}

# Runs the suites, at most so many at a time.
run_suites() { # WIDTH NAME…
  local width=$1 waiting=("${@:2}") pid index status
  local -A name_of=() started_at=()
  while [ ${#waiting[@]} -gt 0 ] || [ ${#RUNNING[@]} -gt 0 ]; do
    while [ ${#waiting[@]} -gt 0 ] && [ ${#RUNNING[@]} -lt "$width" ]; do
      run_suite "${waiting[0]}" &
      RUNNING+=($!)
      name_of[$!]=${waiting[0]} started_at[$!]=$SECONDS
      waiting=("${waiting[@]:1}")
    done
    status=0
    wait -n -p pid "${RUNNING[@]}" || status=$?
    for index in "${!RUNNING[@]}"; do
      [ "${RUNNING[$index]}" != "$pid" ] || unset "RUNNING[$index]"
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    report_suite "${name_of[$pid]}" "$status" $((SECONDS - started_at[$pid]))
  done
}

# --- The long run -----------------------------------------------------------------------------------------------------

run_faults() { # OPTION…
  local program=tests/Faults.Tests/bin/Release/net10.0/Pipeline.Faults.Tests
  "$program" storm "$@" 9>&- </dev/null
}

main() {
  local suite together=() alone=()
  [ "${BASH_VERSINFO[0]}${BASH_VERSINFO[1]}" -ge 51 ] || fail "bash is $BASH_VERSION; at least 5.1 is needed"
  command -v dotnet >/dev/null || fail 'found no dotnet on the PATH; install the .NET SDK that global.json names'
  if [ "${1:-}" = faults ]; then
    SUITES=Faults
  else
    choose_suites "$@"
  fi
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP

  USE_DOCKER=no
  ! docker_answers || USE_DOCKER=yes
  install_missing
  install_npm_packages
  # What tests leave in the folder of temporary files goes with it; the users of the servers may pass through.
  SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/pipeline-XXXXXX")
  chmod 711 "$SCRATCH"
  export TMPDIR=$SCRATCH
  mapfile -t JAVASCRIPT < <(javascript_folders)
  check_format
  build
  if [ "${1:-}" = faults ]; then
    run_faults "${@:2}"
    return
  fi
  if need_servers && [ "$USE_DOCKER" = no ]; then
    start_servers
  fi
  for suite in $SUITES; do
    if is_in "$suite" "$ALONE_SUITES"; then alone+=("$suite"); else together+=("$suite"); fi
  done
  run_suites 2 ${together[@]+"${together[@]}"}
  run_suites 1 ${alone[@]+"${alone[@]}"}

  [ $((PASSED + FAILED)) -gt 0 ] || fail 'no test ran'
  if [ "$SKIPPED" -gt 0 ]; then
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
  else
    echo "$PASSED passed, $FAILED failed"
  fi
  [ "$FAILED" = 0 ]
}

main "$@"
