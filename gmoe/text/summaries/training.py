"""The settings by which a model learns to summarize, and its Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gmoe.common.arguments import (
    check_choice,
    check_integer,
    check_number,
    check_share,
)
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.text.fine_tuning import (
    SameFolder,
    check_arguments,
    shared_arguments,
)
from gmoe.text.summaries.rouge import ROUGE

require('accelerate')
require('transformers')

from torch import Tensor  # noqa: E402
from torch.utils.data import SequentialSampler  # noqa: E402
from transformers import (  # noqa: E402
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
)

#: How speakers are named in what a model reads and writes.
SPEAKERS = ('names', 'tokens')


@dataclass(frozen=True)
class SummaryTraining:
    """The settings by which a model learns to summarize dialogues.

    Args:
        epochs: Number of epochs.
        batch_size: Number of dialogues per step, of similar lengths.
        learning_rate: The highest learning rate; it falls linearly to zero.
        warmup: The share of the steps in which it rises to that.
        weight_decay: The weight decay of AdamW.
        label_smoothing: The share of the target that is spread over all
            tokens. What a model adds to its loss stays, such as a balance
            loss.
        max_input_tokens: The most tokens of a dialogue, prefix and end
            included; longer ones are cut, counted and warned of.
        max_summary_tokens: The most tokens of a summary, its end included.
        num_beams: The beams with which summaries are searched.
        select_by: The score by which the best epoch is chosen, where there
            are dialogues for validation: one of ROUGE, of generated
            summaries, or :obj:`"loss"`, which is much faster.
        speakers: :obj:`"tokens"` has the model read and write a token in
            place of each speaker's name, which a small model cannot learn to
            copy.
        prefix: What is put before each dialogue, such as
            :obj:`"summarize: "` for T5.
        seed: The seed of everything random.
        checkpoints: A folder for a checkpoint after each epoch, ``~`` being
            the home; a training that was interrupted goes on from the last
            whole one in it. Those of another training are refused.
            (default: none is left)
        arguments: Further arguments of
            :class:`transformers.Seq2SeqTrainingArguments`, which take
            precedence, such as ``{'disable_tqdm': False}``.

    Raises:
        ValueError: If a setting is out of range or does not exist.
    """

    epochs: float = 3
    batch_size: int = 8
    learning_rate: float = 3e-4
    warmup: float = 0.0
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    max_input_tokens: int = 512
    max_summary_tokens: int = 64
    num_beams: int = 1
    select_by: str = 'rouge1'
    speakers: str = 'names'
    prefix: str = ''
    seed: int = 0
    checkpoints: str | Path | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rates = {'epochs': self.epochs, 'learning_rate': self.learning_rate}
        check_number(inclusive=False, **rates)
        check_number(weight_decay=self.weight_decay)
        check_share(warmup=self.warmup, label_smoothing=self.label_smoothing)
        check_integer(1, batch_size=self.batch_size, num_beams=self.num_beams)
        # One is the end.
        check_integer(2, max_input_tokens=self.max_input_tokens)
        check_integer(2, max_summary_tokens=self.max_summary_tokens)
        check_integer(0, 2**32 - 1, seed=self.seed)
        check_choice('select_by', self.select_by, (*ROUGE, 'loss'))
        check_choice('speakers', self.speakers, SPEAKERS)
        if not isinstance(self.prefix, str):
            raise ValueError(
                f"'prefix' must be a text, got {shown(self.prefix)}"
            )
        if not isinstance(self.checkpoints, (str, Path, type(None))):
            raise ValueError(
                "'checkpoints' must be a folder or None, got "
                f'{shown(self.checkpoints)}'
            )
        check_arguments(self.arguments, Seq2SeqTrainingArguments)
        if self.arguments.get('label_smoothing_factor'):
            raise ValueError(
                "'arguments' must leave label smoothing to 'label_smoothing', "
                'which keeps what a model adds to its loss, got '
                "'label_smoothing_factor'"
            )


class SummaryTrainer(Seq2SeqTrainer):
    """A Trainer that keeps what a model adds to its loss when labels are
    smoothed, and the order of what it evaluates.

    Args:
        label_smoothing: The share of the target that is spread over all
            tokens, in training only.
        **kwargs: Arguments of :class:`transformers.Seq2SeqTrainer`.
    """

    def __init__(self, label_smoothing: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing
        # Such as T5 take the number of a step's tokens and make nothing of
        # it: with it, steps of several batches would have their sum as loss.
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        labels = inputs['labels']
        loss, outputs = super().compute_loss(
            model, inputs, True, num_items_in_batch
        )
        if self.label_smoothing and model.training:
            change = _smoothing(outputs['logits'], labels)
            loss = loss + self.label_smoothing * change
        return (loss, outputs) if return_outputs else loss

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        # They are sorted by length already, as their references are.
        if self.args.world_size <= 1:
            return SequentialSampler(eval_dataset)
        return super()._get_eval_sampler(eval_dataset)


def _smoothing(logits: Tensor, labels: Tensor) -> Tensor:
    # The loss of any target less that of the right one, a mean over tokens.
    log_probs = logits.float().log_softmax(dim=-1)
    right = log_probs.gather(-1, labels.clamp(min=0).unsqueeze(-1))
    change = right.squeeze(-1) - log_probs.mean(dim=-1)
    return change[labels >= 0].mean()


def make_summary_trainer(
    model: Any,
    tokenizer: Any,
    settings: SummaryTraining,
    folder: str,
    train: list[dict[str, Any]],
    validation: list[dict[str, Any]] | None = None,
    score: Callable[[Any], dict[str, float]] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> SummaryTrainer:
    """A Trainer of a model that summarizes.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        settings: How it is trained.
        folder: Where checkpoints go.
        train: The encoded dialogues and summaries to train on.
        validation: Those on which the best epoch is chosen, if any.
        score: Gives the scores of tokens that were generated for these, in
            their order.
        callbacks: Further callbacks.
    """
    is_generating = settings.select_by != 'loss'
    arguments = {
        **shared_arguments(
            settings, folder, settings.seed, True, validation is not None
        ),
        'per_device_eval_batch_size': settings.batch_size,
        'warmup_steps': settings.warmup,
        'train_sampling_strategy': 'group_by_length',
        'predict_with_generate': is_generating,
        'prediction_loss_only': not is_generating,
        # Among these is the token from which a decoder starts.
        'generation_max_length': settings.max_summary_tokens + 1,
        'generation_num_beams': settings.num_beams,
        **settings.arguments,
    }
    return SummaryTrainer(
        settings.label_smoothing,
        model=model,
        args=Seq2SeqTrainingArguments(**arguments),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        train_dataset=train,
        eval_dataset=validation,
        compute_metrics=score if is_generating else None,
        callbacks=[SameFolder(folder), *callbacks],
    )
