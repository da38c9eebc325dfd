#!/usr/bin/env bash
# Measures how fast the pipeline is, next to what bounds it and to what could be used instead, on servers of its own (fsync on).
#
#   ./bench.sh            every scenario, three runs each: medians
#   ./bench.sh NAME…      some of them; an unknown name lists them all
#   ./bench.sh quick …    each small and once: a look in under 5 minutes, no figures to quote
#
# Prints a table and writes artifacts/bench/latest.json; the exit status is 0 only if nothing was lost, doubled or out of order.
# Needs PostgreSQL and RabbitMQ as local binaries (./test.sh Testing installs them on Debian) and a machine without other work.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false
mkdir -p artifacts/bench
{ dotnet restore --locked-mode tests/Benchmarks && dotnet build -c Release --no-restore tests/Benchmarks; } >artifacts/bench/build.log 2>&1 ||
  { tail -n 20 artifacts/bench/build.log >&2; exit 1; }
exec tests/Benchmarks/bin/Release/net10.0/Pipeline.Benchmarks "$@"
