"""The page of an evaluation in a real browser: it opens, filters, finds a flip, and runs nobody's markup."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from evals.__main__ import main
from evals.grade import Graded
from evals.store import write_results
from reward_client.api import Failure
from tasks.api import Domain
from tests.browser import browsing
from tests.unit.evals.graded_examples import graded, score
from tests.unit.evals.test_evals_store import results

HOSTILE = "<reasoning>x</reasoning><answer></script><img src=x onerror=alert(1)><b>4</b></answer>"
DOMAINS = (Domain.MATH, Domain.LOGIC, Domain.CODE)
MANY = 5_000


def side(directory: Path, items: Sequence[Graded]) -> Path:
    directory.mkdir()
    write_results(directory, results(list(items)), items)
    return directory


def items(count: int, *, right: int, text: str = HOSTILE) -> list[Graded]:
    """The first `right` answers are right; every 50th is ungraded; p7 always falls."""
    failed = Failure(kind="SANDBOX", message="no engine")
    return [
        graded(
            f"p{n}",
            failed if n % 50 == 49 else score(float(n < right and n != 7)),
            domain=DOMAINS[n % 3],
            completion=f"{text} {n}",
        )
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("comparison")
    first = [
        dataclasses.replace(item, outcome=graded("p7", score(1.0)).outcome)
        if item.example_id.endswith("/p7")
        else item
        for item in items(60, right=20)
    ]
    before, after = side(directory / "before", first), side(directory / "after", items(60, right=40))
    assert main(["report", str(before), str(after), "--output", str(directory / "page.html")]) == 0
    return directory / "page.html"


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


def test_a_flip_is_found_and_both_completions_stand_side_by_side(comparison: Path) -> None:
    with browsing() as page:
        page.goto(comparison.as_uri())
        page.select_option("#change", "worse")

        assert count(page) == "1 of 60"
        expect(page.locator("#detail .verdict")).to_have_text(["CORRECT 1.00", "INCORRECT 0.20"])
        expect(page.locator("#detail h3")).to_have_text(["gsm8k/test/p7", "before", "after"])


def test_filters_and_search_add_up_and_escape_clears_them(comparison: Path) -> None:
    with browsing() as page:
        page.goto(comparison.as_uri())
        page.select_option("#domain", "logic")
        assert count(page) == "20 of 60"
        page.select_option("#verdict", "UNGRADED")
        assert count(page) == "1 of 60"
        page.keyboard.press("Escape")
        assert count(page) == "60 of 60"
        page.keyboard.press("/")
        page.keyboard.type("question p59")
        assert count(page) == "1 of 60"
        expect(page.locator("#detail mark").first).to_have_text("question p59")


def test_the_address_leads_back_to_what_was_shown(comparison: Path) -> None:
    with browsing() as page:
        page.goto(comparison.as_uri())
        page.select_option("#domain", "math")
        page.keyboard.press("Escape")
        page.select_option("#domain", "code")
        page.locator("body").click(position={"x": 5, "y": 5})
        page.keyboard.press("j")
        page.keyboard.press("j")
        address, shown = page.url, page.locator("#detail h3").first.inner_text()
    assert shown == "gsm8k/test/p8"
    with browsing() as page:
        page.goto(address)
        assert page.locator("#detail h3").first.inner_text() == shown
        assert count(page) == "20 of 60"


def test_hostile_text_stays_text(comparison: Path) -> None:
    with browsing() as page:
        page.goto(comparison.as_uri())
        expect(page.locator("#detail pre").nth(1)).to_contain_text("<img src=x onerror=alert(1)>")
        expect(page.locator("#detail .tag").first).to_have_text("<reasoning>")
        assert page.locator("img").count() == 0


def test_every_plot_is_drawn_within_its_place_in_either_theme(comparison: Path) -> None:
    with browsing(dark=True) as page:
        page.goto(comparison.as_uri())
        plots = page.locator("#plots figure")
        assert plots.count() == 4
        for plot in plots.all():
            place, drawn = plot.bounding_box(), plot.locator("svg.main-svg").first.bounding_box()
            assert place is not None
            assert drawn is not None
            assert drawn["width"] <= place["width"] + 1
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.keyboard.press("t")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_a_phone_shows_no_wider_page_than_its_screen(comparison: Path) -> None:
    with browsing(width=390) as page:
        page.goto(comparison.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_of_one_run_has_no_filter_for_changes(tmp_path: Path) -> None:
    directory = side(tmp_path / "run", items(12, right=5))
    assert main(["report", str(directory)]) == 0
    with browsing() as page:
        page.goto((directory / "report.html").as_uri())
        expect(page.locator("#change-label")).to_be_hidden()
        expect(page.locator("#numbers tbody tr")).to_have_count(4)
        expect(page.locator("#numbers tr.all td").nth(1)).to_have_text("12")


def test_five_thousand_samples_are_searched_without_lag(tmp_path: Path) -> None:
    before = side(tmp_path / "before", items(MANY, right=1_000))
    after = side(tmp_path / "after", items(MANY, right=3_000))
    assert main(["report", str(before), str(after), "--output", str(tmp_path / "page.html")]) == 0
    with browsing() as page:
        page.goto((tmp_path / "page.html").as_uri())
        began = time.monotonic()
        page.select_option("#change", "better")
        page.locator("#query").fill("question p1998")
        assert count(page) == "1 of 5,000"
        page.keyboard.press("Escape")
        for _ in range(50):
            page.keyboard.press("j")
        seconds = time.monotonic() - began
        expect(page.locator("#detail h3").first).to_have_text("gsm8k/test/p2048")
        assert page.locator(".row").count() < 60
    assert seconds < 20  # a bound against hangs: it takes about a second


def test_three_evaluations_are_not_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "a", "b", "c"]) == 2
    assert "one evaluation or two, got 3" in capsys.readouterr().err
