"""Write the traces of this folder: conversations that share prefixes, in bursts, in both formats.

    python tests/traces/generate.py --seed 0 tests/traces

``conversations.jsonl`` has the format of Mooncake, ``conversations.lct`` that of LMCache, written with the
encoder of LMCache. The same seed writes the same bytes. There is no recorded data in them.

Three system prompts are shared by all conversations. A burst begins every 0.45 s. In a burst, each
conversation may ask again: with everything that it has asked before, and some new blocks. Some conversations
begin in each burst. No block is new to two requests of one burst, and the bursts are far apart. So a tier
that stores a block within some 0.3 s gives exactly the hits that follow from the order of the requests.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BURSTS = 5
BURST_EVERY_S = 0.45
MEAN_GAP_S = 0.008  # between two requests of a burst
PREFILL_S = 0.1  # from the lookup of a request to the end of its write, in LMCache's trace
SYSTEM_PROMPTS, SYSTEM_BLOCKS = 3, 3
NEW_CONVERSATIONS = 2  # of each burst but the first
ASKS_AGAIN = 0.7
BLOCK_TOKENS = 512
FIRST_MS = 27_482  # a trace need not begin at 0


@dataclass(frozen=True)
class Turn:
    """A request: when it comes, its blocks, and how many of them it has in common with earlier requests."""

    at_s: float
    blocks: tuple[int, ...]
    known: int


def turns(seed: int) -> Iterator[Turn]:
    """Yield the requests in the order of their moments."""
    draw = random.Random(seed)
    next_block = SYSTEM_PROMPTS * SYSTEM_BLOCKS
    systems = [tuple(range(one * SYSTEM_BLOCKS, (one + 1) * SYSTEM_BLOCKS)) for one in range(SYSTEM_PROMPTS)]
    conversations: list[tuple[int, ...]] = []
    for burst in range(BURSTS):
        asking = [index for index in range(len(conversations)) if draw.random() < ASKS_AGAIN]
        begun = systems if not burst else [draw.choice(systems) for _ in range(NEW_CONVERSATIONS)]
        asking += range(len(conversations), len(conversations) + len(begun))
        conversations += begun
        draw.shuffle(asking)
        at_s = burst * BURST_EVERY_S
        for index in asking:
            own, added = conversations[index], draw.randint(1, 3)
            conversations[index] = (*own, *range(next_block, next_block + added))
            next_block += added
            yield Turn(round(at_s, 3), conversations[index], len(own) if burst else 0)
            at_s += draw.expovariate(1 / MEAN_GAP_S)


def mooncake(requests: Sequence[Turn]) -> bytes:
    """Return a trace in the format of Mooncake."""
    lines = [
        json.dumps(
            {
                "timestamp": FIRST_MS + round(turn.at_s * 1000),
                "input_length": len(turn.blocks) * BLOCK_TOKENS - 7,
                "output_length": 52,
                "hash_ids": list(turn.blocks),
            }
        )
        for turn in requests
    ]
    return "\n".join([*lines, ""]).encode()


def lmcache(requests: Sequence[Turn]) -> bytes:
    """Return a trace of LMCache: for each request a prefetch of its blocks, then the write of new ones."""
    import torch
    from lmcache.v1.distributed.api import (
        GroupedObjectKeys,
        MemoryLayoutDesc,
        ObjectKey,
        PrefetchTaskSpec,
    )
    from lmcache.v1.mp_observability.trace.codecs import encode_args
    from lmcache.v1.mp_observability.trace.format import (
        FORMAT_VERSION,
        MAGIC,
        TRACE_SCHEMA_VERSION,
        Header,
        Record,
        encode_header,
        encode_record,
    )

    manager = "lmcache.v1.distributed.storage_manager.StorageManager"
    layout = MemoryLayoutDesc(shapes=[torch.Size([65536])], dtypes=[torch.uint8])
    calls = []
    for turn in requests:
        keys = [ObjectKey(block.to_bytes(8, "big"), "m", 0) for block in turn.blocks]
        spec = PrefetchTaskSpec(key_groups=[GroupedObjectKeys(keys, 0, layout)])
        prefetch = {"spec": spec, "external_request_id": "", "skip_l2": False}
        calls.append((turn.at_s, "submit_prefetch_task", prefetch))
        new = keys[turn.known :]
        calls.append((turn.at_s + PREFILL_S / 2, "reserve_write", {"keys": new[:1], "layout_desc": layout}))
        calls.append((turn.at_s + PREFILL_S, "finish_write", {"keys": new}))
    header = Header(MAGIC, FORMAT_VERSION, "storage", TRACE_SCHEMA_VERSION, 100.0, 1.8e9, "", "")
    frames = [encode_header(header)]
    for at_s, name, arguments in sorted(calls, key=lambda call: call[0]):
        frames.append(encode_record(Record(at_s, 1.8e9 + at_s, f"{manager}.{name}", encode_args(arguments))))
    return b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    requests = list(turns(given.seed))
    (given.folder / "conversations.jsonl").write_bytes(mooncake(requests))
    (given.folder / "conversations.lct").write_bytes(lmcache(requests))


if __name__ == "__main__":
    main()
