"""The two mappings of CFM, in every form they were saved in, as anomalib's module."""

from __future__ import annotations

from pathlib import Path

from anomalib.models.image.cfm.components import FeatureProjectionMLP
from torch import nn

from voxgate.export.features.checkpoint import State, load_state, load_weights
from voxgate.runtime.errors import EngineError

TO_SHAPE, TO_PICTURE = "rgb_to_xyz_mapper.", "xyz_to_rgb_mapper."  # in an anomalib checkpoint

Files = tuple[Path, Path]
"""To shape and to picture; twice the same: a checkpoint that holds both."""


def given_files(
    picture_to_shape: Path | None, shape_to_picture: Path | None, checkpoint: Path | None
) -> Files:
    """Raises EngineError unless exactly one form is given."""
    if checkpoint is not None and picture_to_shape is None and shape_to_picture is None:
        return checkpoint, checkpoint
    if checkpoint is None and picture_to_shape is not None and shape_to_picture is not None:
        return picture_to_shape, shape_to_picture
    raise EngineError("cfm takes either --checkpoint, or --picture-to-shape and --shape-to-picture")


def saved_states(files: Files) -> tuple[State, State]:
    """The layers of the two mappings. Raises EngineError."""
    if files[0] != files[1]:
        first, second = (load_weights(file, "a mapping of CFM") for file in files)
        return first, second
    state = load_weights(files[0], "an anomalib checkpoint of CFM")
    state = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    return below(state, TO_SHAPE), below(state, TO_PICTURE)


def below(state: State, prefix: str) -> State:
    """The layers of one part of a model, by their names within it."""
    return {n.removeprefix(prefix): tensor for n, tensor in state.items() if n.startswith(prefix)}


def filled_mappings(
    states: tuple[State, State], files: Files, widths: tuple[int, int]
) -> tuple[nn.Module, nn.Module]:
    """widths: of what is seen of the picture and of the shape. Raises EngineError."""
    picture, shape = widths
    return (
        _mapping(states[0], files[0], picture, shape),
        _mapping(states[1], files[1], shape, picture),
    )


def _mapping(state: State, path: Path, given: int, found: int) -> nn.Module:
    """anomalib's module, filled from linear layers or convolutions of one pixel."""
    weight = state.get("input.weight")
    if weight is None:
        raise EngineError(f"{path}: has no layer input.weight: is it a mapping of CFM?")
    last = state.get("output.weight", weight)
    if (weight.shape[1], last.shape[0]) != (given, found):
        raise EngineError(
            f"{path}: maps {weight.shape[1]} features to {last.shape[0]}, but {given} and {found} "
            "are seen: choose the backbone and --shape it was trained with (1152 is Point-MAE's: "
            "--shape point-mae)"
        )
    mapping = FeatureProjectionMLP(given, found)
    shaped = {n: t[:, :, None, None] if t.ndim == 2 else t for n, t in state.items()}
    load_state(mapping, shaped, path)
    return mapping.eval().requires_grad_(False)
