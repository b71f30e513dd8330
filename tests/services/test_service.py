"""The command of a service: a program that is found, all ports, and no secret."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2sweep.errors import RequestError
from l2sweep.services.folders import ServerFolder
from l2sweep.services.ports import free_ports
from l2sweep.services.redis_server import RedisService
from l2sweep.services.seaweedfs import SeaweedService
from l2sweep.services.service import Service

SECRET = "0123456789abcdef" * 2
KINDS = [RedisService, SeaweedService]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[ServerFolder]:
    made = ServerFolder.make(tmp_path / "scratch")
    with made.lock:
        yield made


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for kind in KINDS:
        (tmp_path / "bin" / kind.program).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / kind.program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def made(kind: type[Service], folder: ServerFolder) -> Service:
    return kind(folder, tuple(range(40_001, 40_001 + kind.num_ports)), SECRET)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("programs")
def test_a_command_contains_no_secret_and_the_file_with_it_is_private(
    kind: type[Service], folder: ServerFolder
) -> None:
    command = made(kind, folder).command()
    assert SECRET not in " ".join(command)
    with_secret = [path for path in folder.path.iterdir() if path.is_file() and SECRET in path.read_text()]
    assert [path.stat().st_mode & 0o777 for path in with_secret] == [0o600]
    assert folder.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("programs")
def test_seaweedfs_listens_on_no_default_port_and_reports_nothing(folder: ServerFolder) -> None:
    command = made(SeaweedService, folder).command()
    given = dict(word.split("=") for word in command if ".port" in word)
    assert (given.pop("-s3.port.lance"), given.pop("-s3.port.iceberg")) == ("0", "0")
    assert sorted(given.values()) == [str(port) for port in range(40_001, 40_009)]
    assert "-master.telemetry=false" in command


def test_a_program_that_is_missing_is_named_with_the_way_to_install_it(
    folder: ServerFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(RequestError, match=r"service=redis: needs redis-server, .*apt-get install"):
        made(RedisService, folder).command()


@pytest.mark.usefixtures("programs")
def test_a_folder_with_any_name_can_be_that_of_redis(tmp_path: Path) -> None:
    folder = ServerFolder.make(tmp_path / 'a "quoted" \\ folder')
    with folder.lock:
        file = Path(made(RedisService, folder).command()[1])
    assert 'a \\"quoted\\" \\\\ folder' in file.read_text()


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
