"""The first error that native code of an adapter prints reaches the detail, with a real Redis server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from redis_server import redis_with_password
from shipped import point

from l2sweep.process.bench_process import ProcessLimits
from l2sweep.process.log import PointLog
from l2sweep.process.starter import ProcessStarter
from l2sweep.process.supervisor import supervise

SECRET = "xyzzy-hunter22"
LINE = "[LMCache Connector Worker Error] AUTH failed: -WRONGPASS"


def test_a_refused_password_is_named_in_the_detail_of_the_round_and_of_the_process(
    starter: ProcessStarter, tmp_path: Path
) -> None:
    with redis_with_password(tmp_path, SECRET) as port:
        wrong = f"{SECRET}-no"
        spec = {"type": "resp", "host": "127.0.0.1", "port": port, "num_workers": 2, "password": wrong}
        config = point(adapter=spec, num_keys=2, data_size_kb=64, rounds=1, warmup_rounds=0)
        job = replace(config.job("test"), phases=("store",), timeout_s={"store": 0.5})
        limits = ProcessLimits(30.0, after_timeout_s=0.1)
        log = PointLog(tmp_path / "point.log", {wrong})
        report = supervise(starter.start, job, limits, log, {wrong}, lambda _: None)
    (measured,) = report.rounds
    assert measured.status == "timeout"
    assert measured.detail.startswith(f"1 of 1 submits did not complete in time; {LINE}")
    status, detail = report.outcome
    assert status == "timeout"
    assert LINE in detail
    assert SECRET not in str(report)
