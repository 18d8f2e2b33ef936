"""How an anomalib model's pictures were prepared: in its words, as its transform, in ours.

A checkpoint of anomalib 2.7 says it as plain data. One of 2.0 to 2.6 says that it had the class's
own pre-processor, which was the same then, or holds the one it was given as an object, which is
read as a record. One that is silent is told by the user (`--prepared-px`), or refused: a model that
sees its pictures prepared otherwise still gives a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from voxgate.export.features.preprocessing import INTERPOLATIONS, Interpolation, Size
from voxgate.export.features.stand_ins import Record
from voxgate.export.features.weights_file import UNREADABLE
from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import EngineError

if TYPE_CHECKING:
    from anomalib.pre_processing import PreProcessor

TRANSFORMS = "torchvision.transforms.v2."
PASSING = ("ToImage", "ToPureTensor", "Identity")  # pictures are tensors in 0..1 already
SAY = "say --prepared-px SIDE, the square that they were resized to before they were normalised"


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What the checkpoint's pre-processor does to a picture in 0..1, read from its own words.

    crop_px: the middle of the resized picture that the model sees; None: all of it.
    """

    resize_px: Size
    antialias: bool
    mean: tuple[float, ...] | None
    std: tuple[float, ...]
    interpolation: Interpolation = "bilinear"
    crop_px: Size | None = None


def spec_in(
    content: Mapping[str, Any],
    path: Path,
    default: Callable[[], PreProcessor],
    prepared_px: int | None,
) -> Any:
    """anomalib's words for the transform. Raises EngineError where nothing says it, or two things
    do and differ."""
    told = _told(content, path, default)
    if prepared_px is None:
        if told is None:
            raise EngineError(f"{path}: does not say how its pictures were prepared: {SAY}")
        return told
    side = (prepared_px, prepared_px)
    if told is None:
        return with_size(spec_of(default().transform), side)
    own = preprocess_of(told, path).resize_px
    if own != side:
        raise EngineError(
            f"{path}: says that its pictures were resized to {own[0]} x {own[1]} px, --prepared-px "
            f"{prepared_px}: leave it out"
        )
    return told


def _told(content: Mapping[str, Any], path: Path, default: Callable[[], PreProcessor]) -> Any:
    """What the checkpoint itself says; None: nothing."""
    enabled = (content.get("anomalib_components_enabled") or {}).get("pre_processor")
    built = content.get("hyper_parameters") or {}
    given = built.get("pre_processor") if isinstance(built, Mapping) else None
    if enabled is False or given is False:
        raise EngineError(
            f"{path}: was trained without anomalib's pre-processor, so nothing says how its "
            "pictures were resized and normalised: train it with one"
        )
    config = content.get("anomalib_pre_processor_config")
    if config is not None:
        return _saved(config["transform"], path)
    if isinstance(given, Record):
        return _saved(_recorded(given.part("transform")), path)
    return spec_of(default().transform) if enabled or given is True else None


def _saved(spec: Any, path: Path) -> Any:
    if spec is None:
        raise EngineError(
            f"{path}: anomalib could not save its pre-processor's transform: train it with "
            "Resize and Normalize only"
        )
    return spec


def _recorded(transform: Any) -> Any:
    """anomalib's words for a transform that was stored as an object of torchvision's."""
    if not isinstance(transform, Record):
        return None
    if transform.of == "Compose":
        steps = [_recorded(step) for step in transform.part("transforms") or ()]
        return {"class_path": f"{TRANSFORMS}Compose", "init_args": {"transforms": steps}}
    names = {"Resize": ("size", "antialias", "max_size"), "Normalize": ("mean", "std")}
    names["CenterCrop"] = ("size",)
    arguments = {name: transform.part(name) for name in names.get(transform.of, ())}
    lists = {n: list(v) if isinstance(v, tuple) else v for n, v in arguments.items()}
    if transform.of == "Resize":
        lists["interpolation"] = _name_of(transform.part("interpolation"))
    return {"class_path": f"{TRANSFORMS}{transform.of}", "init_args": lists}


def _name_of(interpolation: Any) -> str:
    """Of an enumeration's member, as a record of its value or as itself."""
    if isinstance(interpolation, Record):
        return str(interpolation.arguments[0] if interpolation.arguments else "unknown")
    return str(getattr(interpolation, "value", interpolation))


def spec_of(transform: Any) -> Any:
    """anomalib's words for a transform."""
    from anomalib.pre_processing.utils.spec import transform_to_spec

    return transform_to_spec(transform)


