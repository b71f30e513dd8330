"""Count how many pages of a round's own files are in the page cache just before the round.

The kernel counts a read for the process when it is requested. An adapter that requests the data of later
rounds during a load therefore reads enough in every round, although the data of a round are in memory before
it starts. Their pages show it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from l2sweep.bench.adapter.create import object_keys
from l2sweep.bench.job import Job
from l2sweep.bench.page_cache import data_files, name_in_files, residency_of

_HASH = re.compile("[0-9a-f]{32}")


class RoundFiles:
    """The files of the keys of a load phase that should be cold.

    LMCache's file adapters name the file of a key ``NAMESPACE@...@HASH.data``, where ``HASH`` is the hash of
    the key in hexadecimal digits.

    Args:
        job: The job of the process. Nothing is counted if its load need not be cold, or no path is known.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._path_of_hash: dict[str, str] = {}
        if job.max_resident_fraction is None:
            return
        own_name = name_in_files(job.namespace)
        for path in data_files(job.cache_paths, job.namespace):
            in_file_name = path.rpartition("/")[2].partition(own_name)[2]
            for hash_of_key in _HASH.findall(in_file_name):
                self._path_of_hash[hash_of_key] = path

    def resident_fraction(self, indices: Sequence[int]) -> float | None:
        """Return the fraction of the pages of some keys that are in the page cache.

        Args:
            indices: Key indices.

        Returns:
            The fraction, 0 to 1; None if no key has a file of its own, or the kernel does not report pages.
        """
        hashes = [key.chunk_hash.hex() for key in object_keys(indices, self._job.namespace)]
        paths = [self._path_of_hash[one] for one in hashes if one in self._path_of_hash]
        found = residency_of(paths) if paths else None
        return None if found is None else found.resident_fraction
