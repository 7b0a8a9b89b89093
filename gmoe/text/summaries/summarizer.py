"""Any model of transformers that writes text, trained to summarize."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gmoe.common.arguments import check_integer
from gmoe.common.require import require
from gmoe.text.checkpoints import digest, model_settings, training_folder
from gmoe.text.checks import check_texts
from gmoe.text.summaries.encoding import (
    Encoder,
    check_pairs,
    check_validation,
)
from gmoe.text.summaries.generation import generate
from gmoe.text.summaries.rouge import rouge_scores
from gmoe.text.summaries.saved import load, save
from gmoe.text.summaries.seq2seq import check_seq2seq, is_adapted, make_room
from gmoe.text.summaries.training import (
    SummaryTraining,
    make_summary_trainer,
)

require('transformers')

from transformers import TrainerCallback, set_seed  # noqa: E402

if TYPE_CHECKING:
    from typing_extensions import Self

#: Dialogues and their summaries.
Pairs = tuple[Sequence[str], Sequence[str]]


class Summarizer:
    """Dialogues in, summaries out, by any model of transformers with an
    encoder and a decoder: T5, BART, Switch Transformers,
    :class:`~gmoe.text.SwitchMoeForConditionalGeneration`, or a
    ``PeftModel`` around one.

    What a model says of itself about how it writes, in its
    ``generation_config``, is kept, but for the most tokens and the number of
    beams.

    Args:
        model: The model, which is trained in place. With the tokens of
            speakers, it gets vectors for those that it does not have.
        tokenizer: Its tokenizer.
        settings: How it is trained, and what it reads and writes.
        callbacks: Callbacks of transformers' Trainer.

    Attributes:
        num_cut: How many texts of each call had too many tokens and were
            cut, such as ``'fit dialogues'``, ``'fit summaries'`` and
            ``'summarize dialogues'``.
        history: What the Trainer has logged: losses and scores by epoch.

    Raises:
        ValueError: If the model cannot write a text for a text, has another
            tokenizer, or has fewer positions than there may be tokens, or the
            settings are of another kind.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        settings: SummaryTraining | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.settings = SummaryTraining() if settings is None else settings
        check_seq2seq(model, tokenizer, self.settings)
        speakers, seed = self.settings.speakers, self.settings.seed
        make_room(model, tokenizer, speakers, seed)
        self.model, self.tokenizer = model, tokenizer
        self.callbacks = list(callbacks)
        self.history: list[dict[str, float]] = []
        self._encoder = Encoder(tokenizer, self.settings)
        self.num_cut = self._encoder.num_cut
        model.generation_config.update(
            max_length=self.settings.max_summary_tokens + 1,
            max_new_tokens=None,
            num_beams=self.settings.num_beams,
        )

    def fit(
        self,
        dialogues: Sequence[str],
        summaries: Sequence[str],
        validation: Pairs | None = None,
    ) -> Self:
        """Trains on dialogues and their summaries.

        Args:
            dialogues: The dialogues, one turn a line, as
                ``Amanda: I baked cookies.``
            summaries: The summary of each.
            validation: Dialogues and summaries on which the best epoch is
                chosen. (default: the last epoch is taken)

        Raises:
            ValueError: If there is no pair, one is no text or blank, or the
                numbers differ; or if the folder of checkpoints holds another
                training.
        """
        train = self._encoder.rows(*check_pairs(dialogues, summaries))
        held_out, score = self._held_out(validation)
        set_seed(self.settings.seed)

        def fingerprint() -> dict[str, Any]:
            return self._fingerprint(train, held_out)

        checkpoints = self.settings.checkpoints
        with training_folder(checkpoints, fingerprint) as (folder, last):
            trainer = make_summary_trainer(
                self.model,
                self.tokenizer,
                self.settings,
                folder,
                train,
                held_out,
                score,
                self.callbacks,
            )
            trainer.train(resume_from_checkpoint=last)
            self.history = [dict(line) for line in trainer.state.log_history]
        return self

    def summarize(
        self,
        dialogues: Sequence[str],
        num_beams: int | None = None,
        batch_size: int | None = None,
    ) -> list[str]:
        """The summary of each dialogue. That of a blank one is empty.

        Args:
            dialogues: The dialogues; there may be none.
            num_beams: The beams of the search. (default: as the settings say)
            batch_size: The most dialogues at once. (default: as the settings
                say)

        Raises:
            ValueError: If a dialogue is no text, or a number is not positive.
        """
        texts = check_texts(dialogues, 'dialogues')
        tokens = self._written(texts, num_beams, batch_size)
        pairs = zip(tokens, texts)
        return [self._encoder.summary(*pair) for pair in pairs]

    def evaluate(
        self,
        dialogues: Sequence[str],
        summaries: Sequence[str],
        num_beams: int | None = None,
        batch_size: int | None = None,
    ) -> dict[str, float]:
        """The scores of what is written, which are those of
        :func:`~gmoe.text.rouge_scores`, with

        * ``mean_words`` and ``mean_tokens``, the length of what is written,
        * ``num_cut``, the dialogues that had too many tokens and were cut,
        * ``num_unfinished``, the summaries that had not come to their end
          with the most tokens.

        Args:
            dialogues: The dialogues.
            summaries: The summary of each that it is compared with.
            num_beams: The beams of the search. (default: as the settings say)
            batch_size: The most dialogues at once. (default: as the settings
                say)

        Raises:
            ValueError: If there is no pair, one is no text or blank, the
                numbers differ, or a number is not positive.
        """
        texts, references = check_pairs(dialogues, summaries)
        tokens = self._written(texts, num_beams, batch_size, 'evaluate')
        found = [self._encoder.summary(*pair) for pair in zip(tokens, texts)]
        end = self.tokenizer.eos_token_id
        return {
            **rouge_scores(found, references),
            'mean_words': fmean(len(text.split()) for text in found),
            'mean_tokens': fmean(map(len, tokens)),
            'num_cut': self.num_cut['evaluate dialogues'],
            'num_unfinished': sum(end not in ids for ids in tokens),
        }

    def save_pretrained(self, folder: str | Path, merge: bool = False) -> None:
        """Writes the model, or its adapter alone, in safetensors, with the
        tokenizer and the settings.

        Args:
            folder: The folder, which is made where it is missing; ``~`` is
                the home.
            merge: Whether the whole model is written in place of its adapter
                alone, which is merged into it: the folder then needs no
                other model to be read. The model here keeps its adapter.

        Raises:
            ValueError: If it is no folder that can be written to, or the
                adapter is of weights that the model has in two places.
        """
        save(folder, self.model, self.tokenizer, self.settings, merge)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, base: Any = None, **settings: Any
    ) -> Self:
        """Reads what :meth:`save_pretrained` wrote.

        Args:
            folder: The folder; ``~`` is the home. One of any model of
                transformers with its tokenizer will do, or the name of such
                a one on the hub.
            base: For an adapter, the model that it is of, or its folder or
                name. (default: from where the adapter says)
            **settings: Settings of :class:`~gmoe.text.SummaryTraining` in
                place of those in the folder.

        Raises:
            ValueError: If it is no such folder, or a part of it is missing or
                in a pickle.
        """
        return cls(*load(folder, base, settings))

    def __repr__(self) -> str:
        base = self.model.get_base_model() if is_adapted(self.model) else None
        name = type(self.model if base is None else base).__name__
        return f'{type(self).__name__}({name})'

    def _held_out(
        self, validation: Pairs | None
    ) -> tuple[list[Any] | None, Callable[[Any], dict[str, float]] | None]:
        # What the best epoch is chosen on, and its scores.
        if validation is None:
            return None, None
        dialogues, summaries = check_validation(validation)
        rows = self._encoder.rows(dialogues, summaries, 'validation')
        # Dialogues of a length together need less padding.
        lengths = [len(row['input_ids']) for row in rows]
        order = sorted(range(len(rows)), key=lambda i: -lengths[i])

        def score(prediction: Any) -> dict[str, float]:
            written = prediction.predictions.tolist()
            found = [
                self._encoder.summary(tokens, dialogues[i])
                for tokens, i in zip(written, order, strict=True)
            ]
            return rouge_scores(found, [summaries[i] for i in order])

        return [rows[i] for i in order], score

    def _written(
        self,
        dialogues: list[str],
        num_beams: int | None,
        batch_size: int | None,
        name: str = 'summarize',
    ) -> list[list[int]]:
        settings = self.settings
        beams = settings.num_beams if num_beams is None else num_beams
        size = settings.batch_size if batch_size is None else batch_size
        check_integer(1, num_beams=beams, batch_size=size)
        full = [i for i, text in enumerate(dialogues) if text.strip()]
        if len(full) < len(dialogues):
            warnings.warn(
                f'{len(dialogues) - len(full)} of {len(dialogues)} dialogues '
                f'({name}) are blank, and so are their summaries',
                stacklevel=3,
            )
        chosen = [dialogues[i] for i in full]
        rows = self._encoder.rows(chosen, name=name) if full else []
        if not full:
            self.num_cut[f'{name} dialogues'] = 0
        out: list[list[int]] = [[] for _ in dialogues]
        most = settings.max_summary_tokens
        written = generate(self.model, self.tokenizer, rows, size, most, beams)
        for i, tokens in zip(full, written):
            out[i] = tokens
        return out

    def _fingerprint(
        self, train: list[Any], held_out: list[Any] | None
    ) -> dict[str, Any]:
        settings = {**vars(self.settings)}
        del settings['checkpoints']
        arguments = settings.pop('arguments')
        config = self.model.config.to_dict()
        weights = self.model.named_parameters()
        if is_adapted(self.model):
            # An adapter is drawn at random, and is in the checkpoint.
            weights = (pair for pair in weights if not pair[1].requires_grad)
            adapters = self.model.peft_config.items()
            config['adapters'] = {k: v.to_dict() for k, v in adapters}
        config = model_settings(config)
        fingerprint = {
            'kind': type(self).__name__,
            'weights': digest(part for pair in weights for part in pair),
            **settings,
            **{f'arguments.{key}': v for key, v in arguments.items()},
            **{f'model.{key}': v for key, v in config.items()},
        }
        for name, rows in (('', train), ('validation ', held_out or [])):
            for key, what in (
                ('input_ids', 'dialogues'),
                ('labels', 'summaries'),
            ):
                fingerprint[name + what] = digest(row[key] for row in rows)
        return fingerprint
