#!/usr/bin/env bash
# One night of cold sweeps, for cron or a systemd timer; see docs/nightly.md.
#
# Prints nothing when all is well, so that cron mails only what is wrong. Exit codes: 0 all was measured and the
# controls are as ever; 1 something failed, was warm, or a control is slow, or another sweep holds the host;
# 2 the configuration is wrong; 130 stopped. Everything else is in $results_dir/nightly.log.
set -euo pipefail

# As bare as cron's, whoever starts it: what a login shell sets must not change a night.
if [ "${L2SWEEP_NIGHT:-}" != begun ]; then
  exec env -i L2SWEEP_NIGHT=begun HOME="$HOME" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 SHELL=/bin/sh "$BASH" "$0" "$@"
fi
umask 022
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)

# What nightly.conf may change ------------------------------------------------------------------------
python=$root/.venv/bin/python
results_dir=$HOME/l2sweep-nights
scratch_dir=                  # where the adapters store; empty: below results_dir
experiment=nightly_cold
options=()                    # more overrides: options=(budget.minutes=90 num_keys=4)
keep_nights=60                # older nights are removed
keep_gb=20                    # and so are the oldest of those, above this size
lock=fail                     # wait: for a sweep that runs on this host
# -----------------------------------------------------------------------------------------------------
for conf in /etc/l2sweep/nightly.conf "$HOME/.config/l2sweep/nightly.conf"; do
  set +e # it is the user's: a test in it that fails is no error
  # shellcheck source=/dev/null
  if [ -r "$conf" ]; then . "$conf"; fi
  set -e
done

# Whatever ends this script but `end` below is wrong as well, and must not be silent.
trap 'echo "l2sweep: the night ended with exit code $?, and $0 does not know why"' EXIT

mkdir -p "$results_dir"
log=$results_dir/nightly.log
said=$(mktemp)
cd "$results_dir"
export PYTHONPATH=$root
sweep_id=night-$(date -u +%Y%m%dT%H%M%SZ)-$$

# The last line of the log, and with anything wrong all that was said: to whom cron mails it.
end() {
  trap 'rm -f "$said"' EXIT
  echo "$(date -u +'%Y-%m-%d %H:%MZ') $sweep_id: $2" >>"$log"
  if [ "$1" -ne 0 ]; then
    echo "l2sweep: the night $sweep_id went wrong: $2"
    cat "$said"
    echo "The log of all nights: $log; to go on: cd $results_dir && PYTHONPATH=$root $python -m l2sweep resume=$sweep_id results_dir=$results_dir"
  fi
  exit "$1"
}

# What `night` will be told at the end is checked now, and not after hours.
night=(night "results_dir=$results_dir" "sweep_id=$sweep_id" "keep_nights=$keep_nights" "keep_gb=$keep_gb")
[ -x "$python" ] || end 2 "there is no $python; 'make sweep' in $root makes it, or nightly.conf names another"

"$python" -m l2sweep "${night[@]}" check=true >"$said" 2>&1 || end 2 "nothing was run: $(tail -n 1 "$said")"

# In the background, so that a SIGTERM reaches it at once, as one Ctrl-C does: what it measured is kept.
"$python" -m l2sweep "experiment=$experiment" sweep_name=nightly "sweep_id=$sweep_id" "lock=$lock" quiet=true \
  "results_dir=$results_dir" "scratch_dir=${scratch_dir:-$results_dir/scratch}" "${options[@]}" \
  >"$said" 2>&1 &
sweep=$!
trap 'kill -TERM "$sweep" 2>/dev/null || true' TERM INT HUP
code=0
wait "$sweep" || code=$?
while kill -0 "$sweep" 2>/dev/null; do  # the signal ended the wait, not yet the sweep
  code=0
  wait "$sweep" || code=$?
done
trap - TERM INT HUP

night_code=0
"$python" -m l2sweep "${night[@]}" >>"$log" 2>>"$said" || night_code=$?
why=$(grep '^l2sweep: ' "$said" | tail -n 1 | cut -d ' ' -f 2- || true)
why=${why:-the sweep ended with exit code $code; points were left unmeasured}

case $code/$night_code in
  0/0) end 0 "all is well" ;;
  0/*) end 1 "measured, but: $why" ;;
  130/*) end 130 "stopped" ;;
  2/*) end 2 "nothing was run: $(grep '^l2sweep: ' "$said" | head -n 1)" ;;
  */2) end 1 "nothing was recorded: $(grep '^l2sweep: ' "$said" | head -n 1)" ;;
  *) end 1 "$why" ;;
esac
