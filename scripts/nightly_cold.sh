#!/usr/bin/env bash
# Run the nightly cold sweep from cron or a systemd timer: see docs/nightly.md.
#
# Sets an environment as small as cron's, reads nightly.conf, and runs `l2sweep nightly` with these settings.
# Further arguments are passed to it: --help lists them. It prints nothing if there is no problem. Exit codes:
#   0    no problem
#   1    a point failed, was warm, was skipped or became slower, the host changed, a control is slow, inexact or
#        missing, or another sweep runs on this host
#   2    the request is wrong, and nothing was run
#   130  stopped
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
config_dir=                   # a folder with your own experiments and adapters; empty: only those of l2sweep
options=()                    # more options: options=(budget.minutes=90 num_keys=4)
keep_nights=60                # number of nights to keep; older ones are removed
keep_gb=20                    # largest total size of the kept nights, in 10^9 bytes; null: no limit
compare_nights=7              # number of previous nights to compare with
min_control_fraction=0.5      # a control is slow below this share of its throughput in these nights
max_control_error_percent=1.0 # the control adapter is inexact above this error against theory; null: no limit
lock=fail                     # wait: wait for another sweep on this host
# -----------------------------------------------------------------------------------------------------
for conf in /etc/l2sweep/nightly.conf "$HOME/.config/l2sweep/nightly.conf"; do
  set +e # a test in the user's file may fail without being an error
  # shellcheck source=/dev/null
  if [ -r "$conf" ]; then . "$conf"; fi
  set -e
done

if [ ! -x "$python" ]; then
  echo "l2sweep: nothing was run: $python cannot be run: run 'make sweep' in $root, or set python in nightly.conf"
  exit 2
fi
settings=(--results-dir "$results_dir" --experiment "$experiment" --lock "$lock" --keep-nights "$keep_nights"
  --compare-nights "$compare_nights" --min-control-fraction "$min_control_fraction"
  --max-control-error-percent "${max_control_error_percent/#null/inf}")
if [ -n "$scratch_dir" ]; then settings+=(--scratch-dir "$scratch_dir"); fi
if [ -n "$config_dir" ]; then settings+=(--config-dir "$config_dir"); fi
if [ "$keep_gb" != null ]; then settings+=(--keep-gb "$keep_gb"); fi

export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} # nightly.conf may add the folder of a plugin
# Arguments of this script come last, so they win; "--" separates the options of the sweep.
arguments=()
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
  arguments+=("$1")
  shift
done
if [ "$#" -gt 0 ]; then shift; fi
exec "$python" -m l2sweep nightly "${settings[@]}" "${arguments[@]}" -- "${options[@]}" "$@"
