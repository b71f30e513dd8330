"""Shell completion for bash, of ``l2sweep`` and of ``python -m l2sweep``.

Hydra completes the options of a run, and click those of a command such as ``summary``. Neither of their own
scripts knows a module that is run with ``-m``, or both kinds of a command line.
"""

from __future__ import annotations

from l2sweep.cli.command_group import COMMANDS

_INSTALL = """\
_l2sweep_completion() {
    local words line choices count
    local commands=" %s "
    read -r -a words <<<"$COMP_LINE"
    local run=("${words[0]}")
    if [ "${words[0]##*/}" != l2sweep ]; then
        [ "${words[1]}" = -m ] && [ "${words[2]}" = l2sweep ] || return
        run=("${words[0]}" -m l2sweep)
    fi
    line="l2sweep${COMP_LINE#*"${run[-1]}"}"
    read -r -a words <<<"$line"
    count=$((${#words[@]} - 1))
    case "$line" in *" ") count=$((count + 1)) ;; esac
    if [ "$count" -gt 1 ] && [[ "$commands" == *" ${words[1]} "* ]]; then
        choices=$(COMP_WORDS="$line" COMP_CWORD=$count _L2SWEEP_COMPLETE=bash_complete \\
            "${run[@]}" 2>/dev/null)
        choices=$(sed -n 's/^plain,//p' <<<"$choices")
    else
        choices=$(COMP_LINE="$line" "${run[@]}" -sc query=bash 2>/dev/null)
        [ "$count" -ne 1 ] || choices="$choices$commands"
    fi
    COMPREPLY=($(compgen -o nospace -o default -W "$choices" -- "${COMP_WORDS[COMP_CWORD]}"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _l2sweep_completion l2sweep python python3
"""
_UNINSTALL = """\
complete -r l2sweep python python3
unset -f _l2sweep_completion
"""


def completion_script(request: str) -> str | None:
    """Return a script for the shell to evaluate, or None where Hydra must answer.

    Args:
        request: ``install=bash`` or ``uninstall=bash``.
    """
    scripts = {"install=bash": _INSTALL % " ".join(COMMANDS), "uninstall=bash": _UNINSTALL}
    return scripts.get(request)
