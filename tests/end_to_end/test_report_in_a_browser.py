"""The page of a report in a real browser: it is drawn, works without a network, and everyone can use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import require
from made_nights import small_night, write_nights
from playwright.sync_api import Browser, Page, sync_playwright
from whole_report import HOSTILE, full_report

from l2sweep.analysis.report.page.render import render_page
from l2sweep.cli.command_group import run_command

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 380, "height": 800}
_DRAWN = "() => document.documentElement.dataset.drawn === 'true'"


@dataclass
class Opened:
    """A page in the browser, and what it complained about and asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    require(program, "chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render_page(full_report()), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page that the command makes of two made nights."""
    folder = tmp_path_factory.mktemp("nights")
    write_nights(folder, [small_night(0), small_night(1, factors={("fs", "load"): 1.5})])
    file = folder / "report.html"
    arguments = ["latest", "--base", "latest~1", "-o", str(file), f"--results-dir={folder}"]
    assert run_command(["report", *arguments]) == 0
    return file


def marks_of(page: Page) -> list[tuple[str, int]]:
    """Return for each chart the number of its marks."""
    return page.eval_on_selector_all(  # type: ignore[no-any-return]
        "[data-chart]",
        """places => places.map(place => [place.dataset.chart,
            place.querySelectorAll("svg .role-mark path, svg .role-mark line").length])""",
    )


@contextmanager
def opened(
    browser: Browser, file: Path, size: dict[str, int] = DESKTOP, *, scheme: str = "light"
) -> Iterator[Opened]:
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    found = Opened(context.new_page())
    found.page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(file.as_uri())
    found.page.wait_for_function(_DRAWN)
    yield found
    context.close()


def test_the_page_opens_from_a_file_and_draws_every_figure_without_a_request(
    browser: Browser, file: Path
) -> None:
    with opened(browser, file) as found:
        assert found.complaints == []
        assert [url for url in found.requests if not url.startswith("data:")] == [file.as_uri()]
        marks = marks_of(found.page)
        assert len(marks) >= 20
        assert [name for name, count in marks if count == 0] == []


def test_the_table_sorts_filters_and_is_copied_as_csv(browser: Browser, file: Path) -> None:
    with opened(browser, file) as found:
        page = found.page
        page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text; }")
        header = page.locator("th[data-column=mib_per_s]")
        place = header.evaluate("cell => cell.cellIndex")

        def rates() -> list[float]:
            texts = page.locator("table[data-rows] tbody tr:not([hidden])").evaluate_all(
                f"rows => rows.map(row => row.cells[{place}].textContent)"
            )
            return [float(text.replace(",", "")) for text in texts]

        assert rates() != sorted(rates())
        header.get_by_role("button").click()
        assert header.get_attribute("aria-sort") == "ascending"
        assert rates() == sorted(rates())
        header.get_by_role("button").press("Enter")
        assert header.get_attribute("aria-sort") == "descending"
        assert rates() == sorted(rates(), reverse=True)
        page.get_by_label("Filter").fill("fs_native cold 4,096")
        assert page.locator("#points .count").text_content() == "9 of 144 rows"
        assert len(rates()) == 9
        page.get_by_role("button", name="Copy as CSV").click()
        lines = page.evaluate("window.copied").splitlines()
        assert len(lines) == 10
        assert lines[0].startswith("point_id,adapter,")
        assert all(",fs_native," in line and ",cold," in line for line in lines[1:])


def test_the_page_fits_a_phone_and_is_dark_where_the_reader_wants_it(browser: Browser, file: Path) -> None:
    with opened(browser, file, PHONE, scheme="dark") as found:
        page = found.page
        assert found.complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        wide = "charts => charts.filter(one => one.getBoundingClientRect().right > innerWidth).length"
        assert page.eval_on_selector_all(".chart svg", wide) == 0
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        label = "getComputedStyle(document.querySelector('.role-axis-label text')).fill"
        assert dark == "rgb(21, 24, 27)"
        assert page.evaluate(label) == "rgb(162, 171, 179)"
        # On paper it is light, also for a reader who has a dark screen.
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate(label) == "rgb(89, 98, 107)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(browser: Browser, made: Path, scheme: str) -> None:
    with opened(browser, made, scheme=scheme) as found:
        violations = Axe().run(found.page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [one for one in violations if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in serious] == []


def test_a_page_of_the_command_is_drawn_as_well(browser: Browser, made: Path) -> None:
    with opened(browser, made) as found:
        assert found.complaints == []
        assert [name for name, count in marks_of(found.page) if count == 0] == []
        assert {name.rsplit("-", 1)[0] for name, _ in marks_of(found.page)} >= {
            *("throughput_load_over_data_size_kb", "share_of_fio_load", "drift", "comparison", "history"),
        }


def test_hostile_texts_are_shown_and_do_nothing(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "hostile.html"
    file.write_text(render_page(full_report(("fs",), label=HOSTILE)), encoding="utf-8")
    with opened(browser, file, PHONE) as found:
        assert found.complaints == []
        assert found.page.evaluate("window.attacked") is None
        assert HOSTILE in (found.page.title())
        assert HOSTILE in (found.page.locator("#measured").text_content() or "")
        assert found.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
