"""``python -m l2sweep``."""

from __future__ import annotations

import sys
from typing import NoReturn

from l2sweep import interrupts
from l2sweep.cli.application import main


def run() -> NoReturn:
    """Run the command line of this process and leave with its exit code."""
    exit_code = main()
    interrupts.ignore()
    sys.exit(exit_code)


if __name__ == "__main__":
    run()
