"""One way to export a seeded model, and which methods have some."""

from __future__ import annotations

from dataclasses import dataclass

MODULES = (
    "patchcore",
    "efficientad",
    "reverse_distillation",
    "fastflow",
    "supersimplenet",
    "tokens.dinomaly",
    "tokens.inp_former",
    "uninet",
    "tokens.anomaly_dino",
    "padim",
    "btf",
    "cfm",
    "m3dm",
    "sets.modmap",
    "omnipose",
    "variation",
    "autoencoder",
    "anogan",
    "onnx",
)
"""One module per command, each with `cases(folder, scan) -> list[Case]`, in the README's order."""


def at(threshold: float) -> tuple[str, ...]:
    """A raw threshold: seeded weights find nothing stranger than the golden part by far, so that
    the one that follows from it would be out of reach, and refused."""
    return "--threshold", str(threshold)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to export: `voxgate export <arguments> --scan GOLDEN --out RECIPE`.

    small: a model for tests, not of the published size.
    slow: takes minutes even so, and waits for the night.
    source: what the user brings, in a few words, for the table.
    """

    name: str
    arguments: tuple[str, ...]
    small: bool = True
    slow: bool = False
    source: str = ""
