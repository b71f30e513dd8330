"""The file of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.errors import BenchError, RequestError
from l2sweep.sweep.report.report_file import require_report_file, write_report


def test_a_report_replaces_an_older_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "new" / "report.json"
    for text in ("first and long", "second"):
        require_report_file(str(file))
        write_report(str(file), text)
        assert file.read_text() == f"{text}\n"
    assert list(file.parent.iterdir()) == [file]


def test_the_check_creates_nothing(tmp_path: Path) -> None:
    require_report_file(None)
    require_report_file(str(tmp_path / "new" / "report.json"))
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    require_report_file(str(tmp_path / "link"))
    write_report(str(tmp_path / "link"), "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text\n"


@pytest.mark.parametrize(
    "path", ["/dev/null", "/dev/stdout", "/proc/self/fd/1", "/proc/report", "/", "{tmp}", "{tmp}/file/below"]
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    path = path.format(tmp=tmp_path)
    with pytest.raises(RequestError, match=f"^report_file={path}: must be a file"):
        require_report_file(path)


def test_a_report_that_cannot_be_written_at_the_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match=r"^report_file=.*: not written: "):
        write_report(str(tmp_path / "file" / "below"), "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BenchError, match="not written"):
        write_report(str(tmp_path / "folder"), "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
