"""Tables of features of the texts of WebNLG."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from gmoe.datasets.cache import TensorCache
from gmoe.datasets.webnlg.encoder import (
    ENCODER_VERSION,
    encoder_features,
    encoder_fingerprint,
    encoder_size,
)
from gmoe.datasets.webnlg.hashed import HASHED_VERSION, hashed_features

Features = Literal['hashed', 'encoder']
FEATURES = ('hashed', 'encoder')


@dataclass(frozen=True)
class TextFeatures:
    """How a text becomes features.

    Args:
        kind (str): `"hashed"` or `"encoder"`.
        dim (int): The number of hashed features.
        ngrams (Tuple[int, int]): The n-grams that are hashed.
        encoder (str, optional): The name or the folder of the encoder.
        cache (pathlib.Path): The folder of tables.
    """

    kind: Features
    dim: int
    ngrams: tuple[int, int]
    encoder: str | None
    cache: Path

    def __post_init__(self) -> None:
        if self.kind not in FEATURES:
            raise ValueError(
                f"'features' needs to be one of {FEATURES} (got {self.kind!r})"
            )
        if self.kind == 'encoder' and not self.encoder:
            raise ValueError(
                "'encoder' needs to be the name or the folder of an encoder "
                "if 'features' is 'encoder' (got none)"
            )

    @property
    def name(self) -> str:
        """What tells features from others, in a word."""
        if self.kind == 'hashed':
            low, high = self.ngrams
            return f'hashed-{HASHED_VERSION}-{self.dim}-{low}-{high}'
        assert self.encoder is not None
        fingerprint = encoder_fingerprint(self.encoder).encode()
        digest = hashlib.sha256(fingerprint).hexdigest()[:16]
        return f'encoder-{ENCODER_VERSION}-{digest}'

    @property
    def num_features(self) -> int:
        """The number of features of a text."""
        if self.kind == 'hashed':
            return self.dim
        assert self.encoder is not None
        return encoder_size(self.encoder)

    def table(self, texts: Sequence[str]) -> Tensor:
        """Returns a row for each text, made once for the same texts."""
        if self.kind == 'hashed':
            # Checks its arguments.
            hashed_features([], self.dim, self.ngrams)
            what: list[Any] = [HASHED_VERSION, self.dim, list(self.ngrams)]
        else:
            assert self.encoder is not None
            fingerprint = encoder_fingerprint(self.encoder)
            what = [ENCODER_VERSION, fingerprint]
        text = json.dumps([self.kind, what, list(texts)])
        key = hashlib.sha256(text.encode()).hexdigest()
        cache = TensorCache(Path(self.kind), key, self.cache)
        return cache.get(lambda: {'table': self.make(texts)})['table']

    def make(self, texts: Sequence[str]) -> Tensor:
        """Returns a row for each text."""
        if self.kind == 'hashed':
            return hashed_features(texts, self.dim, self.ngrams)
        assert self.encoder is not None
        return encoder_features(texts, self.encoder)
