"""Pretrained encoders, fine-tuned with transformers' Trainer."""

from __future__ import annotations

import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gmoe._require import require
from gmoe.text.bert_moe import BertMoeForSequenceClassification
from gmoe.text.classifier import TextClassifier
from gmoe.text.linearize import add_special_tokens
from gmoe.text.metrics import SCORES, classification_scores
from gmoe.text.offline import encoder_path

require('accelerate')
require('transformers')

from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint  # noqa: E402


@dataclass(frozen=True)
class FineTuning:
    """How a model is trained.

    Args:
        epochs: Number of epochs.
        batch_size: Number of texts per step.
        learning_rate: The first learning rate; it falls linearly to zero.
        weight_decay: Of AdamW.
        max_length: The most tokens of a text.
        select_by: The score by which the best epoch is chosen, where there is
            a validation split.
        checkpoints: A folder for a checkpoint after each epoch; a training
            that was interrupted goes on from the last one in it. (default:
            none is left)
        arguments: Further arguments of
            :class:`transformers.TrainingArguments`, which take precedence.

    Raises:
        ValueError: If :obj:`select_by` is not a score.
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
        if self.select_by not in SCORES:
            raise ValueError(
                f"'select_by' must be one of {list(SCORES)}, got "
                f'{self.select_by!r}'
            )


class FineTunedClassifier(TextClassifier):
    """An encoder with a head, both trained.

    Args:
        encoder: The encoder's name or its local folder; :obj:`"offline"` is
            the one of the extra ``offline``.
        training: How it is trained.
        seed: Of everything random.
        callbacks: Callbacks of transformers' Trainer.

    Attributes:
        num_cut: How many texts of each call had more than ``max_length``
            tokens and were cut: ``fit``, ``validation``, ``predict``.
    """

    def __init__(
        self,
        encoder: str = 'bert-base-uncased',
        training: FineTuning | None = None,
        seed: int = 0,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        super().__init__(seed)
        self.encoder = encoder
        self.training = training or FineTuning()
        self.callbacks = list(callbacks)
        self.num_cut: dict[str, int] = {}
        self.history: list[dict[str, float]] = []
        self.model: Any = None
        self.tokenizer: Any = None
        self._predictor: Trainer | None = None

    @abstractmethod
    def make_model(self, encoder: str, **labels: Any) -> PreTrainedModel:
        """The model before training.

        Args:
            encoder: The encoder's name or folder.
            **labels: ``num_labels``, ``id2label`` and ``label2id``.
        """

    def _fit(
        self,
        texts: list[str],
        labels: list[int],
        validation: tuple[list[str], list[int]] | None,
    ) -> None:
        set_seed(self.seed)
        encoder = encoder_path(self.encoder)
        self.tokenizer = AutoTokenizer.from_pretrained(encoder)
        self.model = self.make_model(
            encoder,
            num_labels=len(self.classes),
            id2label=dict(enumerate(self.classes)),
            label2id={name: i for i, name in enumerate(self.classes)},
        )
        add_special_tokens(self.tokenizer, self.model)
        train = self._encode(texts, 'fit', labels)
        held_out = None
        if validation is not None:
            held_out = self._encode(validation[0], 'validation', validation[1])
        with tempfile.TemporaryDirectory() as unused:
            folder = str(self.training.checkpoints or unused)
            last = None
            if Path(folder).is_dir():
                last = get_last_checkpoint(folder)
            trainer = self._trainer(folder, train, held_out, self.callbacks)
            trainer.train(resume_from_checkpoint=last)
            self.history = [dict(line) for line in trainer.state.log_history]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        logits = self._outputs(texts)[0]
        logits = logits.astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def save(self, folder: str | Path) -> None:
        """Writes model and tokenizer, as transformers does.

        Args:
            folder: The folder.
        """
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def load(self, folder: str | Path) -> FineTunedClassifier:
        """Reads what :meth:`save` wrote.

        Args:
            folder: The folder.
        """
        load = AutoModelForSequenceClassification.from_pretrained
        self.model = load(folder, use_safetensors=True)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        names = self.model.config.id2label
        self.classes = [names[i] for i in range(len(names))]
        return self

    def _outputs(
        self, texts: Sequence[str], ignored: list[str] | None = None
    ) -> tuple[np.ndarray, ...]:
        if self.model is None:
            raise RuntimeError('the classifier is not trained: call fit first')
        encoded = self._encode(list(texts), 'predict')
        # Texts of a length together, which need less padding.
        order = np.argsort([len(row['input_ids']) for row in encoded])
        encoded = [encoded[i] for i in order]
        if self._predictor is None or self._predictor.model is not self.model:
            # One for all calls: each wraps the model for mixed precision.
            self._predictor = self._trainer(tempfile.gettempdir())
        out = self._predictor.predict(encoded, ignore_keys=ignored).predictions
        back = np.argsort(order)
        return tuple(o[back] for o in (out if type(out) is tuple else (out,)))

    def _trainer(
        self,
        folder: str,
        train: Any = None,
        validation: Any = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> Trainer:
        settings = self.training
        each_epoch = 'no' if validation is None else 'epoch'
        keep = train is not None and settings.checkpoints is not None
        arguments = {
            'output_dir': folder,
            'num_train_epochs': settings.epochs,
            'per_device_train_batch_size': settings.batch_size,
            'per_device_eval_batch_size': 4 * settings.batch_size,
            'learning_rate': settings.learning_rate,
            'weight_decay': settings.weight_decay,
            'seed': self.seed,
            'data_seed': self.seed,
            'eval_strategy': each_epoch,
            'save_strategy': 'epoch' if keep else each_epoch,
            'save_total_limit': 1,
            'save_only_model': not keep,
            'load_best_model_at_end': validation is not None,
            'metric_for_best_model': settings.select_by,
            'greater_is_better': True,
            'logging_strategy': 'epoch',
            'report_to': 'none',
            'disable_tqdm': True,
            **settings.arguments,
        }
        if train is None:
            # Any other would reorder what is predicted.
            arguments['train_sampling_strategy'] = 'random'
        return Trainer(
            model=self.model,
            args=TrainingArguments(**arguments),
            data_collator=DataCollatorWithPadding(self.tokenizer),
            train_dataset=train,
            eval_dataset=validation,
            compute_metrics=_scores,
            callbacks=list(callbacks),
        )

    def _encode(
        self, texts: list[str], name: str, labels: list[int] | None = None
    ) -> list[dict[str, Any]]:
        limit = self.training.max_length
        whole = self.tokenizer(texts, verbose=False)
        lengths = [len(ids) for ids in whole['input_ids']]
        self.num_cut[name] = sum(length > limit for length in lengths)
        if self.num_cut[name] > 0:
            long = [i for i, n in enumerate(lengths) if n > limit]
            warnings.warn(
                f'{len(long)} of {len(texts)} texts ({name}) have more than '
                f'{limit} tokens (at most {max(lengths)}) and are cut: '
                f'{long[:20]}{"..." if len(long) > 20 else ""}, the first '
                f'being {texts[long[0]][:80]!r}',
                stacklevel=2,
            )
            whole = self.tokenizer(texts, truncation=True, max_length=limit)
        rows = [{k: whole[k][i] for k in whole} for i in range(len(texts))]
        for row, label in zip(rows, labels or []):
            row['labels'] = label
        return rows


class BertClassifier(FineTunedClassifier):
    """The usual head of the encoder's class: pooler, dropout, linear map."""

    def make_model(self, encoder: str, **labels: Any) -> PreTrainedModel:
        return AutoModelForSequenceClassification.from_pretrained(
            encoder, **labels
        )


