"""The dashboard, the alert rules and the documentation speak of metrics that the server really exports."""

import json
import re

import pytest
import yaml

from reward_server.api import CostClass
from reward_server.observability.catalogue import METRICS, Kind, table
from reward_server.observability.spreads import SPREADS
from tests.conftest import ROOT
from tests.fake_rewards import Held, Inline
from tests.served import sample
from tests.watched import watched

DASHBOARD = ROOT / "deploy" / "grafana" / "assay.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
PAGE = ROOT / "docs" / "observability.md"
_NAME = re.compile(r"\bassay_[a-z_]+\b")
_SELECTOR = re.compile(r"\b(assay_[a-z_]+)\{([^}]*)\}")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
# Given by Prometheus to every series.
SCRAPED = {"job", "instance", "le"}
# Only a server that has workers and a sandbox exports these.
PER_PART = {
    metric.name
    for metric in METRICS
    if metric.name.startswith(("assay_workers_", "assay_worker_", "assay_sandbox_"))
}


def known() -> dict[str, set[str]]:
    """The labels of every series' name, histograms with their three."""
    labels = {metric.name: set(metric.labels) for metric in METRICS}
    for spread in SPREADS:
        labels |= {f"{spread.name}_{part}": set(spread.labels) for part in ("bucket", "count", "sum")}
    return labels


def dashboard_queries() -> list[str]:
    board = json.loads(DASHBOARD.read_text())
    panels = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return panels + [one["definition"] for one in board["templating"]["list"] if "definition" in one]


def rules() -> list[dict[str, object]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return group["rules"]


async def test_the_server_exports_the_catalogue_and_nothing_else() -> None:
    held = Held("held", CostClass.WORKER)
    held.release.set()
    async with watched(Inline(), held) as page:
        await page.server.score(sample("a"), sample("b", "held"))
        series = {name.partition("{")[0] for name in await page.metrics()}

    assert series == known().keys() - PER_PART


@pytest.mark.parametrize(
    "query", [*dashboard_queries(), *(str(rule["expr"]) for rule in rules())], ids=lambda query: query[:60]
)
def test_every_query_names_metrics_and_labels_that_exist(query: str) -> None:
    labels = known()
    names = set(_NAME.findall(query))
    assert names <= labels.keys()
    for name, matchers in _SELECTOR.findall(query):
        assert set(_LABEL.findall(matchers)) <= labels[name] | SCRAPED
    assert query.count("(") == query.count(")")


def test_every_metric_is_on_the_dashboard() -> None:
    shown = set(_NAME.findall(" ".join(dashboard_queries())))

    expected = {metric.name for metric in METRICS} | {f"{spread.name}_bucket" for spread in SPREADS}
    # Its backend is on the status page; a gauge of 1 draws nothing.
    assert expected - shown == {"assay_sandbox_info"}


def test_the_dashboard_is_whole() -> None:
    board = json.loads(DASHBOARD.read_text())
    panels = board["panels"]
    places = [panel["gridPos"] for panel in panels]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    for panel in panels:
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_is_and_has_its_place_in_the_documentation(rule: dict[str, object]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert f"`{rule['alert']}`" in PAGE.read_text()


def test_the_documentation_has_the_table_of_the_catalogue() -> None:
    """To mend it: `python -m reward_server.observability.catalogue`."""
    assert table() in PAGE.read_text()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_tells_counters_from_gauges(metric) -> None:
    assert metric.name.endswith("_total") is (metric.kind is Kind.COUNTER)


def test_buckets_rise() -> None:
    for spread in SPREADS:
        assert list(spread.bounds) == sorted(set(spread.bounds))
