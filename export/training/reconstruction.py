"""The autoencoder and f-AnoGAN of MVTec 3D-AD as its appendix trains them, depth and voxels.

Adam with torch's own moments, as the appendix names none; 50 epochs each, the encoder of f-AnoGAN
another 50 after its generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from voxgate.export.methods.mvtec.networks import Stack, decoder, encoder
from voxgate.export.training.loop import DEVICE, Losses, restore_states, states
from voxgate.export.training.samples import Samples

EPOCHS = 50
PENALTY = 10.0  # weight of the critic's gradient
CRITIC_STEPS = 5  # for each of the generator


@dataclass(frozen=True, slots=True)
class Constants:
    """Of one method and shape: the appendix, and the best row of its table 4."""

    latent: int
    rate: float
    batch: int


CONSTANTS = {
    ("autoencoder", False): Constants(latent=512, rate=1e-4, batch=32),
    ("autoencoder", True): Constants(latent=128, rate=1e-4, batch=2),
    ("anogan", False): Constants(latent=128, rate=2e-4, batch=4),
    ("anogan", True): Constants(latent=512, rate=2e-4, batch=2),
}
"""(method, whether voxels) -> constants."""


class Autoencoder:
    """Encoder and decoder that give a sample back; empty voxels weigh as much as full ones."""

    def __init__(self, samples: Samples, volume: bool, constants: Constants, epochs: int = EPOCHS):
        channels = samples.learnt.shape[1]
        self.samples, self.epochs, self.batch = samples, epochs, constants.batch
        self.encoder = encoder(channels, constants.latent, volume).to(DEVICE)
        self.decoder = decoder(channels, constants.latent, volume).to(DEVICE)
        self.weight = empty_share(samples.learnt) if volume else None
        self.optimizer = torch.optim.Adam(_all(self.encoder, self.decoder), constants.rate)

    def epoch(self, number: int, rng: np.random.Generator) -> Losses:
        """One pass over the samples in a new order."""
        total = 0.0
        for batch in batches(self.samples.learnt, self.batch, rng):
            self.optimizer.zero_grad()
            loss = self._loss(batch)
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * len(batch)
        with torch.no_grad():
            held = [float(self._loss(each[None].to(DEVICE))) for each in self.samples.held]
        return {"learnt": total / len(self.samples.learnt), "held back": float(np.mean(held))}

    def _loss(self, batch: torch.Tensor) -> torch.Tensor:
        apart = (batch - self.decoder(self.encoder(batch))).square()
        if self.weight is None:
            return apart.mean()
        full = (batch[:, :1] > -1).float()
        return (apart * (full * self.weight + (1 - full) * (1 - self.weight))).mean()

    def state(self) -> dict[str, Any]:
        """Networks and optimiser."""
        return states(encoder=self.encoder, decoder=self.decoder, optimizer=self.optimizer)

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Learner`."""
        restore_states(state, encoder=self.encoder, decoder=self.decoder, optimizer=self.optimizer)


class Anogan:
    """A Wasserstein GAN with gradient penalty, then an encoder of what it generates."""

    def __init__(self, samples: Samples, volume: bool, constants: Constants, epochs: int = EPOCHS):
        channels = samples.learnt.shape[1]
        self.samples, self.epochs, self.batch = samples, 2 * epochs, constants.batch
        self.of_gan, self.latent = epochs, constants.latent
        self.code_shape = (constants.latent, *(1,) * (samples.learnt.ndim - 2))
        self.encoder = encoder(channels, constants.latent, volume).to(DEVICE)
        self.decoder = decoder(channels, constants.latent, volume).to(DEVICE)
        self.critic = encoder(channels, 1, volume).to(DEVICE)
        rate = constants.rate
        self.of_generator = torch.optim.Adam(self.decoder.parameters(), rate)
        self.of_critic = torch.optim.Adam(self.critic.parameters(), rate)
        self.of_encoder = torch.optim.Adam(self.encoder.parameters(), rate)

    def epoch(self, number: int, rng: np.random.Generator) -> Losses:
        """Of the GAN in the first half, of the encoder in the second."""
        if number < self.of_gan:
            return self._gan_epoch(rng)
        found = [self._encoder_step(b) for b in batches(self.samples.learnt, self.batch, rng)]
        return {"izi": float(np.mean([izi for izi, _ in found])), **_ziz(found)}

    def _gan_epoch(self, rng: np.random.Generator) -> Losses:
        critics: list[float] = []
        generators: list[float] = []
        for step, batch in enumerate(batches(self.samples.learnt, self.batch, rng)):
            critics.append(self._critic_step(batch))
            if step % CRITIC_STEPS == CRITIC_STEPS - 1:
                generators.append(self._generator_step(len(batch)))
        return {"critic": float(np.mean(critics)), "generator": float(np.mean(generators or [0.0]))}

    def _critic_step(self, batch: torch.Tensor) -> float:
        with torch.no_grad():
            made = self.decoder(self._codes(len(batch)))
        self.of_critic.zero_grad()
        apart = self.critic(made).mean() - self.critic(batch).mean()
        loss = apart + PENALTY * self._penalty(batch, made)
        loss.backward()
        self.of_critic.step()
        return float(apart.detach())

    def _generator_step(self, count: int) -> float:
        self.of_generator.zero_grad()
        loss = -self.critic(self.decoder(self._codes(count))).mean()
        loss.backward()
        self.of_generator.step()
        return float(loss.detach())

    def _encoder_step(self, batch: torch.Tensor) -> tuple[float, float]:
        self.of_encoder.zero_grad()
        izi = (batch - self.decoder(self.encoder(batch))).square().mean()
        code = self._codes(len(batch))
        with torch.no_grad():
            made = self.decoder(code)
        ziz = (code - self.encoder(made)).square().mean()
        (izi + ziz).backward()
        self.of_encoder.step()
        return float(izi.detach()), float(ziz.detach())

    def _penalty(self, batch: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """How far the critic's slope is from 1 between real and made."""
        share = torch.rand(len(batch), *(1,) * (batch.ndim - 1)).to(DEVICE)
        between = (share * batch + (1 - share) * made).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def _codes(self, count: int) -> torch.Tensor:
        return torch.randn(count, *self.code_shape).to(DEVICE)

    def state(self) -> dict[str, Any]:
        """Networks and optimisers."""
        return states(**self._parts())

    def restore(self, state: Mapping[str, Any]) -> None:
        """As `Learner`."""
        restore_states(state, **self._parts())

    def _parts(self) -> dict[str, Any]:
        names = ("encoder", "decoder", "critic", "of_generator", "of_critic", "of_encoder")
        return {name: getattr(self, name) for name in names}


def empty_share(samples: torch.Tensor) -> float:
    """Of all voxels (n, channels, ...): what a full one weighs, an empty one weighs the rest."""
    return float((samples[:, 0] == -1).float().mean())


def batches(samples: torch.Tensor, size: int, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    """All samples in a new order, the last batch as large as what is left."""
    order = torch.from_numpy(rng.permutation(len(samples)))
    for chosen in order.split(size):
        yield samples[chosen].to(DEVICE)


def _ziz(found: list[tuple[float, float]]) -> Losses:
    return {"ziz": float(np.mean([ziz for _, ziz in found]))}


def _all(*networks: Stack) -> list[nn.Parameter]:
    return [parameter for network in networks for parameter in network.parameters()]
