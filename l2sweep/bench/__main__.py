"""``python -m l2sweep.bench``: run the point that standard input describes, report on a descriptor."""

from __future__ import annotations

import os
import sys

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.entry import die_with_parent, run_and_leave
from l2sweep.bench.messages import MESSAGE_FD_VARIABLE

if __name__ == "__main__":
    die_with_parent(os.getppid())
    # Before LMCache is imported: what it warns of while importing counts, too.
    run_and_leave(sys.stdin.read(), int(os.environ.pop(MESSAGE_FD_VARIABLE)), LogWatch())
