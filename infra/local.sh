#!/usr/bin/env bash
# The whole deployment on this machine without Docker: PostgreSQL, RabbitMQ with its management UI, a worker and two
# delivery nodes, from local binaries, on loopback, in environment Development.
#
#   infra/local.sh up        builds and starts what is not running, waits until it is ready, prints the URLs
#   infra/local.sh status    says what is running; exit code 0 if all of it is
#   infra/local.sh down      stops everything and keeps the data
#
# PIPELINE_LOCAL_DIR   the folder of data, logs and programs (infra/.local); delete it after 'down' to start afresh
# PIPELINE_LOCAL_PORT  the first of six ports (17500)
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
LOCAL=${PIPELINE_LOCAL_DIR:-$HERE/.local}
[[ $LOCAL == /* ]] || LOCAL=$PWD/$LOCAL
PORT=${PIPELINE_LOCAL_PORT:-17500}
POSTGRES_PORT=$PORT RABBITMQ_PORT=$((PORT + 1)) MANAGEMENT_PORT=$((PORT + 2))
HOSTS='worker delivery-1 delivery-2'
declare -A PORT_OF=([worker]=$((PORT + 3)) [delivery-1]=$((PORT + 4)) [delivery-2]=$((PORT + 5)))
declare -A PROJECT_OF=([worker]=Agents.Worker [delivery-1]=Delivery.Api [delivery-2]=Delivery.Api)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

fail() {
  echo "local.sh: $*" >&2
  exit 1
}

# --- Servers ----------------------------------------------------------------------------------------------------------

start_servers() {
  echo 'Starting PostgreSQL and RabbitMQ'
  "$HERE/servers.sh" start postgres "$LOCAL/postgres" --port "$POSTGRES_PORT" --durable >/dev/null
  "$HERE/servers.sh" start rabbitmq "$LOCAL/rabbitmq" --port "$RABBITMQ_PORT" --management-port "$MANAGEMENT_PORT" >/dev/null
}

# The port is the one that the server was created with: PIPELINE_LOCAL_PORT may have changed since.
setting() { # SERVER NAME
  (
    # shellcheck source=/dev/null
    . "$LOCAL/$1/server.env"
    echo "${!2}"
  )
}

export_settings() {
  local postgres
  postgres="Host=127.0.0.1;Port=$(setting postgres PORT);Database=pipeline"
  postgres+=";Username=$(setting postgres USERNAME);Password=$(setting postgres PASSWORD)"
  Bus__Port=$(setting rabbitmq PORT) Bus__Username=$(setting rabbitmq USERNAME) Bus__Password=$(setting rabbitmq PASSWORD)
  export Persistence__Provider=postgres Persistence__ConnectionString=$postgres
  export Bus__Transport=rabbitmq Bus__Host=127.0.0.1 Bus__VirtualHost=/ Bus__Port Bus__Username Bus__Password
  export ASPNETCORE_ENVIRONMENT=Development DOTNET_ENVIRONMENT=Development
}

# --- Hosts ------------------------------------------------------------------------------------------------------------

host_pid() { # HOST; prints nothing when it is not running
  local pid
  pid=$(cat "$LOCAL/$1.pid" 2>/dev/null) || return 0
  # The number alone proves little after a restart of the machine.
  if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$LOCAL/programs/"; then
    echo "$pid"
  fi
}

# Programs run from a copy: a later build must not change files under a running process.
publish() { # PROJECT
  echo "Building $1"
  dotnet publish "$ROOT/src/$1" -c Release -o "$LOCAL/programs/$1" </dev/null >"$LOCAL/$1.build.log" 2>&1 ||
    fail "the build of $1 failed: $(grep -m 5 error "$LOCAL/$1.build.log" || tail -n 5 "$LOCAL/$1.build.log")"
}

run_program() { # PROJECT [VERB]; in its folder, where its settings are
  cd "$LOCAL/programs/$1"
  exec setsid dotnet "$PWD/Pipeline.$1.dll" "${@:2}" </dev/null
}

start_host() { # HOST
  echo "Starting $1"
  (
    export ASPNETCORE_URLS="http://127.0.0.1:${PORT_OF[$1]}"
    run_program "${PROJECT_OF[$1]}"
  ) >>"$LOCAL/$1.log" 2>&1 &
  echo $! >"$LOCAL/$1.pid"
}

stop_host() { # HOST
  local pid
  pid=$(host_pid "$1")
  if [ -n "$pid" ]; then
    echo "Stopping $1"
    kill "$pid"
    for _ in $(seq 600); do
      [ -n "$(host_pid "$1")" ] || break
      sleep 0.1
    done
    [ -z "$(host_pid "$1")" ] || kill -KILL "$pid"
  fi
  rm -f "$LOCAL/$1.pid"
}

# Prints the status code, or nothing when nobody answers.
http_status() { # PORT PATH
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&3
    IFS=' ' read -r -t 5 _ code _ <&3 && echo "$code"
  ) 2>/dev/null || true
}

wait_ready() { # HOST
  for _ in $(seq 300); do
    [ "$(http_status "${PORT_OF[$1]}" /health/ready)" != 200 ] || return 0
    [ -n "$(host_pid "$1")" ] || fail "$1 ended: $(tail -n 15 "$LOCAL/$1.log")"
    sleep 0.2
  done
  fail "$1 is not ready after a minute: $(tail -n 15 "$LOCAL/$1.log")"
}

# --- Verbs ------------------------------------------------------------------------------------------------------------

up() {
  local host project missing=() projects=()
  command -v dotnet >/dev/null || fail 'found no dotnet on the PATH; install the .NET SDK that global.json names'
  mkdir -p "$LOCAL"
  start_servers
  export_settings
  for host in $HOSTS; do
    [ -n "$(host_pid "$host")" ] || missing+=("$host")
  done
  for host in ${missing[@]+"${missing[@]}"}; do
    project=${PROJECT_OF[$host]}
    [[ " ${projects[*]-} " == *" $project "* ]] || projects+=("$project")
  done
  for project in ${projects[@]+"${projects[@]}"}; do
    publish_if_idle "$project"
  done
  if [ ${#missing[@]} -gt 0 ]; then
    (run_program Delivery.Api migrate) >"$LOCAL/migrate.log" 2>&1 ||
      fail "migrate failed: $(tail -n 15 "$LOCAL/migrate.log")"
  fi
  for host in ${missing[@]+"${missing[@]}"}; do
    start_host "$host"
  done
  for host in $HOSTS; do
    wait_ready "$host"
  done
  status
}

publish_if_idle() { # PROJECT
  local host
  for host in $HOSTS; do
    if [ "${PROJECT_OF[$host]}" = "$1" ] && [ -n "$(host_pid "$host")" ]; then
      echo "Using the $1 that runs already"
      return
    fi
  done
  publish "$1"
}

line() { # NAME STATE URL
  printf '%-12s %-12s %s\n' "$@"
}

server_status() { # NAME KIND URL
  local state=stopped
  if [ -n "$(exec 3<>"/dev/tcp/127.0.0.1/$2" && echo open)" ]; then state=running; else ALL=1; fi 2>/dev/null
  line "$1" "$state" "$3"
}

status() {
  local host code
  ALL=0
  [ -f "$LOCAL/rabbitmq/server.env" ] || fail "nothing was ever started in $LOCAL; 'infra/local.sh up' does"
  server_status PostgreSQL "$(setting postgres PORT)" \
    "postgresql://$(setting postgres USERNAME):$(setting postgres PASSWORD)@127.0.0.1:$(setting postgres PORT)/pipeline"
  server_status RabbitMQ "$(setting rabbitmq PORT)" \
    "http://127.0.0.1:$(setting rabbitmq MANAGEMENT_PORT)  (user $(setting rabbitmq USERNAME), password $(setting rabbitmq PASSWORD))"
  for host in $HOSTS; do
    code=$(http_status "${PORT_OF[$host]}" /health/ready)
    case $code in
      200) code=ready ;;
      '') code=stopped ALL=1 ;;
      *) code="answers $code" ALL=1 ;;
    esac
    line "$host" "$code" "http://127.0.0.1:${PORT_OF[$host]}$([ "$host" != worker ] || echo /health/ready)"
  done
  return "$ALL"
}

down() {
  local host server
  for host in $HOSTS; do
    stop_host "$host"
  done
  for server in rabbitmq postgres; do
    echo "Stopping $server"
    "$HERE/servers.sh" stop "$LOCAL/$server"
  done
}

case ${1:-} in
  up | down | status) "$1" ;;
  *) fail "usage: infra/local.sh up|down|status" ;;
esac
