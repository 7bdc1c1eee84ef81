"""The explorer in a real browser, over a run that is still being written."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from evals.__main__ import main
from evals.explore.app import app
from tests.browser import browsing
from tests.http_servers import serving_app
from tests.recorded_runs import evaluation, rollout, write_run, write_step

HOSTILE = "</script><img src=x onerror=alert(1)>"


def flat_in_code(step: int, domain: str, group: int, index: int) -> float:
    return float(domain == "code" or index % 2)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(
        tmp_path, steps=9, score=lambda step, domain, group, index: float(domain == "code" or index % 2)
    )


@pytest.fixture
def url(run: Path) -> Iterator[str]:
    with serving_app(app(run, hosts=["127.0.0.1"])) as address:
        yield f"{address}/"


def wait_for_groups(page: Page, count: str) -> None:
    expect(page.locator("#count")).to_have_text(f"{count} groups", timeout=15_000)


def test_a_live_run_is_followed(run: Path, url: str) -> None:
    with browsing() as page:
        page.goto(url)
        wait_for_groups(page, "36")
        expect(page.locator("#progress")).to_contain_text("step 9, running")
        expect(page.locator("#plots svg.main-svg").first).to_be_visible()

        write_step(run, 10, [rollout(10, "math", 0, index, float(index)) for index in range(2)])
        (run / "summary.json").write_text("{}")

        wait_for_groups(page, "37")
        expect(page.locator("#progress")).to_contain_text("step 10, finished")


def test_groups_are_filtered_read_and_linked_to(run: Path, url: str) -> None:
    write_step(
        run, 10, [rollout(10, "math", 7, index, float(index), completion=HOSTILE) for index in range(2)]
    )
    with browsing() as page:
        page.goto(url)
        wait_for_groups(page, "37")
        page.select_option("#variance", "flat")
        wait_for_groups(page, "18")
        page.keyboard.press("Escape")
        page.locator("#q").fill("question 7")
        wait_for_groups(page, "1")
        expect(page.locator("#detail .verdict")).to_have_text(["INCORRECT 0.00", "CORRECT 1.00"])
        expect(page.locator("#detail .components").first).to_contain_text("0.50 · 12 tokens")
        expect(page.locator("#detail")).to_contain_text(HOSTILE)
        assert page.locator("img").count() == 0
        address = page.url
    with browsing(dark=True) as page:
        page.goto(address)
        wait_for_groups(page, "1")
        expect(page.locator("#detail h3")).to_have_text("step 10 · math/train/7")


def test_two_steps_are_compared_and_signals_lead_to_groups(url: str) -> None:
    with browsing() as page:
        page.goto(url)
        expect(page.locator("#shared-heading")).to_have_text("4 prompts asked in both", timeout=15_000)
        page.locator("#a").fill("2")
        page.locator("#a").press("Enter")
        expect(page.locator("#difference tr.all td").nth(1)).to_have_text("0.75 → 0.75")
        expect(page.locator("#signals-note")).to_contain_text("No suspect patterns")
        page.locator("#quiet-count").click()
        page.locator("#quiet button").first.click()
        wait_for_groups(page, "18")


def test_keys_walk_through_groups(url: str) -> None:
    with browsing() as page:
        page.goto(url)
        wait_for_groups(page, "36")
        expect(page.locator("#detail h3")).to_have_text("step 9 · code/train/0")
        page.keyboard.press("j")
        expect(page.locator("#detail h3")).to_have_text("step 9 · code/train/1")
        page.keyboard.press("k")
        expect(page.locator("#detail h3")).to_have_text("step 9 · code/train/0")


def test_arrows_walk_in_the_list_and_the_chosen_group_is_named_to_readers(url: str) -> None:
    with browsing() as page:
        page.goto(url)
        wait_for_groups(page, "36")
        page.locator("#list").focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#detail h3")).to_have_text("step 9 · code/train/1")
        active = page.locator("#list").get_attribute("aria-activedescendant")
        expect(page.locator(f"[id='{active}']")).to_have_attribute("aria-selected", "true")


def test_both_steps_answers_to_one_prompt_are_read_side_by_side(url: str) -> None:
    with browsing() as page:
        page.goto(url)
        expect(page.locator("#shared-heading")).to_have_text("4 prompts asked in both", timeout=15_000)
        page.locator("#shared tr", has_text="math/train/1").get_by_role("button").click()
        expect(page.locator("#pair h3")).to_have_text(["math/train/1", "step 1", "step 9"])
        expect(page.locator("#pair .sides > div").first).to_contain_text("<answer>1 1 0</answer>")
        expect(page.locator("#pair .sides > div").last).to_contain_text("<answer>9 1 0</answer>")


def test_held_out_evaluations_are_drawn_with_intervals_beside_the_training_reward(
    run: Path, url: str
) -> None:
    evaluation(run, "before", 0.3)
    evaluation(run, "step-000004", 0.35)
    with browsing() as page:
        page.goto(url)
        wait_for_groups(page, "36")
        assert ["all, held out", [0, 4], True] in reward_traces(page)
        assert ["math, held out", [0, 4], False] in reward_traces(page)

        evaluation(run, "after", 0.3)
        for _ in range(60):
            if ["all, held out", [0, 4, 9], True] in reward_traces(page):
                break
            page.wait_for_timeout(250)
        assert ["all, held out", [0, 4, 9], True] in reward_traces(page)


def reward_traces(page: Page) -> list[list[object]]:
    """Name, steps and whether there are intervals, of each trace of the plot of rewards."""
    return page.evaluate(
        "document.getElementById('plot-reward').data.map(({name, x, error_y}) => [name, x, !!error_y])"
    )


def test_a_writer_that_goes_on_and_a_file_it_has_half_written_do_not_stop_the_page(
    run: Path, url: str
) -> None:
    with browsing() as page:
        page.goto(url)
        wait_for_groups(page, "36")
        for step in range(10, 14):
            write_step(run, step, [rollout(step, "math", 0, index, float(index)) for index in range(2)])
            wait_for_groups(page, f"{36 + step - 9}")
        path = run / "rollouts" / "step-000013.parquet"
        whole = path.read_bytes()
        path.write_bytes(whole[:100])
        expect(page.locator("#progress")).to_contain_text(
            "cannot be read (yet): step-000013.parquet", timeout=15_000
        )
        path.write_bytes(whole)
        expect(page.locator("#progress")).to_have_text("step 13, running", timeout=15_000)


def test_a_run_without_completions_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving_app(app(tmp_path / "empty", hosts=["127.0.0.1"])) as address, browsing() as page:
        page.goto(f"{address}/")
        expect(page.locator("#empty")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("group?step=x&group=g", "step"),
        ("difference?a=1", "b: needs a whole number"),
        ("groups?offset=-1", "offset"),
        ("groups?step=99999999999", "step"),
        (f"groups?step={'9' * 5000}", "step"),
        ("prompt?example=x", "step: needs a whole number"),
    ],
)
def test_a_bad_parameter_is_named(url: str, path: str, says: str) -> None:
    response = httpx.get(f"{url}api/{path}")

    assert response.status_code == 400
    assert says in response.text


def test_another_sites_name_for_this_machine_is_not_answered(url: str) -> None:
    """A page elsewhere could point its name here; it must not read the run."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"))
    connection.request("GET", "/api/overview", headers={"host": "evil.example"})

    assert connection.getresponse().status == 400
    connection.close()


def test_a_run_that_is_not_there_is_an_error_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", "--run", str(tmp_path / "absent"), "--listen", "127.0.0.1:0"]) == 2
    assert "no run at" in capsys.readouterr().err
