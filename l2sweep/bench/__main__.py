"""``python -m l2sweep.bench``: run the job on standard input, and write messages to a file descriptor."""

from __future__ import annotations

import os
import sys

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.entry import die_with_parent, run_and_exit
from l2sweep.bench.messages import MESSAGE_FD_VARIABLE

if __name__ == "__main__":
    die_with_parent(os.getppid())
    # LogWatch is created before LMCache is imported: warnings of the import count, too.
    run_and_exit(sys.stdin.read(), int(os.environ.pop(MESSAGE_FD_VARIABLE)), LogWatch())
