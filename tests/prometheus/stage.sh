#!/usr/bin/env bash
# What tests with a real Prometheus, and pictures, stand on: its programs, a busy daemon beside a simulated cloud, and a Prometheus that scrapes it, all on
# loopback. Sourced by them; does nothing by itself. Whatever it starts ends with the test.

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
tools=$PWD/target/ci-tools/prometheus
scene=$(mktemp -d)
started=()
leave() {
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
  done
  rm -rf "$scene"
}
trap leave EXIT

# Waits until what it is given succeeds, for two minutes.
until_true() {
  local end=$((SECONDS + 120))
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "not within two minutes: $*" >&2
      tail -n 5 "$scene"/*.log >&2
      exit 1
    fi
    sleep 0.2
  done
}

# Makes `prometheus` and `promtool` be there, or ends the test, loudly. The package is taken apart and not installed: it would start a Prometheus that
# everybody can reach.
need_prometheus() {
  if [ ! -x "$tools/usr/bin/promtool" ]; then
    rm -rf "$tools" && mkdir -p "$tools"
    (cd "$tools" && apt-get update --quiet=2 && apt-get download --quiet=2 -o APT::Sandbox::User=root prometheus && dpkg-deb -x prometheus_*.deb .) || true
  fi
  if ! "$tools/usr/bin/promtool" --version >"$scene/version" 2>&1; then
    echo "skipped because promtool is neither here nor to be had: $(head -n 1 "$scene/version")" >&2
    [ -z "${CI-}" ] || exit 1
    exit 0
  fi
}

# Starts a daemon beside a cloud with the faults of the first word; the second is how many seconds lie between slots, 5 unless it is there. Sets
# `address`, and returns when a backup has succeeded.
start_daemon() {
  # As the tests build it, so that nothing is built twice.
  cargo test --locked --quiet --no-run --test serve
  local program=target/debug/cdb-backupd
  "$program" sim --takes 2s --faults "${1-}" >"$scene/sim" 2>"$scene/sim.log" &
  started+=($!)
  until_true grep -q '^jobs:' "$scene/sim"
  eval "$(grep '^export ' "$scene/sim")"
  sed -e '1,/^# policy.yaml/d' -e 's/^listen:.*/listen: 127.0.0.1:0/' -e "s#^ledger:.*#ledger: $scene/ledger.db#" \
    -e 's#schedule: "[^"]*"#schedule: "*/'"${2-5}"' * * * * *"#' "$scene/sim" >"$scene/policy.yaml"
  "$program" run --config "$scene/policy.yaml" 2>"$scene/run.log" &
  started+=($!)
  until_true grep -q 'listen="\?127' "$scene/run.log"
  address=$(sed -n 's/.*listen="\?\(127[0-9.:]*\).*/\1/p' "$scene/run.log" | head -n 1)
  until_true curl --silent --fail "http://$address/readyz"
  until_true succeeded
}

succeeded() { curl --silent "http://$address/metrics" | grep -q '^cdb_backupd_runs_ended_total{outcome="succeeded"} [1-9]'; }

# Starts a Prometheus that scrapes `address` each second, under the rules that are shipped. Sets `prometheus`, where it answers.
start_prometheus() {
  cat >"$scene/prometheus.yml" <<EOF
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ "$PWD/config/alerts.yaml" ]
scrape_configs: [ { job_name: cdb-backupd, static_configs: [ { targets: [ "$address" ] } ] } ]
EOF
  "$tools/usr/bin/promtool" check config "$scene/prometheus.yml" >/dev/null
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$tools/usr/bin/prometheus" --config.file="$scene/prometheus.yml" --storage.tsdb.path="$scene/tsdb" --web.listen-address="127.0.0.1:$port" \
    >"$scene/prometheus.log" 2>&1 &
  started+=($!)
  prometheus=http://127.0.0.1:$port
  until_true holds 'up == 1'
}

# Whether a query's one value is 1.
holds() { curl --silent --fail --get --data-urlencode "query=$1" "$prometheus/api/v1/query" | grep -q '"value":\[[0-9.]*,"1"\]'; }
