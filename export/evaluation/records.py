"""What an evaluation keeps of every case: on disk as soon as it is known, so that it can go on.

One folder per evaluation: `<case>.json`, written last, says that `<case>.npz` is complete.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from voxgate.export.evaluation.metrics.labelled_volume import LabelledVolume
from voxgate.export.evaluation.metrics.objects import SceneObjects
from voxgate.export.evaluation.metrics.pixels import LabelledPicture
from voxgate.runtime.errors import ScanError

SCHEMA = 1
Arrays = Mapping[str, npt.NDArray[Any]]


class DefectRecord(BaseModel):
    """One true defect: the highest score on it, and its size."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: int
    type: str | None = None
    peak: float
    voxels: int


class CaseRecord(BaseModel):
    """One case: what was said and what is true.

    score: the part's or picture's, 0 where nothing could be said; scorer: its classifier's;
    rules: part score by fusion rule; stage_ms: every passage through a stage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: int = SCHEMA
    key: str
    name: str
    part: str
    kind: str
    anomalous: bool
    score: float
    scorer: float | None = None
    outcome: str | None = None
    reasons: tuple[str, ...] = ()
    coverage: float | None = None
    defects: tuple[DefectRecord, ...] = ()
    rules: dict[str, float] = {}
    stage_ms: dict[str, list[float]] = {}
    seconds: float


def case_key(*parts: object) -> str:
    """What a record must have been made from to be used again."""
    return hashlib.sha256(json.dumps([SCHEMA, *map(str, parts)]).encode()).hexdigest()


def stamp(folder: Path) -> str:
    """Changes when a file of the case does: names, sizes and times, no content."""
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    seen = [(p.name, s.st_size, s.st_mtime_ns) for p in files for s in [p.stat()]]
    return hashlib.sha256(repr(seen).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of one evaluation."""

    folder: Path

    def find(self, name: str, key: str) -> CaseRecord | None:
        """The record, if it is there, whole, and made from the same things."""
        try:
            record = CaseRecord.model_validate_json(self._json(name).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return record if record.key == key and zipfile.is_zipfile(self._npz(name)) else None

    def put(self, record: CaseRecord, arrays: Arrays) -> None:
        """Write both files, each complete or not at all. Raises ScanError."""
        npz, text = self._npz(record.name), self._json(record.name)
        try:
            npz.parent.mkdir(parents=True, exist_ok=True)
            partial = npz.with_suffix(".partial")
            with partial.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **arrays)
            partial.replace(npz)
            partial.write_text(record.model_dump_json() + "\n", "utf-8")
            partial.replace(text)
        except OSError as error:
            raise ScanError(f"{npz}: cannot be written: {error.strerror}") from error

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays of a case."""
        with np.load(self._npz(name), allow_pickle=False) as file:
            return dict(file.items())

    def _npz(self, name: str) -> Path:
        return self._json(name).with_suffix(".npz")

    def _json(self, name: str) -> Path:
        return self.folder / f"{name}.json"


@dataclass(frozen=True, slots=True)
class StoredVolumes(Sequence[LabelledVolume]):
    """Volumes of some cases, read from disk each time: memory holds one. rule: of fusion."""

    store: Store
    names: tuple[str, ...]
    rule: str = "scores"

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> LabelledVolume: ...
    @overload
    def __getitem__(self, at: slice) -> StoredVolumes: ...
    def __getitem__(self, at: int | slice) -> LabelledVolume | StoredVolumes:
        if isinstance(at, slice):
            return StoredVolumes(self.store, self.names[at], self.rule)
        arrays = self.store.arrays(self.names[at])
        return LabelledVolume(arrays[self.rule], arrays["defect_ids"])

    def __iter__(self) -> Iterator[LabelledVolume]:
        return (self[at] for at in range(len(self)))


@dataclass(frozen=True, slots=True)
class StoredPictures(Sequence[LabelledPicture]):
    """Pictures of some cases, read from disk each time."""

    store: Store
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> LabelledPicture: ...
    @overload
    def __getitem__(self, at: slice) -> StoredPictures: ...
    def __getitem__(self, at: int | slice) -> LabelledPicture | StoredPictures:
        if isinstance(at, slice):
            return StoredPictures(self.store, self.names[at])
        arrays = self.store.arrays(self.names[at])
        return LabelledPicture(arrays["score"], arrays["defect"], arrays.get("part"))

    def __iter__(self) -> Iterator[LabelledPicture]:
        return (self[at] for at in range(len(self)))


def scene_of(arrays: Arrays) -> SceneObjects:
    """A stored scene, as its metrics take it. Raises ValueError when its arrays do not fit."""
    return SceneObjects(arrays["boxes"], arrays["odd"], arrays["found"], arrays["score"])
