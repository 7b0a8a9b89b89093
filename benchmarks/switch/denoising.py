"""Texts with holes, and the whole texts to be written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

#: Stands for a hole, however long.
MASK_TOKEN = '<mask>'


class Denoising(Dataset[dict[str, list[int]]]):
    """Text infilling, the pre-training of `"BART: Denoising
    Sequence-to-Sequence Pre-training"
    <https://arxiv.org/abs/1910.13461>`_: holes whose lengths follow a Poisson
    distribution, one token for each of them, and the whole text as the
    target. A text has other holes in each epoch.

    Args:
        texts: The texts as token ids, without the token for their end.
        epochs: How many times each text comes.
        mask: The id of the token of a hole.
        end: The id of the token for the end.
        share: The share of tokens that are left out.
        mean_length: The mean length of a hole.
        seed: Holes are drawn from this number and the item's own.
    """

    def __init__(
        self,
        texts: Sequence[Sequence[int]],
        epochs: int,
        mask: int,
        end: int,
        share: float = 0.3,
        mean_length: float = 3.0,
        seed: int = 0,
    ) -> None:
        self.texts = texts
        self.epochs = epochs
        self.mask = mask
        self.end = end
        self.share = share
        self.mean_length = mean_length
        self.seed = seed

    def __len__(self) -> int:
        return len(self.texts) * self.epochs

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        if index >= len(self):
            raise IndexError(index)  # Ends an iteration.
        text = list(self.texts[index % len(self.texts)])
        random = np.random.default_rng([self.seed, index])
        corrupted = [*self._with_holes(text, random), self.end]
        return {
            'input_ids': corrupted,
            'attention_mask': [1] * len(corrupted),
            'labels': [*text, self.end],
        }

    def _with_holes(
        self, text: list[int], random: np.random.Generator
    ) -> list[int]:
        left_out = np.zeros(len(text), bool)
        while left_out.sum() < round(self.share * len(text)):
            length = max(1, random.poisson(self.mean_length))
            first = random.integers(len(text))
            left_out[first : first + length] = True
        out: list[int] = []
        for token, is_hole in zip(text, left_out, strict=True):
            if not is_hole:
                out.append(token)
            elif not out or out[-1] != self.mask:
                out.append(self.mask)
        return out
