"""How files hold the experts of a BERT with a mixture."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gmoe._require import require

require('transformers')

from transformers.conversion_mapping import (  # noqa: E402
    register_checkpoint_conversion_mapping,
)
from transformers.core_model_loading import (  # noqa: E402
    ConversionOps,
    WeightConverter,
)

_WEIGHT = 'head.experts.weight1'


class _AsInStateDict(ConversionOps):
    """Keeps a tensor: a state dict holds it as files do."""

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
        return {target_patterns[0]: self.turn(tensor)}

    def turn(self, tensor: Tensor) -> Tensor:
        """The tensor in its other layout.

        Args:
            tensor: The tensor.
        """
        return tensor

    @property
    def reverse_op(self) -> ConversionOps:
        return _AsInStateDict()


class _AsInMemory(_AsInStateDict):
    """Turns a file's weights :math:`(n, H, D_{in})` into those of
    :class:`gmoe.nn.MLPExperts`, which takes no copy.
    """

    def turn(self, tensor: Tensor) -> Tensor:
        return tensor.transpose(1, 2)


def register_layout() -> None:
    """Tells transformers, which sets parameters without a state dict."""
    register_checkpoint_conversion_mapping(
        'bert_moe',
        [WeightConverter(_WEIGHT, _WEIGHT, [_AsInMemory()])],
        overwrite=True,
    )
