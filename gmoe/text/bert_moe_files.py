"""The layout of the experts of BERT-MoE in files."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gmoe.common.require import require

require('transformers')

from transformers.conversion_mapping import (  # noqa: E402
    register_checkpoint_conversion_mapping,
)
from transformers.core_model_loading import (  # noqa: E402
    ConversionOps,
    WeightConverter,
)

_WEIGHT = 'head.experts.weight1'


class _Turned(ConversionOps):
    """A file's weights :math:`(n, H, D_{in})` as those of
    :class:`gmoe.nn.MLPExperts`, without a copy. The way back is none: a state
    dict holds them as files do.

    Args:
        is_file: Whether they come from a file.
    """

    def __init__(self, is_file: bool = True) -> None:
        self.is_file = is_file

    def convert(
        self,
        input_dict: dict[str, Any],
        source_patterns: list[str],
        target_patterns: list[str],
        **kwargs: Any,
    ) -> dict[str, Tensor]:
        (tensor,) = input_dict.values()
        if isinstance(tensor, list):
            (tensor,) = tensor
        out = tensor.transpose(1, 2) if self.is_file else tensor
        return {target_patterns[0]: out}

    @property
    def reverse_op(self) -> ConversionOps:
        return _Turned(is_file=False)


def register_layout() -> None:
    """Tells transformers, which sets parameters without a state dict."""
    register_checkpoint_conversion_mapping(
        'bert_moe',
        [WeightConverter(_WEIGHT, _WEIGHT, [_Turned()])],
        overwrite=True,
    )
