"""``python -m l2sweep``."""

from __future__ import annotations

import sys
from typing import NoReturn

from l2sweep import interrupts

# Everything else is imported after the signals are handled: imports take most of a second.


def run() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    with interrupts.handled():
        from l2sweep.sweep.terminal.console import open_standard_streams

        open_standard_streams()
        from l2sweep.cli.application import main

        exit_code = main()
        interrupts.ignore()
        sys.exit(exit_code)


if __name__ == "__main__":
    run()
