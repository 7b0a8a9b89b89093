"""Any pretrained encoder, fine-tuned with transformers' Trainer."""

from __future__ import annotations

import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gmoe.common.require import require
from gmoe.text.checkpoints import digest, model_settings, training_folder
from gmoe.text.checks import check_labels
from gmoe.text.classifier import TextClassifier
from gmoe.text.encoder import (
    check_encoder,
    check_max_length,
    load_tokenizer,
    refuse,
)
from gmoe.text.fine_tuning import FineTuning, make_trainer
from gmoe.text.linearize import add_special_tokens
from gmoe.text.offline import encoder_path

require('accelerate')
require('transformers')

from safetensors import SafetensorError  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    set_seed,
)


class FineTunedClassifier(TextClassifier):
    """An encoder with a head, both trained, in float32 whatever type the
    encoder is stored in.

    Args:
        encoder: The encoder's name on the hub or its local folder, ``~``
            being the home; :obj:`"offline"` is the one of the extra
            ``offline``. Weights are read from safetensors only.
        training: How it is trained.
        seed: The seed of everything random.
        callbacks: Callbacks of transformers' Trainer.

    Attributes:
        num_cut: How many texts of each call had more than ``max_length``
            tokens and were cut: ``fit``, ``validation``, ``predict``.

    Raises:
        ValueError: If the encoder is a folder that has none, or has fewer
            positions than ``max_length``. A name on the hub, and a folder
            that is missing, are looked at when training begins.
    """

    def __init__(
        self,
        encoder: str | Path = 'bert-base-uncased',
        training: FineTuning | None = None,
        seed: int = 0,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        super().__init__(seed)
        self.encoder = str(encoder)
        self.training = training or FineTuning()
        self.callbacks = list(callbacks)
        self.num_cut: dict[str, int] = {}
        self.history: list[dict[str, float]] = []
        self.model: Any = None
        self.tokenizer: Any = None
        self._predictor: Trainer | None = None
        if self.encoder != 'offline' and Path(self._path).is_dir():
            self._check_encoder()

    @abstractmethod
    def make_model(self, encoder: str, **labels: Any) -> PreTrainedModel:
        """The model before training.

        Args:
            encoder: The encoder's name or folder.
            **labels: ``num_labels``, ``id2label`` and ``label2id``.
        """

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        texts = self._readable(texts)
        if not texts:
            return np.zeros((0, len(self.classes)))
        logits = self._outputs(texts)[0]
        logits = logits.astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    @property
    def num_parameters(self) -> int:
        self._readable([])
        return sum(p.numel() for p in self.model.parameters())

    @property
    def _path(self) -> str:
        return encoder_path(self.encoder)

    def _check_encoder(self) -> None:
        check_max_length(check_encoder(self._path), self.training.max_length)

    def _fit(
        self,
        texts: list[str],
        labels: list[int],
        validation: tuple[list[str], list[int]] | None,
    ) -> None:
        self._check_encoder()
        set_seed(self.seed)
        self.tokenizer = load_tokenizer(self._path)
        try:
            self.model = self.make_model(
                self._path,
                num_labels=len(self.classes),
                id2label=dict(enumerate(self.classes)),
                label2id={name: i for i, name in enumerate(self.classes)},
            )
        except (OSError, SafetensorError) as error:
            raise refuse(self.encoder, str(error)) from error
        except RuntimeError as error:
            if 'mismatched' not in str(error):
                raise
            raise refuse(
                self.encoder, 'its weights are of other sizes than it says'
            ) from error
        encoder = {}
        if self.training.checkpoints is not None:
            # Before it gets tokens, which are drawn at random.
            encoder = self.model.base_model.state_dict()
        weights = digest(v for pair in encoder.items() for v in pair)
        add_special_tokens(self.tokenizer, self.model)
        train = self._encode(texts, 'fit', labels)
        held_out = None
        if validation is not None:
            held_out = self._encode(validation[0], 'validation', validation[1])

        def fingerprint() -> dict[str, Any]:
            return self._fingerprint(weights, train, held_out)

        checkpoints = self.training.checkpoints
        with training_folder(checkpoints, fingerprint) as (folder, last):
            trainer = make_trainer(
                self, folder, train, held_out, self.callbacks
            )
            trainer.train(resume_from_checkpoint=last)
            self.history = [dict(line) for line in trainer.state.log_history]

    def _fingerprint(
        self, encoder: str, train: list, held_out: list | None
    ) -> dict[str, Any]:
        training = {**vars(self.training)}
        del training['checkpoints']
        arguments = training.pop('arguments')
        settings = model_settings(self.model.config.to_dict())
        fingerprint = {
            'classifier': type(self).__name__,
            'encoder': encoder,
            'seed': self.seed,
            'classes': self.classes,
            **training,
            **{f'arguments.{k}': v for k, v in arguments.items()},
            **{f'model.{k}': v for k, v in settings.items()},
        }
        for name, rows in (('', train), ('validation ', held_out or [])):
            for key, what in (('input_ids', 'texts'), ('labels', 'labels')):
                parts = [row[key] for row in rows]
                fingerprint[name + what] = digest(parts)
        return fingerprint

    def _save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _load(self, folder: Path) -> None:
        try:
            config = AutoConfig.from_pretrained(
                folder, trust_remote_code=False
            )
            if not self._is_own(config):
                raise ValueError(f'it holds a {config.model_type!r}')
            load = AutoModelForSequenceClassification.from_pretrained
            model, info = load(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            # Else drawn anew at random.
            if info['missing_keys']:
                raise ValueError(
                    f'it does not hold {sorted(info["missing_keys"])[:3]}'
                )
            names = model.config.id2label
            classes = check_labels([names[i] for i in range(len(names))])
            tokenizer = load_tokenizer(str(folder))
            rows = model.get_input_embeddings().num_embeddings
            if max(tokenizer.get_vocab().values()) >= rows:
                raise ValueError(
                    f'its tokenizer has more tokens than its encoder: {rows}'
                )
        except Exception as error:
            raise ValueError(
                f"'folder' must be a folder with a saved "
                f"{type(self).__name__}, got '{folder}': {str(error):.200}"
            ) from error
        encoder = getattr(config, 'encoder_config', config)
        check_max_length(encoder, self.training.max_length)
        self.model, self.tokenizer, self.classes = model, tokenizer, classes

    def _is_own(self, config: PretrainedConfig) -> bool:
        # Whether what is loaded is of this class.
        return config.model_type != 'bert_moe'

    def _outputs(
        self, texts: list[str], ignored: list[str] | None = None
    ) -> tuple[np.ndarray, ...]:
        encoded = self._encode(texts, 'predict')
        # Texts of a length together, which need less padding.
        order = np.argsort([len(row['input_ids']) for row in encoded])
        encoded = [encoded[i] for i in order]
        if self._predictor is None or self._predictor.model is not self.model:
            # One for all calls: each wraps the model for mixed precision.
            self._predictor = make_trainer(self, tempfile.gettempdir())
        out = self._predictor.predict(encoded, ignore_keys=ignored).predictions
        back = np.argsort(order)
        return tuple(o[back] for o in (out if type(out) is tuple else (out,)))

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
