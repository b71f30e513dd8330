"""The environment of a worker below an actor of Ray."""

from __future__ import annotations

import os
import socket

import pytest

from l2sweep.cluster.engines.ray_host import undo_priorities, worker_environment

RAY = "/opt/venv/lib/python3.11/site-packages/ray"


def test_what_ray_added_to_the_environment_is_not_passed_on() -> None:
    inherited = {
        "PATH": "/usr/bin",
        "OMP_NUM_THREADS": "8",
        "RAY_JOB_ID": "01000000",
        "RAY_AUTH_TOKEN": "secret",
        "SPT_NOENV": "1",
        "PYTHONBREAKPOINT": "ray.util.rpdb.set_trace",
        "LD_PRELOAD": f"{RAY}/core/libjemalloc.so",
    }
    assert worker_environment(inherited, RAY) == {"PATH": "/usr/bin", "OMP_NUM_THREADS": "8"}


def test_what_the_user_put_into_a_list_of_paths_stays() -> None:
    inherited = {
        "LD_PRELOAD": f"/usr/lib/libnuma.so:{RAY}/core/libjemalloc.so",
        "PYTHONPATH": f"{RAY}/thirdparty_files:/home/user/plugins:{RAY}s",
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
        "PYTHONBREAKPOINT": "ipdb.set_trace",
    }
    assert worker_environment(inherited, RAY) == {
        "LD_PRELOAD": "/usr/lib/libnuma.so",
        "PYTHONPATH": f"/home/user/plugins:{RAY}s",
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
        "PYTHONBREAKPOINT": "ipdb.set_trace",
    }


def test_without_the_package_ray_every_path_stays() -> None:
    assert worker_environment({"PYTHONPATH": "/a:/b"}, "") == {"PYTHONPATH": "/a:/b"}


def test_a_nice_level_that_cannot_be_lowered_is_told_with_the_host_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "getpriority", lambda _, pid: 15 if pid == 0 else 5)
    monkeypatch.setattr(os, "setpriority", refuse)
    note = undo_priorities(os.getpid())
    assert note is not None
    assert note.startswith("Ray runs its workers at nice level 15")
    assert socket.gethostname() in note
    assert note.endswith("RAY_worker_niceness=5")


def test_the_nice_level_of_rays_daemon_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []
    monkeypatch.setattr(os, "getpriority", lambda _, pid: 15 if pid == 0 else 5)
    monkeypatch.setattr(os, "setpriority", lambda *arguments: calls.append(arguments))
    assert undo_priorities(os.getpid()) is None
    assert calls == [(os.PRIO_PROCESS, 0, 5)]
