"""Point-MAE (Pang et al., ECCV 2022) as part of a graph: groups of points -> a token each."""

from __future__ import annotations

import torch
from torch import nn

from voxgate.export.features.point_mae.weights import HEADS, LAYERS, WIDTH


class PointTokens(nn.Module):
    """(g, m, 3) members less their centre, (g, 3) centres, m -> (g, 1152) tokens.

    The published network with its batch norms folded, and the half of its second layer that sees
    what all members of a group share computed once a group.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        first, second = network.encoder.first_conv, network.encoder.second_conv
        self.first = nn.Sequential(_folded(first[0], first[1]), nn.ReLU(), _linear(first[3]))
        both = _folded(second[0], second[1])
        shared = both.weight.shape[1] // 2
        self.of_all = _without_bias(both.weight[:, :shared])
        self.of_each = _with(both.weight[:, shared:], both.bias)
        self.second = nn.Sequential(nn.ReLU(), _linear(second[3]))
        self.place = network.pos_embed
        self.blocks = nn.ModuleList(_Block(block) for block in network.blocks.blocks)
        self.norm = network.norm

    def forward(self, members: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        each = self.first(members)
        shared = self.of_all(each.amax(dim=1, keepdim=True))
        tokens = self.second(self.of_each(each) + shared).amax(dim=1)
        place = self.place(centres)
        found = []
        for number, block in enumerate(self.blocks):
            tokens = block(tokens + place)
            if number in LAYERS:
                found.append(self.norm(tokens))
        return torch.cat(found, dim=1)


class _Block(nn.Module):
    """(g, 384) -> (g, 384): attention, then a layer of four times the width; each is added."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.qkv, self.proj = block.attn.qkv, block.attn.proj
        self.fc1, self.fc2 = block.mlp.fc1, block.mlp.fc2

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.proj(self._attended(self.norm1(tokens)))
        return tokens + self.fc2(nn.functional.gelu(self.fc1(self.norm2(tokens))))

    def _attended(self, tokens: torch.Tensor) -> torch.Tensor:
        width = WIDTH // HEADS
        parts = self.qkv(tokens).reshape(-1, 3, HEADS, width).permute(1, 2, 0, 3)
        query, key, value = parts[0], parts[1], parts[2]
        weight = torch.matmul(query * width**-0.5, key.transpose(1, 2)).softmax(dim=-1)
        return torch.matmul(weight, value).transpose(0, 1).reshape(-1, WIDTH)


def _linear(convolution: nn.Module) -> nn.Linear:
    """A convolution of one point on vectors."""
    return _with(convolution.weight[:, :, 0], convolution.bias)


def _folded(convolution: nn.Module, norm: nn.Module) -> nn.Linear:
    """With the batch norm behind it."""
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = (convolution.bias - norm.running_mean) * factor + norm.bias
    return _with(convolution.weight[:, :, 0] * factor[:, None], bias)


def _with(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data, layer.bias.data = weight.detach().clone(), bias.detach().clone()
    return layer.requires_grad_(False)


def _without_bias(weight: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight.detach().clone()
    return layer.requires_grad_(False)
