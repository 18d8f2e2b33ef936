"""Seeded models in each method's published form: files as a user would bring them, made here."""

from __future__ import annotations

from dataclasses import dataclass

MODULES = (
    "patchcore",
    "efficientad",
    "reverse_distillation",
    "fastflow",
    "padim",
    "btf",
    "cfm",
    "m3dm",
    "omnipose",
    "variation",
    "autoencoder",
    "anogan",
    "onnx",
)
"""One module per command, each with `cases(folder, scan) -> list[Case]`, in the README's order."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to export: `voxgate export <arguments> --scan GOLDEN --out RECIPE`.

    small: whether it is quick enough for the tests (a few seconds on two cores at 200 x 150 px).
    source: what the user brings, in a few words, for the table.
    """

    name: str
    arguments: tuple[str, ...]
    small: bool = True
    source: str = ""
