#!/bin/sh
# run.sh TARGET CORPUS FLAG...: runs a fuzz target over its inputs, and leaves what it finds beside it, never in the corpus.
set -eu
target=$1 corpus=$2
shift 2
found=${FUZZ_FOUND:-${target}.found}
[ -n "${FUZZ_FOUND:-}" ] || rm -rf "${found}"
mkdir -p "${found}"
exec "${target}" -artifact_prefix="${target}." -timeout=20 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 \
  "$@" "${found}" "${corpus}"
