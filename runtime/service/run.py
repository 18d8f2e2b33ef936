"""`voxgate run`: a cell's YAML in, served until a signal ends it, the exit code out."""

from __future__ import annotations

import logging
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import zmq

from voxgate.runtime.cameras.from_config import load_calibrations
from voxgate.runtime.common.clock import HOST_CLOCK, Clock
from voxgate.runtime.config.cell import Cell, load_cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.jobs.part_inspector import Prepare
from voxgate.runtime.records.evidence_store import EvidenceStore
from voxgate.runtime.records.no_evidence import Evidence, NoEvidence
from voxgate.runtime.scans.part_files import PartFiles
from voxgate.runtime.service.doors import open_doors
from voxgate.runtime.service.nap import Nap
from voxgate.runtime.service.service import Service
from voxgate.runtime.service.wake import Wake
from voxgate.runtime.station.prepare import preparer
from voxgate.runtime.telemetry.logs import set_up

log = logging.getLogger(__name__)

DESCRIPTORS = (
    16_384  # connections at their limits take some hundreds, recordings and cameras some tens
)
SWITCH_S = 0.001  # the loop stamps poses while the inspection thread computes


def run_service(config: Path) -> int:
    """Serve the cell in `config` until SIGTERM or SIGINT; the exit code.

    Raises ConfigError, CalibrationError, ServiceError: one line, nothing was started.
    """
    cell = load_cell(config)
    set_up(cell.config.log.level)
    calibrations = load_calibrations(cell.config)
    for name, calibration in calibrations.items():
        if calibration.forced:
            log.warning(
                "%s: written by --force although %s missed its limits",
                cell.config.calibrations[name],
                ", ".join(calibration.forced),
            )
    return serve(cell, calibrations, preparer(cell.config, calibrations))


def serve(
    cell: Cell,
    calibrations: Mapping[str, Calibration],
    prepare: Prepare,
    evidence: Callable[[Wake], Evidence] | None = None,
    clock: Clock = HOST_CLOCK,
) -> int:
    """Serve with `prepare` as the maker of inspectors; ends by signal. Raises ServiceError.

    evidence: makes another store of recordings than the configuration's.
    """
    sys.setswitchinterval(SWITCH_S)
    _have_descriptors()
    wake = Wake()
    try:
        wake.on_signals()
        make = evidence or (lambda wake: _configured(cell.config, wake, clock))
        service = Service(
            *(cell, calibrations, wake, clock),
            lambda stack: open_doors(stack, cell, calibrations, prepare, make, wake, clock),
            zmq.Poller(),
            Nap(),
        )
        try:
            service.run()
        finally:
            clean = service.close()
    finally:
        wake.close()
    return 0 if clean else 1


def _have_descriptors() -> None:
    """As many as the system gives: of the usual 1,024 a crowd of connections leaves none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _configured(config: CellConfig, wake: Wake, clock: Clock) -> Evidence:
    """The recordings that the configuration asks for."""
    if config.evidence is None or not config.evidence.enabled:
        return NoEvidence()
    try:
        part = PartFiles.of(config.calibrations)
    except OSError as error:
        raise ServiceError(f"{error.filename}: {error.strerror}") from error
    return EvidenceStore.of(config.evidence, part, wake.call, clock)
