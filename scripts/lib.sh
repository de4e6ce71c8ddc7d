# Sourced by the other scripts: moves to the repository's root and installs what is missing.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# timed NAME COMMAND...: runs it and remembers what it took, for `print_times`. Its exit status is the command's.
times=()
timed() {
  local name=$1 start=${EPOCHREALTIME/./} status=0
  shift
  "$@" || status=$?
  times+=("$(printf '%-14s %7.1f s%s' "${name}" "$(((${EPOCHREALTIME/./} - start) / 100000))e-1" \
    "$([[ ${status} -eq 0 ]] || echo '   FAILED')")")
  return "${status}"
}

print_times() { printf '%s\n' "${times[@]}"; }

# build PRESET [TARGET...]: configures and builds; no target = everything.
build() {
  local preset=$1
  shift
  cmake --preset "${preset}" --log-level=WARNING >/dev/null
  cmake --build --preset "${preset}" ${1:+--target "$@"}
}

sources() { find base cli config dispatcher storage tests \( -name '*.cc' -o -name '*.h' \) -print0; }

timed set-up scripts/setup
