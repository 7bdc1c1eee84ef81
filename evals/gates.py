"""Thresholds that an evaluation must reach, for CI: `--fail-under math=0.6` and a JUnit file.

A domain below its threshold, or that would be if all that could not be graded were wrong,
is a failed test case. Any other where something could not be graded is an error, because
then the number does not stand for all that was asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from evals.errors import EvaluationError
from evals.results import ALL, DomainSummary
from evals.store import Results


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """The accuracy that a domain must have."""

    domain: str
    minimum: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What came of a gate; `why` is None when it holds."""

    gate: Gate
    why: str | None


def read_gates(options: Sequence[str]) -> tuple[Gate, ...]:
    """Read `0.6` (all domains together) and `DOMAIN=0.6`.

    Raises:
        EvaluationError: the threshold is no number in [0, 1].
    """
    return tuple(_read_gate(option) for option in options)


def check_domains(gates: Sequence[Gate], asked: Collection[str]) -> None:
    """Say that a gate can be held against what is asked, before it is asked.

    Raises:
        EvaluationError: a gate names a domain that is not asked.
    """
    unknown = [gate.domain for gate in gates if gate.domain not in asked]
    if unknown:
        raise EvaluationError(
            f"fail-under: no domain {', '.join(map(repr, unknown))} in this evaluation; "
            f"there are {', '.join(asked)}"
        )


def judge(results: Results, gates: Sequence[Gate]) -> list[Finding]:
    """Hold an evaluation against its gates.

    Raises:
        EvaluationError: a gate names a domain that was not evaluated.
    """
    check_domains(gates, results.domains)
    return [Finding(gate=gate, why=_why(results.domains[gate.domain], gate)) for gate in gates]


def write_junit(path: Path, results: Results, findings: Sequence[Finding]) -> None:
    """Write a JUnit file: a test case a domain, with its gate where one was set."""
    broken = {finding.gate.domain: finding.why for finding in findings if finding.why is not None}
    suite = ET.Element("testsuite", name=_plain(f"evals: {results.source}, {results.split}"))
    errors = 0
    for name, domain in results.domains.items():
        case = ET.SubElement(suite, "testcase", classname="evals", name=name)
        if name in broken:
            ET.SubElement(case, "failure", message=_plain(broken[name] or ""))
        elif domain.ungraded:
            errors += 1
            ET.SubElement(case, "error", message=f"ungraded: {dict(domain.ungraded)}")
        ET.SubElement(case, "system-out").text = _numbers(domain)
    suite.attrib |= {
        "tests": str(len(results.domains)),
        "failures": str(len(broken)),
        "errors": str(errors),
        "time": f"{sum(results.seconds.values()):.2f}",
    }
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _plain(text: str) -> str:
    """Replace what XML cannot hold, in any spelling."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _read_gate(option: str) -> Gate:
    domain, equals, number = option.rpartition("=")
    try:
        minimum = float(number)
    except ValueError:
        minimum = -1.0
    if not 0 <= minimum <= 1 or (equals and not domain):
        raise EvaluationError(
            f"fail-under: {option!r} is neither an accuracy in [0, 1] nor DOMAIN=ACCURACY, e.g. math=0.6"
        )
    return Gate(domain=domain or ALL, minimum=minimum)


def _why(domain: DomainSummary, gate: Gate) -> str | None:
    if domain.accuracy is None:
        return f"{gate.domain}: nothing was graded, {gate.minimum:g} is needed"
    if domain.accuracy.mean >= gate.minimum:
        ungraded = sum(domain.ungraded.values())
        at_worst = domain.accuracy.mean * (1 - ungraded / domain.completions)
        if at_worst >= gate.minimum:
            return None
        return (
            f"{gate.domain}: accuracy {domain.accuracy.mean:.3f} leaves out {ungraded} ungraded of "
            f"{domain.completions}, with them it may be {at_worst:.3f}, which is below {gate.minimum:g}"
        )
    low, high = domain.accuracy.interval
    return (
        f"{gate.domain}: accuracy {domain.accuracy.mean:.3f} [{low:.3f}, {high:.3f}] "
        f"over {domain.prompts} prompts is below {gate.minimum:g}"
    )


def _numbers(domain: DomainSummary) -> str:
    values: Mapping[str, float | None] = {
        name: estimate.mean if estimate else None
        for name, estimate in (
            ("accuracy", domain.accuracy),
            ("format_rate", domain.format_rate),
            ("reward", domain.reward),
        )
    }
    listed = ", ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
    return f"{domain.prompts} prompts, {domain.completions} completions: {listed or 'nothing graded'}"
