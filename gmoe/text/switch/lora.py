"""Low-rank adaptation of a Switch Transformer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gmoe.common.arguments import check_integer, check_number, check_share
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.text.switch.model import SwitchMoeForConditionalGeneration

if TYPE_CHECKING:
    from peft import PeftModel

#: What may be adapted, as parts of the names of linear maps.
LORA_TARGETS = {
    'q': r'Attention\.q',
    'k': r'Attention\.k',
    'v': r'Attention\.v',
    'o': r'Attention\.o',
    'experts': r'experts\.expert_\d+\.w[io]',
    'feed_forward': r'mlp\.w[io]',
}


def lora(
    model: SwitchMoeForConditionalGeneration,
    rank: int = 8,
    alpha: float = 16,
    targets: Sequence[str] = ('q', 'v'),
    dropout: float = 0.0,
) -> PeftModel:
    """Adapters of low rank (`Hu et al. 2021
    <https://arxiv.org/abs/2106.09685>`_) around a Switch Transformer, by PEFT.
    Its own weights are not trained, but for the routers, which are small and
    are trained in full.

    ``save_pretrained`` saves the adapters and the routers only;
    ``peft.PeftModel.from_pretrained(model, folder)`` puts them around the
    model again, and ``merge_and_unload()`` returns a model without adapters.
    A model with parts drawn at random, such as an upcycled one, has to be
    saved beside them.

    Args:
        model: The model, which is changed.
        rank: The rank of the adapters.
        alpha: Their scale, over the rank.
        targets: What is adapted: :obj:`"q"`, :obj:`"k"`, :obj:`"v"` and
            :obj:`"o"` of all attention, :obj:`"experts"` for the maps of the
            experts and :obj:`"feed_forward"` for those of the layers that are
            no mixtures.
        dropout: Dropout before the adapters.

    Raises:
        ValueError: If it is no such model or has adapters already, or an
            argument is out of range.
    """
    if not isinstance(model, SwitchMoeForConditionalGeneration):
        raise ValueError(
            "'model' must be a SwitchMoeForConditionalGeneration, got "
            f'{shown(type(model).__name__)}'
        )
    if any('lora_' in name for name, _ in model.named_parameters()):
        raise ValueError(
            "'model' must have no adapters yet, got one with some: "
            'merge_and_unload() of the adapted model takes them in'
        )
    check_integer(1, rank=rank)
    check_number(0, inclusive=False, alpha=alpha)
    check_share(dropout=dropout)
    parts = '|'.join(LORA_TARGETS[name] for name in _checked(targets))
    pattern = rf'.*(?:{parts})'
    if not any(
        re.fullmatch(pattern, name) for name, _ in model.named_modules()
    ):
        raise ValueError(
            f"'targets' must be parts of the model, got {shown(targets)}"
        )
    peft = require('peft')
    config = peft.LoraConfig(
        task_type='SEQ_2_SEQ_LM',
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=pattern,
        # Their parameters are in no linear map.
        modules_to_save=['router'],
    )
    return peft.get_peft_model(model, config)


def _checked(targets: Sequence[str]) -> list[str]:
    if not isinstance(targets, (str, bytes)) and isinstance(targets, Iterable):
        names = list(targets)
        if names and all(name in [*LORA_TARGETS] for name in names):
            return names
    raise ValueError(
        f"'targets' must be some of {list(LORA_TARGETS)}, got {shown(targets)}"
    )
