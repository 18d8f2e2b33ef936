"""How the line of a recorded job placed and inspected: what a replay must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import ValidationError

from voxgate.runtime.common.explain import first_finding
from voxgate.runtime.common.strict_json import Fields
from voxgate.runtime.config.limits import Limits
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.errors import ScanError
from voxgate.runtime.sync.stamps import Stamps, sensor_stamps, stamps

MOST_NS = 10_000_000_000  # that a recording may name as a gap or an error of PTP
MOST_THREADS = 64


@dataclass(frozen=True, slots=True)
class Line:
    """settings: of the inspection; stamps: which clocks the frames of each camera were stamped by,
    and those of a sensor beside one."""

    settings: Settings
    stamps: Mapping[str, Stamps]
    sensor_stamps: Stamps | None = None

    @classmethod
    def from_config(cls, config: CellConfig) -> Line:
        """As the service of this cell does it."""
        return cls(Settings.from_config(config), stamps(config), sensor_stamps(config))

    @classmethod
    def recorded(cls, values: Mapping[str, object]) -> Line:
        """As the header of a recording says. Raises ScanError."""
        fields = Fields(values)
        try:
            limits = Limits.model_validate(fields.object_at("limits").values)
            settings = Settings(
                limits=limits,
                max_gap_ns=fields.integer("max_gap_ns", 1, MOST_NS),
                backend=fields.text("backend"),
                threads=fields.integer("threads", 1, MOST_THREADS),
            )
            beside = fields.object_at("sensor") if fields.has("sensor") else None
            each = fields.object_at("cameras") if fields.has("cameras") else None
            names = {"": fields} if each is None else {n: each.object_at(n) for n in each.values}
            stamps = {name: _stamps(own) for name, own in names.items()}
            return cls(settings, stamps, None if beside is None else _stamps(beside))
        except ValidationError as error:
            raise ScanError(f"the recorded limits: {first_finding(error)}") from error
        except ValueError as error:
            raise ScanError(f"the recorded settings: {error}; give --config") from error

    def values(self) -> dict[str, object]:
        """For the header of a recording, as plain JSON values."""
        several = {name: asdict(stamps) for name, stamps in self.stamps.items()}
        return {
            "limits": self.settings.limits.model_dump(),
            "max_gap_ns": self.settings.max_gap_ns,
            **asdict(next(iter(self.stamps.values()))),
            **({"cameras": several} if len(several) > 1 else {}),
            "sensor": None if self.sensor_stamps is None else asdict(self.sensor_stamps),
            "backend": self.settings.backend,
            "threads": self.settings.threads,
        }


def _stamps(fields: Fields) -> Stamps:
    shared = fields.integer("shared_ns", 1, MOST_NS) if fields.has("shared_ns") else None
    return Stamps(fields.values.get("on_arrival") is True, shared)
