"""The simplest text classifier."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gmoe.common.arguments import check_integer, check_number
from gmoe.common.files import replace_text
from gmoe.common.require import require
from gmoe.text.checks import check_labels, check_texts
from gmoe.text.classifier import TextClassifier

_SETTINGS, _WEIGHTS = 'tfidf.json', 'tfidf.safetensors'


class TfidfClassifier(TextClassifier):
    """TF-IDF of words and logistic regression.

    The defaults are what ``benchmarks.webnlg.tfidf_selection`` chooses for
    WebNLG, on entities that are held out of its training entries: words end
    at underscores, so that ``Alan_Bean`` is two.

    Args:
        token_pattern: What a word is, as a regular expression.
        max_ngram: The most words in a row that are taken as one.
        sublinear_tf: Whether the logarithm of counts is taken.
        regularization: The inverse of the regression's penalty.
        max_iter: The most iterations of the regression.
        seed: The seed of everything random.

    Raises:
        ValueError: If a setting is out of range.
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
        check_number(regularization=regularization, inclusive=False)
        check_integer(1, max_ngram=max_ngram, max_iter=max_iter)
        self.settings: dict[str, Any] = {
            'token_pattern': token_pattern,
            'max_ngram': int(max_ngram),
            'sublinear_tf': bool(sublinear_tf),
            'regularization': float(regularization),
            'max_iter': int(max_iter),
        }
        self.pipeline = self._pipeline()

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        texts = self._readable(texts)
        known = self.pipeline[-1].classes_
        out = np.zeros((len(texts), len(self.classes)))
        if len(texts) > 0:
            # A category without a text of its own is never predicted.
            out[:, known] = self.pipeline.predict_proba(texts)
        return out

    @property
    def num_parameters(self) -> int:
        self._readable([])
        regression = self.pipeline[-1]
        return regression.coef_.size + regression.intercept_.size

    def _pipeline(self, vocabulary: list[str] | None = None) -> Any:
        linear = require('sklearn.linear_model')
        text = require('sklearn.feature_extraction.text')
        pipeline = require('sklearn.pipeline')
        settings = self.settings
        return pipeline.make_pipeline(
            text.TfidfVectorizer(
                token_pattern=settings['token_pattern'],
                ngram_range=(1, settings['max_ngram']),
                sublinear_tf=settings['sublinear_tf'],
                vocabulary=vocabulary,
            ),
            linear.LogisticRegression(
                C=settings['regularization'],
                max_iter=settings['max_iter'],
                random_state=self.seed,
            ),
        )

    def _fit(
        self,
        texts: list[str],
        labels: list[int],
        validation: tuple[list[str], list[int]] | None,
    ) -> None:
        pipeline = self._pipeline()
        words = pipeline[0].build_analyzer()
        if not any(words(text) for text in texts):
            raise ValueError(
                "'texts' must hold at least one word of the pattern "
                f'{self.settings["token_pattern"]!r}, got none in '
                f'{len(texts)} texts'
            )
        self.pipeline = pipeline.fit(texts, labels)

    def _save(self, folder: Path) -> None:
        vectorizer, regression = self.pipeline
        words = vectorizer.vocabulary_
        settings = {
            'settings': self.settings,
            'seed': self.seed,
            'classes': self.classes,
            'words': sorted(words, key=words.__getitem__),
        }
        weights = {
            'idf': vectorizer.idf_,
            'coef': np.ascontiguousarray(regression.coef_),
            'intercept': regression.intercept_,
            'known': regression.classes_,
        }
        require('safetensors.numpy').save_file(weights, folder / _WEIGHTS)
        replace_text(folder / _SETTINGS, json.dumps(settings))

    def _load(self, folder: Path) -> None:
        try:
            self._read(folder)
        except Exception as error:
            self.classes = []
            raise ValueError(
                "'folder' must be a folder with a saved TfidfClassifier, got "
                f"'{folder}': {error!r:.200}"
            ) from error

    def _read(self, folder: Path) -> None:
        saved = json.loads((folder / _SETTINGS).read_text('utf-8'))
        read = require('safetensors.numpy').load_file(folder / _WEIGHTS)
        words = check_texts(saved['words'], 'words')
        classes = check_labels(saved['classes'], 'classes')
        known = read['known']
        rows = 1 if len(known) == 2 else len(known)
        shapes = {'idf': (len(words),), 'coef': (rows, len(words))}
        shapes['intercept'] = (rows,)
        for name, shape in shapes.items():
            if read[name].shape != shape:
                raise ValueError(
                    f"'{name}' must have shape {shape}, got {read[name].shape}"
                )
        if not all(0 <= number < len(classes) for number in known):
            raise ValueError(
                f"'known' must number {len(classes)} categories, got {known}"
            )
        self.__init__(**saved['settings'], seed=saved['seed'])  # type: ignore
        self.pipeline = self._pipeline(words)
        vectorizer, regression = self.pipeline
        vectorizer.build_analyzer()  # Looks at the pattern.
        vectorizer.idf_ = read['idf']
        regression.coef_ = read['coef']
        regression.intercept_ = read['intercept']
        regression.classes_ = known
        regression.n_features_in_ = len(words)
        self.classes = classes
