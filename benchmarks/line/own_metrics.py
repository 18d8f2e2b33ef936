"""What the service itself tells Prometheus of what is measured from outside."""

from __future__ import annotations

from urllib.request import urlopen

from voxgate.sim.box import Box


def own_metrics(box: Box, prefix: str) -> dict[str, float]:
    """Value by name and labels, of the metrics whose names begin so."""
    config = box.config.metrics
    with urlopen(f"http://{config.host}:{config.port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if line.startswith(prefix))
    return {name: float(value) for name, value in rows}
