"""Names of feature networks: the ones that their authors' hubs use, beside timm's own."""

from __future__ import annotations

from difflib import get_close_matches

import timm

from voxgate.runtime.errors import EngineError

TIMM_NAMES = {
    "dino_vits8": "vit_small_patch8_224.dino",
    "dino_vits16": "vit_small_patch16_224.dino",
    "dino_vitb8": "vit_base_patch8_224.dino",
    "dino_vitb16": "vit_base_patch16_224.dino",
    "dinov2_vits14": "vit_small_patch14_dinov2",
    "dinov2_vitb14": "vit_base_patch14_dinov2",
    "dinov2_vitl14": "vit_large_patch14_dinov2",
    "dinov2_vitg14": "vit_giant_patch14_dinov2",
    "dinov2_vits14_reg": "vit_small_patch14_reg4_dinov2",
    "dinov2_vitb14_reg": "vit_base_patch14_reg4_dinov2",
    "dinov2_vitl14_reg": "vit_large_patch14_reg4_dinov2",
    "dinov2_vitg14_reg": "vit_giant_patch14_reg4_dinov2",
    "dinov3_vits16": "vit_small_patch16_dinov3",
    "dinov3_vits16plus": "vit_small_plus_patch16_dinov3",
    "dinov3_vitb16": "vit_base_patch16_dinov3",
    "dinov3_vitl16": "vit_large_patch16_dinov3",
    "dinov3_vith16plus": "vit_huge_plus_patch16_dinov3",
    "dinov3_vit7b16": "vit_7b_patch16_dinov3",
}
"""Of the hub -> of timm."""
NEAR = 4  # names of timm that a message offers


def timm_name(name: str) -> str:
    """A hub's name becomes timm's; any other is taken for one of timm's."""
    return TIMM_NAMES.get(name, name.removeprefix("timm/"))


def check_name(name: str) -> None:
    """Raises EngineError for a name with a place before it: timm would look there, and on the
    network."""
    if ":" in name:
        raise EngineError(
            f"backbone {name!r}: a name without a place before it: {known_names(name)}"
        )


def known_names(wanted: str) -> str:
    """What to choose from instead of `wanted`, for a message."""
    near = get_close_matches(wanted, timm.list_models(), NEAR, cutoff=0.6)
    alike = f", or of timm: {', '.join(near)}" if near else ", or any model of timm"
    return f"choose one of {', '.join(TIMM_NAMES)}{alike}"
