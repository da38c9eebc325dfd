#!/usr/bin/env bash
# Starts, stops and crashes a PostgreSQL or RabbitMQ server from local binaries, all of it inside one folder, on loopback.
# The tests, test.sh and infra/local.sh use it; it is no tool for production.
#
#   servers.sh start postgres DIR [--port N] [--durable]
#   servers.sh start rabbitmq DIR [--port N] [--management-port N]
#                              starts a new server, or the one that DIR already holds, and waits until it answers;
#                              prints HOST, PORT, USERNAME and PASSWORD, one a line; --durable: a PostgreSQL that syncs
#                              every commit to disk, set up as docs/operations.md advises
#   servers.sh stop DIR        stops it in good order (nothing to do is fine)
#   servers.sh crash DIR       stops it as a crash would
#   servers.sh signal DIR SIG  sends a signal, STOP for example, to every process of the server
#   servers.sh save DIR        keeps a copy of a stopped PostgreSQL's data; restore DIR puts it back in its place
#   servers.sh standby DIR OF [--port N]
#                              starts a streaming standby, in DIR, of the PostgreSQL in OF; promote DIR makes it a primary
#   servers.sh control DIR …   runs rabbitmqctl against the node of DIR; DIR/rabbitmqctl does the same
#   servers.sh guard DIR…      waits for the end of its standard input, then stops the servers and deletes their folders:
#                              whoever holds the other end of that pipe leaves no server behind, however it ends
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  echo "servers.sh: $*" >&2
  exit 1
}

# Both servers refuse to run as root, or ought to. setpriv execs, where runuser stays between us and the server.
as_server_user() {
  if [ "$(id -u)" = 0 ]; then
    set -- setpriv --reuid "$SERVER_USER" --regid "$(id -g "$SERVER_USER")" --init-groups "$@"
  fi
  ${REPLACE_SHELL:-} "$@"
}

# Ports below the range that the kernel gives to outgoing connections: a client that keeps dialling a stopped server on
# loopback would sooner or later be given that very port, connect to itself and keep the server from coming back.
free_port() { # [PORT that is spoken for]…
  local port
  for _ in $(seq 100); do
    port=$((10240 + (RANDOM * 32768 + RANDOM) % 20000))
    if ! is_listening "$port" && [[ " $* " != *" $port "* ]]; then
      echo "$port"
      return
    fi
  done
  fail "found no free port between 10240 and 30240"
}

is_listening() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

