"""How long each model waits for its KV cache."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_tiers import MODEL, tier_frame
from sample_rows import MIB

from l2sweep.analysis.breakeven.restore import RESTORED_TOKENS, restore_times


def test_each_model_and_length_has_its_time_or_the_reason_why_it_has_none() -> None:
    small = replace(MODEL, name="small", key_bytes=MIB // 4)
    rounds = tier_frame({(1024, 32, 1): 64.0, (1024, 128, 1): 128.0})
    found = restore_times(rounds, [MODEL, small], at="cold")
    assert [(one.model.name, one.tokens) for one in found] == [
        (name, tokens) for name in ("made-up", "small") for tokens in RESTORED_TOKENS
    ]
    seconds = [one.load.load_s if one.load else None for one in found]
    assert seconds == [pytest.approx(32 / 64), pytest.approx(128 / 128), None, None, None, None]
    assert found[2].not_known.startswith("512 keys of 1024 KiB in flight: only 32 to 128 of 1024 KiB")
    assert found[3].not_known == "keys of 256 KiB: only 1024 KiB were measured"
