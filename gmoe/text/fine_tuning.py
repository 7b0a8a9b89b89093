"""The settings by which a pretrained encoder is trained, and its Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gmoe.common.arguments import check_choice, check_integer, check_number
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.text.checks import check_names
from gmoe.text.metrics import SCORES, classification_scores

require('accelerate')
require('transformers')

from transformers import (  # noqa: E402
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


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
        check_arguments(self.arguments, TrainingArguments)


def check_arguments(
    arguments: dict[str, Any], kind: type[TrainingArguments]
) -> None:
    """Refuses arguments of a Trainer that do not exist.

    Args:
        arguments: The arguments.
        kind: The class that takes them.

    Raises:
        ValueError: If they are no dictionary, or one does not exist, or says
            where checkpoints are.
    """
    if not isinstance(arguments, dict):
        raise ValueError(
            f"'arguments' must be a dictionary, got {shown(arguments)}"
        )
    known = {f.name for f in fields(kind) if f.init}
    # Where checkpoints are is said by 'checkpoints'.
    known.discard('output_dir')
    check_names('arguments', arguments, known)


def shared_arguments(
    settings: Any, folder: str, seed: int, is_training: bool, is_chosen: bool
) -> dict[str, Any]:
    """What every Trainer here is given.

    Args:
        settings: The settings of the training.
        folder: Where checkpoints go.
        seed: The seed of everything random.
        is_training: Whether there is something to train on.
        is_chosen: Whether the best epoch is chosen on validation.
    """
    each_epoch = 'epoch' if is_chosen else 'no'
    keep = is_training and settings.checkpoints is not None
    return {
        'output_dir': folder,
        'num_train_epochs': settings.epochs,
        'per_device_train_batch_size': settings.batch_size,
        'learning_rate': settings.learning_rate,
        'weight_decay': settings.weight_decay,
        'seed': seed,
        'data_seed': seed,
        'eval_strategy': each_epoch,
        'save_strategy': 'epoch' if keep else each_epoch,
        'save_total_limit': 1,
        'save_only_model': not keep,
        'load_best_model_at_end': is_chosen,
        'metric_for_best_model': settings.select_by,
        'greater_is_better': settings.select_by != 'loss',
        'logging_strategy': 'epoch',
        'report_to': 'none',
        'disable_tqdm': True,
    }


def make_trainer(
    classifier: Any,
    folder: str,
    train: Any = None,
    validation: Any = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trainer:
    """A Trainer of a classifier, or one that only predicts.

    Args:
        classifier: The classifier, which has a model and its tokenizer.
        folder: Where checkpoints go.
        train: The encoded texts to train on, if any.
        validation: Those on which the best epoch is chosen, if any.
        callbacks: Further callbacks.
    """
    settings = classifier.training
    is_training, is_chosen = train is not None, validation is not None
    arguments = {
        **shared_arguments(
            settings, folder, classifier.seed, is_training, is_chosen
        ),
        'per_device_eval_batch_size': 4 * settings.batch_size,
        **settings.arguments,
    }
    if train is None:
        # Any other would reorder what is predicted.
        arguments['train_sampling_strategy'] = 'random'
    return Trainer(
        model=classifier.model,
        args=TrainingArguments(**arguments),
        data_collator=DataCollatorWithPadding(classifier.tokenizer),
        train_dataset=train,
        eval_dataset=validation,
        compute_metrics=_scores,
        callbacks=[SameFolder(folder), _SameLayout(), *callbacks],
    )


class SameFolder(TrainerCallback):
    """Finds the best checkpoint where the folder was moved.

    Args:
        folder: The folder of the checkpoints.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def on_train_begin(
        self, args: Any, state: Any, control: Any, **kwargs: Any
    ) -> None:
        if state.best_model_checkpoint is not None:
            name = Path(state.best_model_checkpoint).name
            state.best_model_checkpoint = str(self.folder / name)


class _SameLayout(TrainerCallback):
    """Turns what an optimizer of an earlier version has kept of the experts'
    first weights, as :math:`(n, H, D_{in})`."""

    def on_train_begin(
        self, args: Any, state: Any, control: Any, **kwargs: Any
    ) -> None:
        for parameter, kept in kwargs['optimizer'].state.items():
            if parameter.dim() != 3 or parameter.is_contiguous():
                continue
            for name, value in kept.items():
                if value.shape == parameter.mT.shape and value.is_contiguous():
                    kept[name] = value.mT


def _scores(prediction: Any) -> dict[str, float]:
    logits = prediction.predictions
    if isinstance(logits, tuple):
        logits = logits[0]
    return classification_scores(
        prediction.label_ids.tolist(), logits.argmax(axis=-1).tolist()
    )
