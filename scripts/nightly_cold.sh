#!/usr/bin/env bash
# Run the nightly cold sweep, from cron or a systemd timer: see docs/nightly.md.
#
# Prints nothing if there is no problem, so that cron sends mail only about problems. Exit codes:
#   0    every point was measured, and no control is slow or inexact
#   1    a point failed, was warm or was skipped, a control is slow, inexact or missing, or another sweep runs on this host
#   2    the configuration is wrong, and nothing was run
#   130  stopped
# All results are in $results_dir/nightly.log.
set -euo pipefail

# Always use an environment as small as cron's: the settings of a login shell must not change the results.
if [ "${L2SWEEP_NIGHT:-}" != begun ]; then
  exec env -i L2SWEEP_NIGHT=begun HOME="$HOME" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 SHELL=/bin/sh "$BASH" "$0" "$@"
fi
umask 022
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)

# Settings that nightly.conf can change ---------------------------------------------------------------
python=$root/.venv/bin/python
results_dir=$HOME/l2sweep-nights
scratch_dir=                  # where the adapters keep their files; empty: in results_dir
experiment=nightly_cold
options=()                    # more options: options=(budget.minutes=90 num_keys=4)
keep_nights=60                # number of nights to keep; older ones are removed
keep_gb=20                    # largest total size of the kept nights, in 10^9 bytes
min_control_fraction=0.5      # a control is slow below this share of its throughput in the last nights
max_control_error_percent=1.0 # the control adapter is inexact above this error against theory; inf: no limit
lock=fail                     # wait: wait for another sweep on this host
# -----------------------------------------------------------------------------------------------------
for conf in /etc/l2sweep/nightly.conf "$HOME/.config/l2sweep/nightly.conf"; do
  set +e # a test in the user's file may fail without being an error
  # shellcheck source=/dev/null
  if [ -r "$conf" ]; then . "$conf"; fi
  set -e
done

# Report every exit that does not go through finish().
trap 'echo "l2sweep: $0 ended unexpectedly with exit code $?"' EXIT

mkdir -p "$results_dir"
log=$results_dir/nightly.log
output=$(mktemp)
cd "$results_dir"
export PYTHONPATH=$root
sweep_id=night-$(date -u +%Y%m%dT%H%M%SZ)-$$

# Write the last line of the log. If there is a problem, also print the output of the sweep: cron mails it.
finish() {
  trap 'rm -f "$output"' EXIT
  echo "$(date -u +'%Y-%m-%d %H:%MZ') $sweep_id: $2" >>"$log"
  if [ "$1" -ne 0 ]; then
    echo "l2sweep: problem in the nightly sweep $sweep_id: $2"
    cat "$output"
    echo "Log of all nights: $log"
    if [ -e "sweeps/$sweep_id/manifest.json" ]; then
      echo "To resume: cd $results_dir && PYTHONPATH=$root $python -m l2sweep resume=$sweep_id results_dir=$results_dir"
    fi
  fi
  exit "$1"
}

[ -x "$python" ] || finish 2 "$python cannot be run: run 'make sweep' in $root, or set python in nightly.conf"

# Check the options of `night` before the sweep, which takes hours.
night=(night "--results-dir=$results_dir" "--sweep-id=$sweep_id" "--keep-nights=$keep_nights" "--keep-gb=$keep_gb"
  "--min-control-fraction=$min_control_fraction" "--max-control-error-percent=$max_control_error_percent")
"$python" -m l2sweep "${night[@]}" --check >"$output" 2>&1 || finish 2 "nothing was run: $(tail -n 1 "$output")"

# Run the sweep in the background, so that the trap runs at once. SIGTERM stops a sweep like Ctrl-C: it keeps what
# was measured.
"$python" -m l2sweep "experiment=$experiment" sweep_name=nightly "sweep_id=$sweep_id" "lock=$lock" quiet=true \
  "results_dir=$results_dir" "scratch_dir=${scratch_dir:-$results_dir/scratch}" "${options[@]}" \
  >"$output" 2>&1 &
sweep_pid=$!
trap 'kill -TERM "$sweep_pid" 2>/dev/null || true' TERM INT HUP
code=0
wait "$sweep_pid" || code=$?
while kill -0 "$sweep_pid" 2>/dev/null; do # a signal ended the wait, but the sweep is still running
  code=0
  wait "$sweep_pid" || code=$?
done
trap - TERM INT HUP

night_code=0
"$python" -m l2sweep "${night[@]}" >>"$log" 2>>"$output" || night_code=$?
first_error=$(grep '^l2sweep: ' "$output" | head -n 1 || true)
last_error=$(grep '^l2sweep: ' "$output" | tail -n 1 | cut -d ' ' -f 2- || true)
last_error=${last_error:-the sweep ended with exit code $code before all points were measured}

case $code/$night_code in
  0/0) finish 0 "no problems" ;;
  0/*) finish 1 "the sweep completed, but: $last_error" ;;
  130/*) finish 130 "stopped" ;;
  2/*) finish 2 "nothing was run: $first_error" ;;
  */2) finish 1 "nothing was recorded: $first_error" ;;
  *) finish 1 "$last_error" ;;
esac