class BertMoeClassifier(FineTunedClassifier):
    """A mixture of experts on the pooled text.

    Args:
        encoder: The encoder's name or its local folder; :obj:`"offline"` is
            the one of the extra ``offline``.
        training: How it is trained.
        seed: Of everything random.
        callbacks: Callbacks of transformers' Trainer.
        **settings: Arguments of :class:`~gmoe.text.BertMoeConfig`.
    """

    def __init__(
        self,
        encoder: str = 'bert-base-uncased',
        training: FineTuning | None = None,
        seed: int = 0,
        callbacks: Sequence[TrainerCallback] = (),
        **settings: Any,
    ) -> None:
        super().__init__(encoder, training, seed, callbacks)
        self.settings = settings

    def make_model(self, encoder: str, **labels: Any) -> PreTrainedModel:
        return BertMoeForSequenceClassification.from_encoder(
            encoder, **self.settings, **labels
        )

    def router_weights(self, texts: Sequence[str]) -> np.ndarray:
        """The weight of each expert for each text, of shape :math:`(N, n)`.

        Args:
            texts: The texts.
        """
        return self._outputs(texts, ['balance_loss'])[1]


def _scores(prediction: Any) -> dict[str, float]:
    logits = prediction.predictions
    if isinstance(logits, tuple):
        logits = logits[0]
    return classification_scores(
        prediction.label_ids.tolist(), logits.argmax(axis=-1).tolist()
    )
