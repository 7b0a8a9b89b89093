"""Features of a text without a vocabulary: hashed words and n-grams."""

import hashlib
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from gmoe.common.arguments import check_integer

#: To be raised whenever a text gets other features.
HASHED_VERSION = 1


def hashed_features(
    texts: Sequence[str],
    dim: int = 256,
    ngrams: tuple[int, int] = (3, 5),
) -> Tensor:
    r"""Returns features of texts that are the same in every process.

    Each word, and each n-gram of characters of a word with its ends marked,
    is hashed to one of :obj:`dim` features and a sign. Words and n-grams
    have half of the squared norm each, which is one in total; only a text
    without words is all zero.

    Args:
        texts: The texts.
        dim: The number of features.
        ngrams: The shortest and the longest n-grams.

    Shapes:
        - **output:** :math:`(N, D)`, of data type :obj:`torch.float`

    Raises:
        ValueError: If :obj:`dim` or :obj:`ngrams` is out of range.
    """
    check_integer(1, dim=dim)
    if not 1 <= ngrams[0] <= ngrams[1]:
        raise ValueError(
            f"'ngrams' must be a range of positive lengths, got {ngrams}"
        )
    memory: dict[str, tuple[int, float]] = {}
    out = torch.zeros(len(texts), dim, dtype=torch.double)
    for row, text in enumerate(texts):
        words = _words(text)
        grams = [gram for word in words for gram in _ngrams(word, ngrams)]
        for prefix, terms in (('w', words), ('c', grams)):
            out[row] += _block(prefix, terms, dim, memory)
    norm = out.norm(dim=1, keepdim=True)
    return (out / norm.clamp(min=1e-12)).float()


def _block(
    prefix: str,
    terms: list[str],
    dim: int,
    memory: dict[str, tuple[int, float]],
) -> Tensor:
    out = [0.0] * dim
    for term, count in Counter(terms).items():
        key = prefix + term
        if key not in memory:
            memory[key] = _hash(key, dim)
        index, sign = memory[key]
        out[index] += sign * count**0.5
    block = torch.tensor(out, dtype=torch.double)
    return block / block.norm().clamp(min=1e-12)


def _hash(key: str, dim: int) -> tuple[int, float]:
    # Python's own hash differs from process to process.
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    value = int.from_bytes(digest, 'little')
    return (value >> 1) % dim, 1.0 if value & 1 else -1.0


def _words(text: str) -> list[str]:
    kept = ''.join(c if c.isalnum() else ' ' for c in text.lower())
    return kept.split()


def _ngrams(word: str, ngrams: tuple[int, int]) -> list[str]:
    word = f'<{word}>'
    return [
        word[start : start + size]
        for size in range(ngrams[0], ngrams[1] + 1)
        for start in range(len(word) - size + 1)
    ]
