"""The page of an evaluation in a real browser: it opens, filters, finds a flip, and runs nobody's markup."""

import dataclasses
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
from tests.recorded_runs import evaluation
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


@pytest.fixture(scope="module")
def comparison_of_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("many")
    before = side(directory / "before", items(MANY, right=1_000))
    after = side(directory / "after", items(MANY, right=3_000))
    assert main(["report", str(before), str(after), "--output", str(directory / "page.html")]) == 0
    return directory / "page.html"


def test_five_thousand_samples_are_filtered_searched_and_walked_through(comparison_of_many: Path) -> None:
    with browsing() as page:
        page.goto(comparison_of_many.as_uri())
        page.select_option("#change", "better")
        page.locator("#query").fill("question p1998")
        assert count(page) == "1 of 5,000"
        page.keyboard.press("Escape")
        for _ in range(50):
            page.keyboard.press("j")
        expect(page.locator("#detail h3").first).to_have_text("gsm8k/test/p2048")
        assert page.locator(".row").count() < 60


def test_a_keystroke_at_five_thousand_samples_draws_a_screenful(comparison_of_many: Path) -> None:
    """Counted, not timed: the rows made by each letter, and by each step through the list."""
    with browsing() as page:
        page.goto(comparison_of_many.as_uri())
        page.evaluate(
            """() => {
                window.made = 0;
                const count = (changes) => {
                    for (const change of changes) window.made += change.addedNodes.length;
                };
                new MutationObserver(count).observe(document.getElementById("rows"), { childList: true });
            }"""
        )
        page.keyboard.press("/")
        page.keyboard.type("question")
        assert count(page) == "5,000 of 5,000"
        assert page.evaluate("window.made") <= len("question") * 40
        page.keyboard.press("Escape")
        page.locator("#list").evaluate("(list) => { list.scrollTop = list.scrollHeight }")
        expect(page.locator(".row").last).to_contain_text("question p4999")
        assert page.locator(".row").count() < 60


def test_a_long_completion_is_drawn_as_far_as_one_reads_and_whole_when_asked_for(tmp_path: Path) -> None:
    long = "<answer>" * 10_000 + "x" * 180_000 + " the end"
    directory = side(tmp_path / "run", [graded("a", score(1.0), completion=long)])
    assert main(["report", str(directory)]) == 0
    with browsing() as page:
        page.goto((directory / "report.html").as_uri())
        assert page.locator("#detail .tag").count() == 1_000
        page.keyboard.press("/")
        page.keyboard.type("the end")
        expect(page.locator("#detail .more")).to_contain_text("what you search for is further on")
        page.locator("#detail .more").click()
        expect(page.locator("#detail mark")).to_have_text("the end")
        assert page.locator("#detail .more").count() == 0


def test_texts_in_any_script_and_of_broken_encoding_are_shown(tmp_path: Path) -> None:
    texts = ["שלום \u202eevil\u202c", "👩‍👩‍👧‍👦 emoji", "half \ud800 a pair", "\x00\x1b[31m", "  "]
    directory = side(
        tmp_path / "run",
        [
            dataclasses.replace(graded(f"p{n}", score(1.0), completion=text), prompt=text)
            for n, text in enumerate(texts)
        ],
    )
    assert main(["report", str(directory)]) == 0
    with browsing(width=390) as page:
        page.goto((directory / "report.html").as_uri())
        expect(page.locator("#detail pre").first).to_contain_text("שלום")
        assert page.locator("#detail pre").first.evaluate("(e) => getComputedStyle(e).direction") == "rtl"
        for _ in texts:
            page.keyboard.press("j")
        expect(page.locator("#detail h3").first).to_have_text("gsm8k/test/p4")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_never_varied_is_drawn_without_a_claim(tmp_path: Path) -> None:
    """All right on both sides, one domain, one prompt: no interval has a width and no p says anything."""
    sides = [
        side(tmp_path / name, [graded("a", score(value))]) for name, value in (("one", 0.0), ("two", 1.0))
    ]
    assert main(["report", *map(str, sides)]) == 0
    with browsing() as page:
        page.goto((sides[1] / "report.html").as_uri())
        expect(page.locator("#headline")).to_contain_text("did not measurably change")
        assert page.locator("#numbers .better, #numbers .worse").count() == 0
        assert page.locator("#plots svg.main-svg").count() > 0


