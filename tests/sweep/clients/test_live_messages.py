"""What a view shows of several clients: each round once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_process import round_measured
from fake_starter import ACCEPTED

from l2sweep.bench.messages import Note, PhaseStarted, RoundMeasured
from l2sweep.sweep.clients.live_messages import LiveMessages


def test_messages_of_one_client_are_shown_as_they_are() -> None:
    live = LiveMessages(1)
    for message in (PhaseStarted("store"), round_measured(), Note("a note")):
        assert live.shown(0, message) is message


def test_a_round_is_shown_once_when_all_clients_have_ended_it() -> None:
    live = LiveMessages(2)
    assert live.shown(1, round_measured(number=1)) is None
    assert live.shown(1, round_measured(number=2)) is None
    late = replace(round_measured(number=1), started_at_s=1.25, duration_s=1.0, elapsed_s=1.0)
    shown = live.shown(0, late)
    assert isinstance(shown, RoundMeasured)
    assert (shown.round, shown.keys_ok, shown.status) == (1, 4, "ok")
    assert shown.duration_s == pytest.approx(1.25)
    assert shown.started_at_s == 1.0


def test_the_first_client_stands_for_all_and_notes_name_theirs() -> None:
    live = LiveMessages(2)
    assert live.shown(0, ACCEPTED) == ACCEPTED
    assert live.shown(1, ACCEPTED) is None
    assert live.shown(1, Note("2 keys may stay")) == Note("client 1: 2 keys may stay")


def test_a_phase_is_shown_behind_all_rounds_of_the_phase_before() -> None:
    live = LiveMessages(2)
    assert live.shown(0, round_measured("store")) is None
    assert live.shown(0, PhaseStarted("load")) is None
    assert isinstance(live.shown(1, round_measured("store")), RoundMeasured)
    assert live.shown(1, PhaseStarted("load")) == PhaseStarted("load")
