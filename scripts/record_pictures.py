"""Record the pictures of the documents from real runs: ``make pictures``.

``docs/pictures/sweep.svg`` is what a sweep and the chart of its summary print in a terminal.
``docs/pictures/report.png`` is the top of a report in a browser, and ``figure.png`` beside it the first
figure of that report: Debian's chromium, through Playwright.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 110
ROWS = 50
SHOWN = (
    "python -m l2sweep -m adapter=fs,fs_native in_flight=1,4,16 num_keys=4 data_size_kb=1024 "
    "cache=cold lookup_max_hit_rate=1 rounds=5 repeats=3",
    "python -m l2sweep summary --plot --phase load",
)
"""The commands of the first picture."""
REPORTED = (
    "python -m l2sweep -m adapter=fs,fs_native,fio in_flight=1,4,16 num_keys=8 data_size_kb=256,1024 "
    "cache=cold repeats=3 quiet=true",
    "python -m l2sweep report latest -o report.html",
)
"""The commands of the second picture."""
MOST_BYTES = 300_000
"""Size of the screenshot: everybody who clones the project downloads it."""
VIEW = {"width": 1280, "height": 440}


def main() -> int:
    """Record the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    recorders = {"sweep": record_sweep, "report": record_report}
    parser.add_argument("pictures", nargs="*", choices=[*recorders, []], metavar="sweep|report")
    for name in parser.parse_args().pictures or recorders:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # /tmp may be memory, which is not cold
            print(recorders[name](Path(folder)))
    return 0


def record_sweep(folder: Path) -> Path:
    """Record the commands in a terminal and return the picture.

    Args:
        folder: An empty folder, in which the commands run.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in SHOWN:
        console.print(Text.assemble(("$ ", "bold green"), _in_lines(command)))
        console.print(Text.from_ansi(last_screen(run_in_terminal(command, folder))))
        console.print()
    text = console.export_text(clear=False)
    for private in (str(ROOT), str(folder), str(Path.home()), sys.prefix, socket.gethostname()):
        if private in text:
            raise SystemExit(f"the output contains {private}")
    svg = console.export_svg(title="l2sweep")
    # rich names fonts on a server; a picture must not need one.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-family: Fira Code, monospace", "font-family: monospace")
    PICTURES.mkdir(exist_ok=True)
    picture = PICTURES / "sweep.svg"
    picture.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
    return picture


def record_report(folder: Path) -> Path:
    """Take a screenshot of a report of a sweep, and of its first figure, and return the first one.

    Args:
        folder: An empty folder, in which the commands run.
    """
    for command in REPORTED:
        run_in_terminal(command, folder)
    PICTURES.mkdir(exist_ok=True)
    picture = PICTURES / "report.png"
    take_screenshot(folder / "report.html", picture)
    return picture


def take_screenshot(page_file: Path, picture: Path) -> None:
    """Write the top of a page, as a browser shows it, into a PNG file, and its first figure into another.

    Args:
        page_file: The page.
        picture: The PNG file.

    Raises:
        SystemExit: The picture is too large.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Playwright's own browser would be a download of its own.
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        page = browser.new_page(viewport=VIEW, color_scheme="light")
        page.goto(page_file.as_uri(), wait_until="networkidle")
        page.screenshot(path=picture)
        figure = picture.with_name("figure.png")
        page.locator("figure").first.screenshot(path=figure)
        browser.close()
    for one in (picture, figure):
        if (size := one.stat().st_size) > MOST_BYTES:
            raise SystemExit(f"{one} has {size} bytes, more than {MOST_BYTES}")


def run_in_terminal(command: str, folder: Path) -> str:
    """Run a command in a pseudo-terminal and return what it printed, with its control sequences.

    Args:
        command: A command that begins with ``python``.
        folder: Where it runs.

    Raises:
        SystemExit: It failed.
    """
    _, *arguments = shlex.split(command)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    environment |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    chunks = []
    while chunk := _read(master):
        chunks.append(chunk)
    os.close(master)
    printed = b"".join(chunks).decode()
    if process.wait():
        raise SystemExit(f"{command}: exit code {process.returncode}\n{printed}")
    return printed


def last_screen(printed: str) -> str:
    """Return what a terminal shows in the end. Colours stay.

    It follows the control sequences with which rich erases a progress bar: to the start of the line, one
    line up, erase the line, hide and show the cursor.

    Args:
        printed: What was printed, with its control sequences.
    """
    lines = [""]
    row = 0
    for part in re.split(r"(\r?\n|\r|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh])", printed):
        if part.endswith("\n"):
            row += 1
            lines += [""] * (row == len(lines))
        elif up := re.fullmatch(r"\x1b\[(\d*)A", part):
            row = max(0, row - int(up[1] or 1))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part != "\r" and not part.startswith("\x1b[?25"):
            lines[row] += part
    return "\n".join(lines).rstrip()


def _in_lines(command: str) -> str:
    """Return a command in lines that fit, as a shell takes them."""
    lines = textwrap.wrap(command, COLUMNS - 4, break_long_words=False, break_on_hyphens=False)
    return " \\\n    ".join(lines)


def _read(descriptor: int) -> bytes:
    """Return the next bytes of a terminal; none when no process has it open any more."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # EIO
        return b""


if __name__ == "__main__":
    sys.exit(main())
