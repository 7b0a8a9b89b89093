"""The settings by which a pretrained encoder is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gmoe.common.arguments import check_choice, check_integer, check_number
from gmoe.common.require import require
from gmoe.text.checks import check_names
from gmoe.text.metrics import SCORES

require('accelerate')
require('transformers')

from transformers import TrainingArguments  # noqa: E402


@dataclass(frozen=True)
class FineTuning:
    """The settings by which a model is trained.

    Args:
        epochs: Number of epochs.
        batch_size: Number of texts per step.
        learning_rate: The first learning rate; it falls linearly to zero.
        weight_decay: The weight decay of AdamW.
        max_length: The most tokens of a text, no more than the encoder has
            positions.
        select_by: The score by which the best epoch is chosen, where there is
            a validation split.
        checkpoints: A folder for a checkpoint after each epoch, ``~`` being
            the home; a training that was interrupted goes on from the last
            whole one in it. A file beside them names their training:
            those of another one are refused. (default: none is left)
        arguments: Further arguments of
            :class:`transformers.TrainingArguments`, which take precedence.

    Raises:
        ValueError: If a setting is out of range or does not exist.
    """

    epochs: float = 5
    batch_size: int = 16
    learning_rate: float = 2e-5
    weight_decay: float = 0.01
    max_length: int = 128
    select_by: str = 'weighted_f1'
    checkpoints: str | Path | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rates = {'epochs': self.epochs, 'learning_rate': self.learning_rate}
        check_number(inclusive=False, **rates)
        check_number(weight_decay=self.weight_decay)
        check_integer(1, batch_size=self.batch_size)
        check_integer(1, max_length=self.max_length)
        check_choice('select_by', self.select_by, SCORES)
        known = {f.name for f in fields(TrainingArguments) if f.init}
        # Where checkpoints are is said by 'checkpoints'.
        known.discard('output_dir')
        check_names('arguments', self.arguments, known)
