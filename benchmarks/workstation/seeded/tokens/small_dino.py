"""The smallest DINOv2 that anomalib takes, with weights by which its layers differ."""

from __future__ import annotations

import torch
from timm.models.vision_transformer import LayerScale, VisionTransformer
from torch import nn

SMALL = "vit_small_patch14_dinov2"
WITH_REGISTERS = "vit_small_patch14_reg4_dinov2"
SMALL_PX = 84  # six patches a side
SCALE, CONTRAST, FIRST = 0.5, 4.0, 30.0


def awaken(module: nn.Module) -> None:
    """A fresh DINOv2 hands its input on: what its layers add is scaled by 1e-5, and its patches'
    places are small numbers. Trained tokens have a first component of their own, and reach well
    beyond 10 along it, which AnomalyDINO's mask asks for."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in module.named_parameters():
        if name.endswith(("pos_embed", "reg_token", "cls_token")):
            parameter.data = torch.randn(parameter.shape, generator=generator)
    for layer in module.modules():
        if isinstance(layer, LayerScale):
            layer.gamma.data.fill_(SCALE)
        if isinstance(layer, VisionTransformer):
            layer.norm.weight.data.fill_(CONTRAST)
            layer.norm.weight.data[0] = FIRST
