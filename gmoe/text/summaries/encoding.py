"""Dialogues and summaries as the tokens that a model reads and writes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from gmoe.common.shown import shown
from gmoe.text.checks import check_texts
from gmoe.text.summaries.speakers import Speakers


def check_pairs(
    dialogues: Any, summaries: Any, where: str = ''
) -> tuple[list[str], list[str]]:
    """The dialogues and their summaries, as lists.

    Args:
        dialogues: The dialogues.
        summaries: The summary of each.
        where: What they are of, for messages, such as ``" of validation"``.

    Raises:
        ValueError: If there is none, their numbers differ, or one is no text
            or blank.
    """
    names = [f'{name}{where}' for name in ('dialogues', 'summaries')]
    texts = [
        check_texts(dialogues, names[0]),
        check_texts(summaries, names[1]),
    ]
    if not texts[0] or len(texts[0]) != len(texts[1]):
        raise ValueError(
            f"'{names[0]}' and '{names[1]}' must have the same length, at "
            f'least one, got {len(texts[0])} and {len(texts[1])}'
        )
    for name, values in zip(names, texts):
        for index, text in enumerate(values):
            if not text.strip():
                raise ValueError(
                    f"'{name}' must not be blank, got {shown(text)} at "
                    f'position {index}: leave such a pair out'
                )
    return texts[0], texts[1]


def check_validation(validation: Any) -> tuple[list[str], list[str]]:
    """The dialogues and the summaries for validation, as lists.

    Args:
        validation: Both.

    Raises:
        ValueError: If they are no such pair.
    """
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ValueError(
            "'validation' must be a pair of dialogues and summaries, got "
            f'{shown(validation)}'
        )
    dialogues, summaries = validation
    return check_pairs(dialogues, summaries, ' of validation')


class Encoder:
    """Puts dialogues and summaries into tokens, and tokens into summaries.

    Args:
        tokenizer: The tokenizer.
        settings: The settings with the prefix, the most tokens, and how
            speakers are named.

    Attributes:
        num_cut: How many texts of each kind had more tokens than there may
            be, and were cut.
    """

    def __init__(self, tokenizer: Any, settings: Any) -> None:
        self.tokenizer, self.settings = tokenizer, settings
        self.num_cut: dict[str, int] = {}

    def rows(
        self,
        dialogues: Sequence[str],
        summaries: Sequence[str] | None = None,
        name: str = 'fit',
    ) -> list[dict[str, Any]]:
        """The tokens of dialogues, and of their summaries as labels.

        Args:
            dialogues: The dialogues.
            summaries: The summary of each, if any.
            name: What they are for, in warnings and in :attr:`num_cut`.
        """
        prefix = self.settings.prefix
        inputs = [prefix + self._hidden(d, d) for d in dialogues]
        most = self.settings.max_input_tokens
        encoded = self._encode(inputs, most, name, 'dialogues')
        rows = [
            {'input_ids': ids, 'attention_mask': [1] * len(ids)}
            for ids in encoded
        ]
        if summaries is not None:
            pairs = zip(dialogues, summaries)
            targets = [self._hidden(d, summary) for d, summary in pairs]
            most = self.settings.max_summary_tokens
            labels = self._encode(targets, most, name, 'summaries')
            for row, ids in zip(rows, labels):
                row['labels'] = ids
        return rows

    def summary(self, tokens: Sequence[int], dialogue: str) -> str:
        """What a model has written on a dialogue.

        Args:
            tokens: Its tokens; negative ones are padding.
            dialogue: The dialogue, whose speakers have their names again.
        """
        text = self.tokenizer.decode(
            [token for token in tokens if token >= 0],
            skip_special_tokens=True,
        )
        if self.settings.speakers == 'tokens':
            text = Speakers.of(dialogue).restore(text)
        return text.strip()

    def _hidden(self, dialogue: str, text: str) -> str:
        if self.settings.speakers == 'names':
            return text
        return Speakers.of(dialogue).hide(text)

    def _encode(
        self, texts: list[str], most: int, name: str, kind: str
    ) -> list[list[int]]:
        # Some have another language for what is written.
        argument = 'text_target' if kind == 'summaries' else 'text'
        whole = self.tokenizer(**{argument: texts}, verbose=False)['input_ids']
        long = [i for i, ids in enumerate(whole) if len(ids) > most]
        self.num_cut[f'{name} {kind}'] = len(long)
        if not long:
            return whole
        longest = max(map(len, whole))
        warnings.warn(
            f'{len(long)} of {len(texts)} {kind} ({name}) have more than '
            f'{most} tokens (at most {longest}) and are cut: {long[:20]}'
            f'{"..." if len(long) > 20 else ""}, the first being '
            f'{shown(texts[long[0]], 80)}',
            stacklevel=4,
        )
        # The tokenizer keeps the end in its place.
        cut = self.tokenizer(
            **{argument: [texts[i] for i in long]},
            truncation=True,
            max_length=most,
        )['input_ids']
        for i, ids in zip(long, cut):
            whole[i] = ids
        return whole