random_password() {
  od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

wait_until() { # SECONDS COMMAND…
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

prepare_folder() {
  if [ "$(id -u)" = 0 ]; then
    id "$SERVER_USER" >/dev/null 2>&1 ||
      fail "there is no user '$SERVER_USER' to run the server as; install the Debian package that brings it"
  fi
  mkdir -p "$DIR"
  cd "$DIR"
  DIR=$PWD
  hand_over "$DIR"
  as_server_user test -w "$DIR" ||
    fail "user '$SERVER_USER' cannot reach $DIR; choose a folder below one that everybody may enter"
}

hand_over() { # PATH…
  [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER" "$@"
}

save_settings() {
  {
    printf '%s=%q\n' KIND "$KIND" PORT "$PORT" USERNAME "$USERNAME" PASSWORD "$PASSWORD"
    printf '%s=%q\n' EPMD_PORT "${EPMD_PORT:-}" DIST_PORT "${DIST_PORT:-}" MANAGEMENT_PORT "$MANAGEMENT_PORT"
  } >"$DIR/server.env"
  chmod 600 "$DIR/server.env"
}

load_settings() {
  [ -f "$DIR/server.env" ] || fail "$DIR holds no server"
  cd "$DIR"
  DIR=$PWD
  # shellcheck source=/dev/null
  . ./server.env
  SERVER_USER=$KIND
  BIN=$("${KIND}_bin")
}

# --- PostgreSQL -------------------------------------------------------------------------------------------------------

postgres_bin() {
  local newest
  newest=$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_ctl | sort -V | tail -n 1)
  if [ -x "$newest" ]; then
    dirname "$newest"
  elif command -v pg_ctl >/dev/null; then
    dirname "$(command -v pg_ctl)"
  else
    fail "found no PostgreSQL in /usr/lib/postgresql/*/bin nor pg_ctl on the PATH; install the Debian package 'postgresql', start a Docker engine, or set PIPELINE_TEST_POSTGRES"
  fi
}

postgres_create() {
  printf '%s\n' "$PASSWORD" >"$DIR/password"
  hand_over "$DIR/password"
  as_server_user "$BIN/initdb" -D "$DIR/data" -U "$USERNAME" --pwfile "$DIR/password" -A scram-sha-256 \
    -E UTF8 --locale=C --no-sync >"$DIR/initdb.log" 2>&1 || fail "initdb failed: $(tail -n 3 "$DIR/initdb.log")"
  rm "$DIR/password"
  as_server_user tee -a "$DIR/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $PORT
unix_socket_directories = ''
max_connections = 300
max_prepared_transactions = 10
shared_buffers = 64MB
timezone = 'UTC'
log_timezone = 'UTC'
$(if [ -n "$DURABLE" ]; then
  printf '%s\n' 'max_wal_size = 4GB' 'min_wal_size = 1GB' 'backend_flush_after = 1MB'
else
  printf '%s\n' 'fsync = off' 'full_page_writes = off' 'max_wal_size = 256MB'
fi)
CONF
}

postgres_start() {
  as_server_user "$BIN/pg_ctl" start -D "$DIR/data" -w -t 60 -l "$DIR/data/server.log" </dev/null >"$DIR/start.log" 2>&1 ||
    fail "PostgreSQL did not start on port $PORT: $(tail -n 5 "$DIR/data/server.log" 2>/dev/null)"
}

postgres_is_running() {
  as_server_user "$BIN/pg_ctl" status -D "$DIR/data" >/dev/null 2>&1
}

postgres_pids() {
  local postmaster stat pid parent
  postmaster=$(head -n 1 "$DIR/data/postmaster.pid" 2>/dev/null) || return 0
  echo "$postmaster"
  # Without pgrep, which a bare machine may lack. Processes end meanwhile: one file at a time.
  for stat in /proc/[0-9]*/stat; do
    { read -r pid _ _ parent _ <"$stat"; } 2>/dev/null || continue
    [ "$parent" != "$postmaster" ] || echo "$pid"
  done
}

postgres_standby() { # DIR of the primary
  local primary
  # shellcheck source=/dev/null
  primary=$(. "$1/server.env" && echo "$PORT $USERNAME $PASSWORD") || fail "$1 holds no server"
  set -- $primary
  USERNAME=$2 PASSWORD=$3
  as_server_user env PGPASSWORD="$3" "$BIN/pg_basebackup" -D "$DIR/data" -R -X stream -c fast \
    -d "host=127.0.0.1 port=$1 user=$2 dbname=postgres" >"$DIR/basebackup.log" 2>&1 ||
    fail "pg_basebackup failed: $(tail -n 3 "$DIR/basebackup.log")"
  as_server_user tee -a "$DIR/data/postgresql.conf" >/dev/null <<<"port = $PORT"
}

postgres_stop() { # well | at-once
  local mode=fast
  [ "$1" = well ] || mode=immediate
  ! postgres_is_running || as_server_user "$BIN/pg_ctl" stop -D "$DIR/data" -m $mode -w -t 30 >/dev/null
}

# --- RabbitMQ ---------------------------------------------------------------------------------------------------------

# Debian's wrappers in /usr/sbin switch the user and lose the environment: the scripts behind them do not.
rabbitmq_bin() {
  if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
    echo /usr/lib/rabbitmq/bin
  elif command -v rabbitmq-server >/dev/null; then
    dirname "$(command -v rabbitmq-server)"
  else
    fail "found no RabbitMQ in /usr/lib/rabbitmq/bin nor rabbitmq-server on the PATH; install the Debian package 'rabbitmq-server', start a Docker engine, or set PIPELINE_TEST_RABBITMQ"
  fi
}

# A node with its own cookie, data, plugins and port mapper shares nothing with a node that the machine may already run.
rabbitmq() { # COMMAND…
  as_server_user env HOME="$DIR/node" LC_ALL=C.UTF-8 \
    RABBITMQ_NODENAME="pipeline$PORT@localhost" \
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$PORT" RABBITMQ_DIST_PORT="$DIST_PORT" \
    RABBITMQ_CTL_DIST_PORT_MIN=0 RABBITMQ_CTL_DIST_PORT_MAX=0 \
    ERL_EPMD_PORT="$EPMD_PORT" ERL_EPMD_ADDRESS=127.0.0.1 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
    RABBITMQ_MNESIA_BASE="$DIR/node/data" RABBITMQ_LOG_BASE="$DIR/node/log" \
    RABBITMQ_CONF_ENV_FILE="$DIR/node/rabbitmq-env.conf" RABBITMQ_CONFIG_FILE="$DIR/node/rabbitmq.conf" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$DIR/node/enabled_plugins" \
    "$@"
}

rabbitmq_create() {
  DIST_PORT=$(free_port "$PORT")
  EPMD_PORT=$(free_port "$PORT" "$DIST_PORT")
  local plugins=''
  mkdir -p "$DIR/node"
  cat >"$DIR/node/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$PORT
default_user = $USERNAME
default_pass = $PASSWORD
disk_free_limit.absolute = 50MB
CONF
  if [ -n "$MANAGEMENT_PORT" ]; then
    plugins=rabbitmq_management
    printf '%s\n' 'management.tcp.ip = 127.0.0.1' "management.tcp.port = $MANAGEMENT_PORT" >>"$DIR/node/rabbitmq.conf"
  fi
  echo "[$plugins]." >"$DIR/node/enabled_plugins"
  : >"$DIR/node/rabbitmq-env.conf"
  random_password >"$DIR/node/.erlang.cookie"
  chmod 400 "$DIR/node/.erlang.cookie"
  hand_over "$DIR/node"
  printf '#!/usr/bin/env bash\nexec bash %q control %q "$@"\n' "$HERE/servers.sh" "$DIR" >"$DIR/rabbitmqctl"
  chmod +x "$DIR/rabbitmqctl"
}

rabbitmq_start() {
  rabbitmq_launch epmd epmd -port "$EPMD_PORT" -address 127.0.0.1
  rabbitmq_launch node "$BIN/rabbitmq-server"
  if ! wait_until 90 rabbitmq_has_started; then
    rabbitmq_stop at-once
    fail "RabbitMQ did not start on port $PORT: $(tail -n 12 "$DIR/node/node.out")"
  fi
}

# In a session of its own: a signal to the terminal or to the caller's process group is not for the server.
rabbitmq_launch() { # NAME COMMAND…
  local name=$1
  shift
  : >"$DIR/node/$name.out"
  # shellcheck disable=SC2016 # expanded by the inner shell, which knows its process id
  REPLACE_SHELL='exec' rabbitmq setsid sh -c 'echo $$ >"$0.pid"; exec "$@"' "$DIR/node/$name" "$@" </dev/null >"$DIR/node/$name.out" 2>&1 &
}

rabbitmq_has_started() {
  grep -q 'completed with' "$DIR/node/node.out" && is_listening "$PORT"
}

# A container's first process may never reap: a zombie is gone.
rabbitmq_is_gone() { # NAME
  local pid
  pid=$(cat "$DIR/node/$1.pid")
  ! grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$pid/status"
}

rabbitmq_is_running() {
  [ -s "$DIR/node/node.pid" ] && ! rabbitmq_is_gone node
}

rabbitmq_pids() {
  local name pid
  for name in node epmd; do
    pid=$(cat "$DIR/node/$name.pid" 2>/dev/null) || continue
    echo "-$pid"
  done
}

rabbitmq_stop() { # well | at-once
  local name pid
  for name in node epmd; do
    [ -s "$DIR/node/$name.pid" ] || continue
    pid=$(cat "$DIR/node/$name.pid")
    [ "$1" != well ] || kill -TERM "$pid" 2>/dev/null || true
    if [ "$1" != well ] || ! wait_until 30 rabbitmq_is_gone "$name"; then
      kill -KILL -- "-$pid" 2>/dev/null || true
      wait_until 10 rabbitmq_is_gone "$name" || fail "could not stop process $pid"
    fi
    rm "$DIR/node/$name.pid"
  done
}

# --- Verbs ------------------------------------------------------------------------------------------------------------

start() {
  KIND=$1 DIR=$2
  shift 2
  PORT='' MANAGEMENT_PORT='' DURABLE=''
  while [ $# -gt 0 ]; do
    case $1 in
      --port) PORT=$2 && shift ;;
      --management-port) MANAGEMENT_PORT=$2 && shift ;;
      --durable) DURABLE=yes ;;
      *) fail "unknown option '$1'" ;;
    esac
    shift
  done
  case $KIND in
    postgres | rabbitmq) BIN=$("${KIND}_bin") ;;
    *) fail "unknown server '$KIND'; it is postgres or rabbitmq" ;;
  esac
  SERVER_USER=$KIND
  prepare_folder
  if [ -f server.env ]; then
    load_settings
  else
    PORT=${PORT:-$(free_port)} USERNAME=pipeline PASSWORD=$(random_password)
    "${KIND}_create"
    save_settings
  fi
  "${KIND}_is_running" || "${KIND}_start"
  printf '%s\n' HOST=127.0.0.1 "PORT=$PORT" "USERNAME=$USERNAME" "PASSWORD=$PASSWORD"
}

