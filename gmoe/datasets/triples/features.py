"""Tables of features of the texts of triples."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from gmoe.common.arguments import check_choice
from gmoe.datasets.cache import TensorCache
from gmoe.datasets.triples.encoder import (
    ENCODER_VERSION,
    encoder_features,
    encoder_fingerprint,
    encoder_size,
)
from gmoe.datasets.triples.hashed import HASHED_VERSION, hashed_features

Features = Literal['hashed', 'encoder']
FEATURES = ('hashed', 'encoder')


@dataclass(frozen=True)
class TextFeatures:
    """The settings by which texts become features.

    Args:
        kind: ``"hashed"`` for hashed words and n-grams of characters, which
            need nothing, or ``"encoder"`` for the embeddings of a text
            encoder of Hugging Face, computed once and kept on disk.
        dim: The number of hashed features.
        ngrams: The shortest and the longest n-grams that are hashed.
        encoder: The encoder's name on the hub, or its folder.
        cache_dir: Where features are kept. (default: that of the environment
            variable ``GMOE_CACHE_DIR``, then ``"$XDG_CACHE_HOME/gmoe"`` or
            ``"~/.cache/gmoe"``)

    Raises:
        ValueError: If an argument is out of range.
    """

    kind: Features = 'hashed'
    dim: int = 256
    ngrams: tuple[int, int] = (3, 5)
    encoder: str | None = None
    cache_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        check_choice('features', self.kind, FEATURES)
        if self.kind == 'hashed':
            hashed_features([], self.dim, self.ngrams)
        elif not self.encoder:
            raise ValueError(
                "'encoder' must be the name or the folder of an encoder if "
                f"'features' is 'encoder', got {self.encoder!r}"
            )

    @property
    def name(self) -> str:
        """A name that no other features have."""
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
        what: list[Any] = [HASHED_VERSION, self.dim, list(self.ngrams)]
        if self.kind == 'encoder':
            assert self.encoder is not None
            what = [ENCODER_VERSION, encoder_fingerprint(self.encoder)]
        text = json.dumps([self.kind, what, list(texts)])
        key = hashlib.sha256(text.encode()).hexdigest()
        name = f'texts/{self.kind}'
        cache = TensorCache.by_content(name, key, self.cache_dir)
        return cache.get(lambda: {'table': self.make(texts)})['table']

    def make(self, texts: Sequence[str]) -> Tensor:
        """Returns a row for each text."""
        if self.kind == 'hashed':
            return hashed_features(texts, self.dim, self.ngrams)
        assert self.encoder is not None
        return encoder_features(texts, self.encoder)
