"""The one place that imports genicam and harvesters, after what their wheels ask for is there.

Raises CameraError at import when they do not load.
"""

from __future__ import annotations

import warnings

from voxgate.runtime.cameras.genicam.libpython import provide_libpython
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import CameraError

__all__ = [
    "Callback",
    "Harvester",
    "ParameterKey",
    "ParameterSet",
    "dict_by_ints",
    "genapi",
    "gentl",
]

provide_libpython()
with warnings.catch_warnings():  # SWIG's own; and harvesters changes the filters of its importer
    warnings.simplefilter("ignore")
    try:
        from genicam import genapi, gentl
        from harvesters.core import Callback, Harvester, ParameterKey, ParameterSet
        from harvesters.util.pfnc import dict_by_ints
    except ImportError as error:
        raise CameraError(
            f"GenICam's libraries do not load ({one_line(error)}): voxgate doctor says what helps"
        ) from error
