#!/usr/bin/env bash
# Fuzzes a target: unpacks its corpus, runs it, and packs what is worth keeping. Needs a nightly
# toolchain and cargo-fuzz. A finding ends the run and stands in tests/fuzz/artifacts.
#
# usage: tests/fuzz/run.sh NAME [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1 seconds=${2:-300}
fuzz=(--fuzz-dir tests/fuzz --sanitizer none)
corpus() {
  cargo run --quiet --manifest-path tests/fuzz/Cargo.toml --no-default-features \
    --example corpus -- "$1" "$name"
}
flags=(-max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10)
case $name in
  promql_*) flags+=(-dict=tests/fuzz/promql.dict) ;;
  segment | block | index | directory | wal_log) flags+=(-dict=tests/fuzz/parts.dict -max_len=65536) ;;
esac

corpus unpack
# No sanitizer of addresses: there is no unsafe code here for it to look at.
nice cargo +nightly fuzz run "${fuzz[@]}" "$name" tests/fuzz/work/"$name" -- "${flags[@]}"
cargo +nightly fuzz cmin "${fuzz[@]}" "$name" tests/fuzz/work/"$name"
corpus pack
