"""What all text classifiers have in common, and the simplest of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from gmoe._require import require
from gmoe.text.metrics import classification_scores

#: Texts and their categories.
Labelled = tuple[Sequence[str], Sequence[str]]


class TextClassifier(ABC):
    """Texts in, categories out.

    Args:
        seed: Of everything random.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.classes: list[str] = []

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        validation: Labelled | None = None,
        classes: Sequence[str] | None = None,
    ) -> TextClassifier:
        """Trains on texts.

        Args:
            texts: The texts.
            labels: The category of each.
            validation: Texts and categories on which the best epoch is
                chosen, by classifiers that have epochs.
            classes: The categories. (default: those of :obj:`labels`)

        Raises:
            ValueError: If there is no text, or a category is unknown.
        """
        self.classes = sorted(set(labels if classes is None else classes))
        numbers = self.numbers(texts, labels)
        held_out = None
        if validation is not None:
            held_out = list(validation[0]), self.numbers(*validation)
        self._fit(list(texts), numbers, held_out)
        return self

    @abstractmethod
    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each of :attr:`classes`, of shape
        :math:`(N, C)`.

        Args:
            texts: The texts.
        """

    @property
    @abstractmethod
    def num_parameters(self) -> int:
        """The number of trained values."""

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most probable category of each text.

        Args:
            texts: The texts.
        """
        best = self.predict_proba(texts).argmax(axis=1)
        return [self.classes[i] for i in best]

    def score(
        self, texts: Sequence[str], labels: Sequence[str]
    ) -> dict[str, float]:
        """Accuracy, weighted and macro F1.

        Args:
            texts: The texts.
            labels: The category of each.

        Raises:
            ValueError: If there is no text, or a category is unknown.
        """
        self.numbers(texts, labels)
        return classification_scores(list(labels), self.predict(texts))

    def numbers(
        self, texts: Sequence[str], labels: Sequence[str]
    ) -> list[int]:
        """The position of each text's category in :attr:`classes`.

        Args:
            texts: The texts.
            labels: The category of each.

        Raises:
            ValueError: If there is no text, or a category is unknown.
        """
        if len(texts) == 0 or len(texts) != len(labels):
            raise ValueError(
                "'texts' and 'labels' must have the same length, at least "
                f'one, got {len(texts)} and {len(labels)}'
            )
        number = {name: i for i, name in enumerate(self.classes)}
        for index, label in enumerate(labels):
            if label not in number:
                raise ValueError(
                    f'the category {label!r} of text {index} '
                    f'({texts[index][:80]!r}) is unknown: the categories are '
                    f'{self.classes}'
                )
        return [number[label] for label in labels]

    @abstractmethod
    def _fit(
        self,
        texts: list[str],
        labels: list[int],
        validation: tuple[list[str], list[int]] | None,
    ) -> None: ...


class TfidfClassifier(TextClassifier):
    """TF-IDF of words and logistic regression.

    The defaults are what ``python -m benchmarks.tfidf_selection`` chooses for
    WebNLG, on entities that are held out of its training entries: words end
    at underscores, so that ``Alan_Bean`` is two.

    Args:
        token_pattern: What a word is, as a regular expression.
        max_ngram: The most words in a row that are taken as one.
        sublinear_tf: Whether the logarithm of counts is taken.
        regularization: The inverse of the regression's penalty.
        max_iter: The most iterations of the regression.
        seed: Of everything random.
    """

    def __init__(
        self,
        token_pattern: str = r'[^\W_]+',
        max_ngram: int = 1,
        sublinear_tf: bool = True,
        regularization: float = 10.0,
        max_iter: int = 1000,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        linear = require('sklearn.linear_model')
        text = require('sklearn.feature_extraction.text')
        pipeline = require('sklearn.pipeline')
        self.pipeline = pipeline.make_pipeline(
            text.TfidfVectorizer(
                token_pattern=token_pattern,
                ngram_range=(1, max_ngram),
                sublinear_tf=sublinear_tf,
            ),
            linear.LogisticRegression(
                C=regularization, max_iter=max_iter, random_state=seed
            ),
        )

    def _fit(
        self,
        texts: list[str],
        labels: list[int],
        validation: tuple[list[str], list[int]] | None,
    ) -> None:
        self.pipeline.fit(texts, labels)

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        known = self.pipeline[-1].classes_
        out = np.zeros((len(texts), len(self.classes)))
        if len(texts) > 0:
            # A category without a text of its own is never predicted.
            out[:, known] = self.pipeline.predict_proba(list(texts))
        return out

    @property
    def num_parameters(self) -> int:
        regression = self.pipeline[-1]
        return regression.coef_.size + regression.intercept_.size
