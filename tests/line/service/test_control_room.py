"""Rules and dashboard speak of series that exist, and a real Prometheus answers with them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.kits.cell_kit import ServiceProcess, until, write_cell
from tests.kits.good_part import is_good, stop
from tests.kits.needs import needs_prometheus
from tests.kits.repository import ROOT
from tests.kits.robot_kit import Robot
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.telemetry.metrics import Metrics
from voxgate.runtime.wire.fields import State

PROMETHEUS = ROOT / "configs/prometheus"
RULES = PROMETHEUS / "voxgate.rules.yml"
DASHBOARD = ROOT / "configs/grafana/voxgate.json"
JOBS = 5
PLAYED = sorted(PROMETHEUS.glob("*.test.yml"))


def rules() -> list[dict[str, str]]:
    groups = YAML(typ="safe").load(RULES)["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    """Every query of the rules and of the dashboard."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*(rule["expr"] for rule in rules()), *shown]


def test_no_query_asks_for_a_series_that_is_not_there() -> None:
    registry = Metrics("bracket-1", ("cam0",)).registry
    known = {
        name
        for family in registry.collect()
        for name in (family.name, *(f"{family.name}_{end}" for end in ("total", "bucket", "count")))
    } | {rule["record"] for rule in rules() if "record" in rule}
    for expression in expressions():
        for name in re.findall(r"(?:instance:)?(?:voxgate|process)_[a-z0-9_:]+", expression):
            assert name in known, expression


def test_an_alert_is_played_by_no_test() -> None:
    named = {name for file in PLAYED for name in re.findall(r"VoxGate\w+", file.read_text())}
    assert named == {rule["alert"] for rule in rules() if "alert" in rule}


def promtool(*arguments: str | Path) -> None:
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_prometheus_does_not_understand_the_rules() -> None:
    promtool("check", "rules", RULES)


@needs_prometheus
@pytest.mark.nightly
def test_every_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", *PLAYED)


@pytest.fixture
def ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


@pytest.fixture
def prometheus(folder: Path, ports: tuple[int, int]) -> Iterator[str]:
    """A real one that scrapes the cell; its address."""
    config = YAML(typ="safe").load(PROMETHEUS / "scrape.example.yml")
    (job,) = config["scrape_configs"]
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{ports[0]}"]
    job["scrape_interval"] = "200ms"
    config["global"] = {"evaluation_interval": "200ms"}
    shutil.copy(RULES, folder)
    with (folder / "prometheus.yml").open("w") as file:
        YAML().dump(config, file)
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{ports[1]}",
            "--enable-feature=exemplar-storage",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{ports[1]}/api/v1"
    process.kill()
    process.wait()


def asked(url: str, what: str, **parameters: str) -> list[dict[str, Any]]:
    """The data of an answer; [] while the server is not up."""
    query = urllib.parse.urlencode(parameters)
    try:
        with urllib.request.urlopen(f"{url}/{what}?{query}", timeout=10) as answer:
            data = json.load(answer)["data"]
    except OSError:
        return []
    found: list[dict[str, Any]] = data["result"] if isinstance(data, dict) else data
    return found


def play(robot: Robot, job_id: str) -> Outcome:
    """What becomes of a good part."""
    robot.start_job(job_id)
    for _ in range(3):
        robot.expose()
    verdict = stop(robot, job_id)
    assert is_good(verdict)
    return verdict.outcome


@needs_prometheus
def test_prometheus_scrapes_jobs_and_tells_the_p99(
    folder: Path, ports: tuple[int, int], prometheus: str
) -> None:
    cell = write_cell(folder, metrics={"enabled": True, "port": ports[0]})
    service = ServiceProcess(cell).start()
    try:
        with Robot(folder) as robot:
            robot.send_poses()
            robot.wait_for(State.READY)
            robot.send_poses_for_a_while()
            until(
                lambda: asked(prometheus, "query", query='voxgate_verdicts_total{outcome="PASS"}'),
                "the first scrape",
            )
            outcomes = Counter(play(robot, f"job-{number}") for number in range(JOBS))

            def passed() -> bool:
                found = asked(prometheus, "query", query='voxgate_verdicts_total{outcome="PASS"}')
                return bool(found) and found[0]["value"][1] == str(outcomes[Outcome.PASS])

            until(passed, "all jobs in Prometheus")
            record = "instance:voxgate_last_exposure_to_verdict_seconds:p99_10m"

            def p99() -> float | None:
                found = asked(prometheus, "query", query=record)
                value = float(found[0]["value"][1]) if found else float("nan")
                return value if value > 0 else None

            assert 0 < until(p99, "the p99") < 10
            exemplars = asked(
                prometheus,
                "query_exemplars",
                query="voxgate_job_seconds_bucket",
                start="0",
                end="99999999999",
            )
            jobs = {e["labels"]["job_id"] for found in exemplars for e in found["exemplars"]}
            assert jobs <= {f"job-{number}" for number in range(JOBS)}
            assert jobs
    finally:
        service.kill_if_left()
