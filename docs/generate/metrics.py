"""reference/metrics.md: every series a cell shows, and every alert that looks at them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from prometheus_client.metrics_core import Metric
from ruamel.yaml import YAML

from docs.generate.json_schema import ROOT
from docs.generate.markdown import code, sentence, table
from voxgate.runtime.telemetry.metrics import Metrics

RULES = ROOT / "configs/prometheus/voxgate.rules.yml"
OWN = "voxgate_"
TOLD_ELSEWHERE = {"le", "version", "cell"}
SUMMARY = re.compile(r"^\{\{ \$labels\.instance \}\}: ")


def series() -> str:
    """Name, kind, labels with their values, meaning. The camera of a cell is called cam0 here."""
    found = sorted(Metrics("CELL", ("cam0",)).registry.collect(), key=lambda each: each.name)
    rows = (
        [code(_name(each)), each.type, sentence(each.documentation), _labels(each)]
        for each in found
        if each.name.startswith(OWN)  # beside them the client library shows what the process uses
    )
    return table(("series", "kind", "means", "labels"), rows)


def alerts() -> str:
    """What wakes somebody, and what is to be done then."""
    return table(("alert", "severity", "says", "what to do"), _alerts())


def _alerts() -> Iterator[list[str]]:
    rules = YAML(typ="safe", pure=True).load(RULES.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                yield _alert(rule)


def _alert(rule: dict[str, Any]) -> list[str]:
    said = SUMMARY.sub("", rule["annotations"]["summary"])
    plain = re.sub(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}", r"*\1*", said)
    return [
        code(rule["alert"]),
        rule["labels"]["severity"],
        sentence(plain),
        rule["annotations"]["action"],
    ]


def _name(metric: Metric) -> str:
    return metric.name + {"counter": "_total", "info": "_info"}.get(metric.type, "")


def _labels(metric: Metric) -> str:
    values: dict[str, dict[str, None]] = {}
    for sample in metric.samples:
        for label, value in sample.labels.items():
            if label not in TOLD_ELSEWHERE:
                values.setdefault(label, {})[value] = None
    return "; ".join(f"`{label}`: {', '.join(found)}" for label, found in values.items())
