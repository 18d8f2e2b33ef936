"""The course of MVTec 3D-AD's autoencoder and f-AnoGAN: samples, constants, what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxgate.export.golden.golden import Golden
from voxgate.export.golden.turned import MOST_DEG, TIMES
from voxgate.export.methods.mvtec.inputs import far_mm, golden_cube
from voxgate.export.methods.mvtec.model_file import TrainedPair, write_pair
from voxgate.export.progress import Progress
from voxgate.export.training.reconstruction import CONSTANTS, EPOCHS, Anogan, Autoencoder
from voxgate.export.training.samples import Samples, depth_samples, voxel_samples
from voxgate.export.training.train import Course
from voxgate.runtime.errors import EngineError


@dataclass(frozen=True, slots=True)
class ReconstructionTraining:
    """method: autoencoder or anogan. times: copies of each sample that are turned."""

    method: str
    volume: bool = False
    colour: bool = False
    epochs: int = EPOCHS
    times: int = TIMES

    def open(self, goldens: Sequence[Golden], seed: int, on_progress: Progress) -> Course:
        """Turn the part, and begin. Raises ScanError."""
        on_progress(0, 1, "turn the part")
        far = None if self.volume else far_mm(goldens[0])
        cube = golden_cube(goldens[0]) if self.volume else None
        if far is None:
            samples = voxel_samples(goldens, self.colour, seed, self.times)
        else:
            samples = depth_samples(goldens, far, self.colour, seed, self.times)
        learner = self._learner(samples)

        def write(path: Path, record: Mapping[str, Any]) -> None:
            _check_whole(learner, record["epochs"])
            networks = (part.state_dict() for part in (learner.encoder, learner.decoder))
            encoder, decoder = ({n: t.cpu() for n, t in state.items()} for state in networks)
            write_pair(
                path,
                TrainedPair(
                    self.method, self.volume, self.colour, far, cube, encoder, decoder, record
                ),
            )

        return Course(learner, self._record(samples), write)

    def _learner(self, samples: Samples) -> Autoencoder | Anogan:
        constants = CONSTANTS[self.method, self.volume]
        made = Autoencoder if self.method == "autoencoder" else Anogan
        return made(samples, self.volume, constants, self.epochs)

    def _record(self, samples: Samples) -> dict[str, Any]:
        constants = CONSTANTS[self.method, self.volume]
        return {
            "shape": "voxel" if self.volume else "depth",
            "colour": self.colour,
            "samples": len(samples.learnt),
            "held back": len(samples.held),
            "turned": f"{self.times} times by up to {MOST_DEG:g} degrees",
            "code": constants.latent,
            "learning rate": constants.rate,
            "batch": constants.batch,
            "epochs asked": self.epochs,
            "source": "MVTec 3D-AD, section 4.1 and appendix",
        }


def _check_whole(learner: Autoencoder | Anogan, epochs: int) -> None:
    """Raises EngineError for an encoder as chance made it."""
    if isinstance(learner, Anogan) and epochs <= learner.of_gan:
        raise EngineError(
            f"after {epochs} of {learner.of_gan} epochs of the generator the encoder is not begun: "
            "the same command with more --minutes goes on from here; or begin with fewer --epochs"
        )