stop() { # well | at-once
  [ -f "$DIR/server.env" ] || return 0
  load_settings
  "${KIND}_stop" "$1"
}

signal() { # SIGNAL
  load_settings
  local pids
  # Twice: for what was forked between the look and the signal. A stopped postmaster forks no more.
  for _ in once again; do
    mapfile -t pids < <("${KIND}_pids")
    [ ${#pids[@]} -gt 0 ] || fail "$DIR's server is not running"
    # One of them may have ended by now.
    kill -s "$1" -- "${pids[@]}" 2>/dev/null || true
  done
}

postgres_of() { # VERB
  load_settings
  [ "$KIND" = postgres ] || fail "$1 is for PostgreSQL, $DIR holds $KIND"
}

save() {
  postgres_of save
  ! postgres_is_running || fail "stop the server in $DIR first"
  rm -rf "$DIR/saved"
  cp -a "$DIR/data" "$DIR/saved"
}

restore() {
  postgres_of restore
  ! postgres_is_running || fail "stop the server in $DIR first"
  [ -d "$DIR/saved" ] || fail "nothing was saved in $DIR"
  rm -rf "$DIR/data"
  cp -a "$DIR/saved" "$DIR/data"
}

standby() { # DIR of the primary, options
  local of=$1
  shift
  KIND=postgres PORT='' MANAGEMENT_PORT=''
  [ "${1:-}" != --port ] || PORT=$2
  BIN=$(postgres_bin)
  SERVER_USER=postgres
  of=$(cd "$of" && pwd)
  prepare_folder
  PORT=${PORT:-$(free_port)}
  postgres_standby "$of"
  save_settings
  postgres_start
  printf '%s\n' HOST=127.0.0.1 "PORT=$PORT" "USERNAME=$USERNAME" "PASSWORD=$PASSWORD"
}

promote() {
  postgres_of promote
  as_server_user "$BIN/pg_ctl" promote -D "$DIR/data" -w -t 30 >/dev/null
}

control() {
  load_settings
  [ "$KIND" = rabbitmq ] || fail "$DIR holds no RabbitMQ node"
  rabbitmq "$BIN/rabbitmqctl" "$@"
}

guard() { # DIR…
  trap '' HUP INT TERM
  cat >/dev/null
  for DIR in "$@"; do
    (stop at-once) || true
    rm -rf "$DIR"
  done
}

[ $# -ge 2 ] || fail "usage: servers.sh start|stop|crash|signal|save|restore|standby|promote|control|guard …; its first lines say how"
VERB=$1
shift
DIR=$1
case $VERB in
  start) start "$@" ;;
  stop) stop well ;;
  crash) stop at-once ;;
  signal) signal "$2" ;;
  save) save ;;
  restore) restore ;;
  standby) standby "${@:2}" ;;
  promote) promote ;;
  control) control "${@:2}" ;;
  guard) guard "$@" ;;
  *) fail "unknown verb '$VERB'" ;;
esac
