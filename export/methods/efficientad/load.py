"""EfficientAD (Batzner et al., WACV 2024), S and M, at any input size: which form is exported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from anomalib.models import EfficientAd
from anomalib.models.image.efficient_ad.torch_model import EfficientAdModel, EfficientAdModelSize

from voxgate.export.features.anomalib_checkpoint import anomalib_checkpoint
from voxgate.export.features.model_file import check_as_learnt
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.inputs import size_px
from voxgate.export.methods.efficientad.model_file import METHOD, read_networks, was_trained_here
from voxgate.export.methods.efficientad.public import public_source, trained_source
from voxgate.export.methods.from_anomalib import AnomalibNetwork, anomalib_source, filled
from voxgate.export.source import Source
from voxgate.runtime.errors import EngineError

LEAST_PX = 256  # below, the autoencoder has fewer pixels than its code looks at


@dataclass(frozen=True, slots=True)
class EfficientAdOptions:
    """Either a checkpoint, of `voxgate train` or of anomalib, or three files of the public
    implementation.

    input_px: side of the square that the networks see; None: the checkpoint's, 256 for the public
    ones. normalisation: .npz with mean, std (c,), q_st, q_ae (2,); None: from the golden scan.
    teacher_normalisation: SiM3D (S.6) leaves it out, as there is no validation set.
    """

    checkpoint: Path | None = None
    teacher: Path | None = None
    student: Path | None = None
    autoencoder: Path | None = None
    normalisation: Path | None = None
    input_px: int | None = None
    prepared_px: int | None = None
    teacher_normalisation: bool = True


def load_efficientad(golden: Golden, options: EfficientAdOptions) -> Source:
    """Raises EngineError for files that do not fit together."""
    public = (options.teacher, options.student, options.autoencoder)
    if (options.checkpoint is None) == (None in public):
        raise EngineError(
            "efficientad takes either --checkpoint, or --teacher, --student and --autoencoder"
        )
    if options.input_px is not None and options.input_px < LEAST_PX:
        raise EngineError(f"the input must be at least {LEAST_PX} px, got {options.input_px}")
    if options.checkpoint is not None and was_trained_here(options.checkpoint):
        trained = read_networks(options.checkpoint)
        words = {"input_px": ("--input-px", trained.side)}
        check_as_learnt(options.checkpoint, options, words, held=["normalisation", "prepared_px"])
        return trained_source(golden, options.checkpoint, trained)
    if options.checkpoint is not None:
        return _from_anomalib(golden, options.checkpoint, options)
    return public_source(
        golden,
        [file for file in public if file is not None],
        options.input_px or LEAST_PX,
        options.normalisation,
        options.teacher_normalisation,
    )


def _from_anomalib(golden: Golden, path: Path, options: EfficientAdOptions) -> Source:
    default = EfficientAd.configure_pre_processor
    read = anomalib_checkpoint(path, METHOD, default, options.prepared_px)
    if options.input_px is not None:
        read = read.resized(options.input_px)
    built = read.hyper_parameters
    model = EfficientAdModel(
        teacher_out_channels=built.get("teacher_out_channels", 384),
        model_size=EfficientAdModelSize(built.get("model_size", EfficientAdModelSize.S)),
        padding=built.get("padding", False),
        pad_maps=built.get("pad_maps", True),
    )
    model = filled(model, read)
    network = AnomalibNetwork(model, read.preprocess, size_px(golden))
    source = anomalib_source(
        METHOD, model, read, golden, network=network, keep_float32=("model.ae.decoder",)
    )
    return replace(source, input_px=read.preprocess.resize_px[0])