def test_nothing_graded_at_all_is_a_page_that_says_so(tmp_path: Path) -> None:
    failed = Failure(kind="SANDBOX", message="no engine")
    directory = side(tmp_path / "run", [graded(f"p{n}", failed) for n in range(3)])
    assert main(["report", str(directory)]) == 0
    with browsing(dark=True) as page:
        page.goto((directory / "report.html").as_uri())
        expect(page.locator("#headline")).to_have_text("nothing could be graded")
        expect(page.locator("#detail .verdict")).to_have_text("UNGRADED SANDBOX")
        expect(page.locator("#numbers tr.all td").last).to_have_text("3")


def test_prompts_without_a_pair_are_said_and_found(tmp_path: Path) -> None:
    before = side(tmp_path / "before", items(20, right=5))
    after = side(tmp_path / "after", items(30, right=9)[4:])
    assert main(["report", str(before), str(after)]) == 0
    with browsing() as page:
        page.goto((after / "report.html").as_uri())
        expect(page.locator("#notes")).to_contain_text("asked only after 10, asked only before 4")
        page.select_option("#change", "unpaired")
        assert count(page) == "14 of 30"
        expect(page.locator("#detail .sides")).to_contain_text("not asked")


def test_keys_and_roles_serve_those_who_do_not_see_or_point(comparison: Path) -> None:
    with browsing() as page:
        page.goto(f"{comparison.as_uri()}#domain=nowhere&verdict=CORRECT")
        assert page.locator("#domain").input_value() == ""
        assert count(page) != "0 of 60"
        page.keyboard.press("Escape")
        page.locator("#list").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        expect(page.locator("#detail h3").first).to_have_text("gsm8k/test/p1")
        active = page.locator("#list").get_attribute("aria-activedescendant")
        expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#list").get_by_role("option", selected=True)).to_have_count(1)
        assert page.get_by_role("img", name="Accuracy by domain").count() == 1
        outline = page.locator("#list").evaluate("(e) => getComputedStyle(e).outlineStyle")
        assert outline == "solid"


def test_the_curve_of_the_run_that_a_checkpoint_belongs_to_is_on_its_page(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("steps: 40\n")
    for name, reward in (("before", 0.2), ("step-000020", 0.3), ("after", 0.4)):
        evaluation(run, name, reward)
    directory = side(run / "evals" / "test", items(6, right=3))
    assert main(["report", str(directory)]) == 0
    with browsing() as page:
        page.goto((directory / "report.html").as_uri())
        drawn = page.evaluate(
            "document.getElementById('plot-held-out').data.map(({name, x, y, error_y, visible}) => "
            "({name, x, y, up: error_y.array.map((v) => +v.toFixed(3)), visible}))"
        )
    assert [trace["name"] for trace in drawn] == ["sampled reward", "greedy accuracy", "math"]
    assert (drawn[0]["x"], drawn[0]["y"], drawn[0]["up"]) == ([0, 20, 40], [0.2, 0.3, 0.4], [0.1] * 3)
    assert drawn[2]["visible"] == "legendonly"


def test_evaluations_of_other_questions_are_no_comparison(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (side(tmp_path / name, [graded(name, score(1.0))]) for name in ("one", "two"))

    assert main(["report", str(one), str(two)]) == 2
    assert "compare evaluations of the same questions" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_an_error_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = side(tmp_path / "run", items(3, right=1))

    assert main(["report", str(directory), "--output", str(tmp_path)]) == 2
    assert "name a file" in capsys.readouterr().err


def test_three_evaluations_are_not_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "a", "b", "c"]) == 2
    assert "one evaluation or two, got 3" in capsys.readouterr().err
