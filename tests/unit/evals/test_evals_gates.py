"""Gates hold or say why not; a CI system reads which."""

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evals.errors import EvaluationError
from evals.gates import Gate, judge, read_gates, write_junit
from reward_client.api import Failure
from tasks.api import Domain
from tests.unit.evals.graded_examples import graded, score
from tests.unit.evals.test_evals_store import results

FOUND = results(
    [
        graded("a", score(1.0)),
        graded("b", score(0.0)),
        graded("c", Failure(kind="SANDBOX", message=""), domain=Domain.CODE),
    ]
)


def test_a_bare_number_is_about_all_domains() -> None:
    assert read_gates(["0.5", "math=1", "code=0"]) == (
        Gate(domain="all", minimum=0.5),
        Gate(domain="math", minimum=1.0),
        Gate(domain="code", minimum=0.0),
    )


@pytest.mark.parametrize("option", ["60", "-0.1", "math", "math=", "=0.5", "math=half", "nan"])
def test_what_is_no_accuracy_is_refused(option: str) -> None:
    with pytest.raises(EvaluationError, match="neither an accuracy"):
        read_gates([option])


def test_a_gate_holds_at_its_threshold_and_fails_below() -> None:
    findings = judge(FOUND, read_gates(["math=0.5", "math=0.51"]))

    assert findings[0].why is None
    assert findings[1].why is not None


def test_what_could_not_be_graded_does_not_pass_a_gate() -> None:
    (finding,) = judge(FOUND, read_gates(["code=0"]))

    assert finding.why == "code: nothing was graded, 0 is needed"


def test_a_gate_that_holds_only_without_the_ungraded_does_not_hold() -> None:
    lost = Failure(kind="SANDBOX", message="")
    found = results([*(graded(f"r{n}", score(1.0)) for n in range(8)), graded("x", lost), graded("y", lost)])

    sure, unsure = judge(found, read_gates(["0.8", "0.9"]))

    assert sure.why is None
    assert unsure.why == (
        "all: accuracy 1.000 leaves out 2 ungraded of 10, with them it may be 0.800, which is below 0.9"
    )


def test_junit_is_xml_whatever_the_names_hold(tmp_path: Path) -> None:
    hostile = dataclasses.replace(FOUND, source='runs/\x00\x1b]<&"\ud800')

    write_junit(tmp_path / "e.xml", hostile, [])

    assert '<&"' in ElementTree.parse(tmp_path / "e.xml").getroot().attrib["name"]


def test_a_domain_that_was_not_asked_is_an_error() -> None:
    with pytest.raises(EvaluationError, match=r"'maths'.*math, code, all"):
        judge(FOUND, read_gates(["maths=0.5"]))


def test_junit_tells_failures_from_what_could_not_be_graded(tmp_path: Path) -> None:
    write_junit(tmp_path / "e.xml", FOUND, judge(FOUND, read_gates(["math=0.9"])))

    suite = ElementTree.parse(tmp_path / "e.xml").getroot()
    kinds = {case.attrib["name"]: next(child.tag for child in case) for case in suite}
    assert kinds == {"math": "failure", "code": "error", "all": "error"}
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("3", "1", "2")
