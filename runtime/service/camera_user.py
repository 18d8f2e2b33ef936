"""Which user a camera's driver runs as: one of its own where the service is told how, else ours."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from voxgate.runtime.cameras.launched_process import LAUNCHER_VARIABLE
from voxgate.runtime.config.cameras import GenicamCamera
from voxgate.runtime.config.sections import CellConfig

log = logging.getLogger(__name__)


def launcher_of(config: CellConfig) -> Path | None:
    """Who starts drivers, as systemd's unit says; None: nobody, and the log says what that means.

    Where it is named but does not answer the camera is lost: no driver gets more than it should.
    """
    launcher = os.environ.get(LAUNCHER_VARIABLE)
    if launcher:
        return Path(launcher)
    drivers = [each.producer.name for each in config.devices if isinstance(each, GenicamCamera)]
    for driver in dict.fromkeys(drivers):
        log.warning(
            "%s runs as this user (%d) and may read what it may, its keys too: "
            "systemd/install.sh gives drivers a user of their own",
            *(driver, os.geteuid()),
        )
    return None