def transform_of(spec: Any, path: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """anomalib's own transform. Raises EngineError."""
    from anomalib.pre_processing.utils.spec import spec_to_transform

    try:
        found: Callable[[torch.Tensor], torch.Tensor] = spec_to_transform(spec)
    except UNREADABLE as error:
        raise EngineError(f"{path}: its pre-processor: {one_line(error)}") from error
    return found


def with_size(spec: Any, side: tuple[int, int]) -> Any:
    """The same steps with another Resize."""
    changed = deepcopy(spec)
    for step in _steps(changed):
        if step["class_path"].endswith(".Resize"):
            step["init_args"]["size"] = list(side)
    return changed


def without_crop(spec: Any) -> Any:
    """The same steps on all of the resized picture."""
    steps = [step for step in _steps(spec) if not step["class_path"].endswith(".CenterCrop")]
    return {"class_path": f"{TRANSFORMS}Compose", "init_args": {"transforms": steps}}


def preprocess_of(spec: Any, path: Path) -> Preprocess:
    """The same in our words. Raises EngineError for steps that the graph does not have."""
    resized: tuple[Size, bool, Interpolation] | None = None
    crop_px: Size | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    for step in _steps(spec):
        kind, arguments = step["class_path"].rpartition(".")[2], step.get("init_args", {})
        if kind == "Resize":
            if resized is not None:
                raise EngineError(
                    f"{path}: its pre-processor resizes twice, which the graph does not: train it "
                    "with one Resize"
                )
            resized = _resized(arguments, path)
        elif kind == "Normalize":
            mean, std = _normalised_again(mean, std, arguments["mean"], arguments["std"])
        elif kind == "CenterCrop":
            crop_px = _cropped(arguments, resized and resized[0], path)
        elif kind not in PASSING:
            raise EngineError(f"{path}: its pre-processor does {kind}: Resize and Normalize only")
    if resized is None:
        raise EngineError(f"{path}: its pre-processor does not resize: train it with Resize")
    size, antialias, interpolation = resized
    crop_px = None if crop_px == size else crop_px  # all of it
    return Preprocess(size, antialias, mean, std, interpolation, crop_px)


def unproven_border(path: Path, size: Any) -> EngineError:
    """For a model that has no word for what lies outside of a crop."""
    return EngineError(
        f"{path}: its pre-processor crops the picture to {size}: what lies outside would be "
        "unproven; train it without the crop"
    )


def _normalised_again(
    mean: tuple[float, ...] | None, std: tuple[float, ...], further_mean: Any, further_std: Any
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """((x - m) / s - m') / s' is (x - (m + s m')) / (s s')."""
    first = mean or (0.0,) * len(std)
    means = (m + s * more for m, s, more in zip(first, std, further_mean, strict=True))
    return tuple(means), tuple(s * more for s, more in zip(std, further_std, strict=True))


def _steps(transform: Any) -> list[dict[str, Any]]:
    """Of nested ones the innermost, in their order."""
    if not transform["class_path"].endswith(".Compose"):
        return [transform]
    return [step for inner in transform["init_args"]["transforms"] for step in _steps(inner)]


def _resized(arguments: Mapping[str, Any], path: Path) -> tuple[Size, bool, Interpolation]:
    size, interpolation = arguments.get("size"), arguments.get("interpolation", "bilinear")
    if interpolation not in INTERPOLATIONS or arguments.get("max_size"):
        raise EngineError(
            f"{path}: its pre-processor resizes other than bilinear or bicubic to a fixed size"
        )
    if not (isinstance(size, (list, tuple)) and len(size) == 2):
        raise EngineError(f"{path}: its pre-processor resizes to {size}: height and width needed")
    antialias = bool(arguments.get("antialias", True))
    return (int(size[0]), int(size[1])), antialias, interpolation


def _cropped(arguments: Mapping[str, Any], whole: Size | None, path: Path) -> Size:
    """The crop of a picture that is `whole` then. Raises EngineError where it is not yet resized,
    or no larger than the crop."""
    size = arguments.get("size")
    sides: list[Any] = [*size] if isinstance(size, (list, tuple)) else [size, size]
    if whole is None or len(sides) != 2 or not all(isinstance(side, int) for side in sides):
        raise unproven_border(path, size)
    crop = int(sides[0]), int(sides[1])
    if crop[0] > whole[0] or crop[1] > whole[1]:
        raise EngineError(f"{path}: its pre-processor crops {whole} px to {crop}, which is larger")
    return crop
