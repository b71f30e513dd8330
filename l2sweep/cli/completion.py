"""Shell completion for bash, of ``l2sweep`` and of ``python -m l2sweep``.

Hydra answers what can be completed. Its own script knows neither a module that is run with ``-m`` nor, when
that module prints the script, the name of the installed command.
"""

from __future__ import annotations

_INSTALL = """\
_l2sweep_completion() {
    local words line choices
    read -r -a words <<<"$COMP_LINE"
    if [ "${words[0]##*/}" != l2sweep ]; then
        [ "${words[1]}" = -m ] && [ "${words[2]}" = l2sweep ] || return
        line="l2sweep${COMP_LINE#*-m l2sweep}"
        choices=$(COMP_LINE="$line" "${words[0]}" -m l2sweep -sc query=bash 2>/dev/null)
    else
        choices=$(COMP_LINE="$COMP_LINE" "${words[0]}" -sc query=bash 2>/dev/null)
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
    return {"install=bash": _INSTALL, "uninstall=bash": _UNINSTALL}.get(request)
