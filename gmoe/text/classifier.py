"""The base of all text classifiers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gmoe.common.arguments import check_integer
from gmoe.common.shown import shown
from gmoe.text.checks import Label, check_labels, check_texts
from gmoe.text.metrics import classification_scores

if TYPE_CHECKING:
    from typing_extensions import Self

#: Texts and their categories.
Labelled = tuple[Sequence[str], Sequence[Label]]


class TextClassifier(ABC):
    """Texts in, categories out.

    Texts are any sequence of texts, also an array or a series of pandas
    with any index; a single text is refused, since its letters would be taken
    for texts. Categories are all texts or all integers (those of numpy too).

    Args:
        seed: The seed of everything random, from 0 to :math:`2^{32} - 1`.

    Raises:
        ValueError: If the seed is no integer in that range.
    """

    def __init__(self, seed: int = 0) -> None:
        check_integer(0, 2**32 - 1, seed=seed)
        self.seed = int(seed)
        self.classes: list[Label] = []

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Label],
        validation: Labelled | None = None,
        classes: Sequence[Label] | None = None,
    ) -> Self:
        """Trains on texts. Where this fails, the classifier is as one that
        was not trained.

        Args:
            texts: The texts.
            labels: The category of each.
            validation: Texts and categories on which the best epoch is
                chosen, by classifiers that have epochs.
            classes: The categories. (default: those of :obj:`labels`)

        Raises:
            ValueError: If what is given is no text or no category, their
                numbers differ, a category is unknown, or there are fewer than
                two.
        """
        texts, labels = check_texts(texts), check_labels(labels)
        known = labels if classes is None else check_labels(classes, 'classes')
        names = sorted(set(known))
        numbers = _numbers(texts, labels, names)
        if len(set(numbers)) < 2:
            raise ValueError(
                "'labels' must hold at least two categories, got "
                f'{shown(labels[0])} only'
            )
        held_out = None
        if validation is not None:
            held_out = self._held_out(validation, names)
        self.classes = names
        try:
            self._fit(texts, numbers, held_out)
        except BaseException:
            self.classes = []
            raise
        return self

    @abstractmethod
    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each of :attr:`classes`, of shape
        :math:`(N, C)`.

        Args:
            texts: The texts; there may be none.

        Raises:
            RuntimeError: If the classifier is not trained.
            ValueError: If what is given is no text.
        """

    @property
    @abstractmethod
    def num_parameters(self) -> int:
        """The number of trained values."""

    def predict(self, texts: Sequence[str]) -> list[Label]:
        """The most probable category of each text.

        Args:
            texts: The texts; there may be none.

        Raises:
            RuntimeError: If the classifier is not trained.
            ValueError: If what is given is no text.
        """
        best = self.predict_proba(texts).argmax(axis=1)
        return [self.classes[i] for i in best]

    def score(
        self, texts: Sequence[str], labels: Sequence[Label]
    ) -> dict[str, float]:
        """Accuracy, weighted and macro F1.

        Args:
            texts: The texts.
            labels: The category of each.

        Raises:
            RuntimeError: If the classifier is not trained.
            ValueError: If there is no text, or a category is unknown.
        """
        texts = self._readable(texts)
        target = self.numbers(texts, labels)
        found = self.predict_proba(texts).argmax(axis=1).tolist()
        return classification_scores(target, found)

    def numbers(
        self, texts: Sequence[str], labels: Sequence[Label]
    ) -> list[int]:
        """The position of each text's category in :attr:`classes`.

        Args:
            texts: The texts.
            labels: The category of each.

        Raises:
            ValueError: If there is no text, or a category is unknown.
        """
        return _numbers(check_texts(texts), check_labels(labels), self.classes)

    def save(self, folder: str | Path) -> None:
        """Writes what was trained: weights in safetensors, the rest in JSON.

        Args:
            folder: The folder, which is made where it is missing; ``~`` is
                the home.

        Raises:
            RuntimeError: If the classifier is not trained.
            ValueError: If it is no folder that can be written to.
        """
        self._readable([])
        path = Path(folder).expanduser()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._save(path)
        except OSError as error:
            raise ValueError(
                "'folder' must be a folder that can be written to, got "
                f"'{folder}': {error}"
            ) from error

    def load(self, folder: str | Path) -> Self:
        """Reads what :meth:`save` wrote.

        Args:
            folder: The folder; ``~`` is the home.

        Raises:
            ValueError: If it is no folder, or does not hold such a
                classifier.
        """
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise ValueError(
                f"'folder' must be a folder with a saved classifier, got "
                f"'{folder}', which is no folder"
            )
        self._load(path)
        return self

    @abstractmethod
    def _fit(
        self,
        texts: list[str],
        labels: list[int],
        validation: tuple[list[str], list[int]] | None,
    ) -> None: ...

    @abstractmethod
    def _save(self, folder: Path) -> None: ...

    @abstractmethod
    def _load(self, folder: Path) -> None: ...

    def _readable(self, texts: Sequence[str]) -> list[str]:
        # The texts as a list, if the classifier is trained.
        if not self.classes:
            raise RuntimeError('the classifier is not trained: call fit first')
        return check_texts(texts)

    def _held_out(
        self, validation: Labelled, names: list[Label]
    ) -> tuple[list[str], list[int]]:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise ValueError(
                "'validation' must be a pair of texts and labels, got "
                f'{shown(validation)}'
            )
        texts = check_texts(validation[0], 'texts of validation')
        labels = check_labels(validation[1], 'labels of validation')
        return texts, _numbers(texts, labels, names)


def _numbers(
    texts: list[str], labels: list[Label], names: list[Label]
) -> list[int]:
    if len(texts) == 0 or len(texts) != len(labels):
        raise ValueError(
            "'texts' and 'labels' must have the same length, at least "
            f'one, got {len(texts)} and {len(labels)}'
        )
    # True is 1 for a dictionary.
    number = {(type(name), name): i for i, name in enumerate(names)}
    for text, label, index in zip(texts, labels, range(len(texts))):
        if (type(label), label) not in number:
            raise ValueError(
                f"'labels' must be among {shown(names, 400)}, got "
                f'{shown(label)} of text {index}: {shown(text)}'
            )
    return [number[type(label), label] for label in labels]
