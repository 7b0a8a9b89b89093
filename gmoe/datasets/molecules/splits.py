"""Splits of molecules into parts for training, validation and testing."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.shown import counted
from gmoe.datasets.molecules.clusters import clusters
from gmoe.datasets.molecules.groups import (
    Groups,
    molecules,
    scaffolds,
    targets_order,
)

KINDS = ('random', 'scaffold', 'scaffold-balanced', 'stratified', 'cluster')
PARTS = ('train', 'valid', 'test')
SHARES = (0.8, 0.1, 0.1)
#: The shares of parts where a column of parts has none to validate on.
WITHOUT_TEST = (0.9, 0.1, 0.0)
NO_VALID = (
    "the split has no part 'valid': a tenth of 'train' is drawn for it, at "
    'random'
)
#: The fewest folds: one to test on, one to select on, others to train on.
MIN_FOLDS = 3


def split(
    kind: str,
    smiles: Sequence[str],
    y: np.ndarray | None = None,
    seed: int = 0,
    folds: int | None = None,
    fold: int = 0,
    shares: Sequence[float] = SHARES,
) -> dict[str, Tensor]:
    r"""Splits molecules. Copies of a molecule are always in one part.

    * ``'random'``: at random.
    * ``'scaffold'``: molecules with the same scaffold (`Bemis and Murcko
      1996 <https://doi.org/10.1021/jm9602928>`_, with chirality) are in one
      part, the largest groups in training: deterministic, as of OGB and
      DeepChem. It gives OGB's own splits; of ``ogbg-molbbbp``, 4 of 2,039
      molecules move, as RDKit's scaffolds depend on the spelling a little.
    * ``'scaffold-balanced'``: the same groups, those that are no larger than
      half of a part in a random order, the larger ones in training.
    * ``'stratified'``: at random, but dealt in the order of the targets, so
      that each part has its share of each class and of each range of values.
    * ``'cluster'``: molecules of a :func:`cluster
      <gmoe.datasets.molecules.clusters.clusters>` are in one part, the
      largest groups in training.

    With folds, the groups are dealt to the least filled fold, one fold tests,
    the next one validates, and the others train.

    Args:
        kind: One of :obj:`KINDS`.
        smiles: The canonical SMILES strings.
        y: The targets :math:`(N, T)`, for ``'stratified'``; -1 and
            :obj:`NaN` are missing.
        seed: The seed.
        folds: The number of folds, 3 or more. (default: parts of the given
            shares instead)
        fold: Which fold tests, from 0 on.
        shares: The shares of training, validation and testing, of which the
            last two may be zero.

    Returns:
        The positions of ``'train'``, ``'valid'`` and ``'test'``, in
        increasing order.

    Raises:
        ValueError: If an argument is out of range, or a part would be empty.
    """
    check_choice('split', kind, KINDS)
    check_integer(0, seed=seed)
    if folds is None:
        check_integer(0, 0, fold=fold)
        shares = _checked(shares)
    else:
        check_integer(MIN_FOLDS, folds=folds)
        check_integer(0, folds - 1, fold=fold)
    if kind == 'stratified' and y is None:
        raise ValueError("'stratified' needs targets 'y', got None")
    groups = _groups(kind, smiles)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(groups))
    if kind == 'stratified':
        assert y is not None
        shuffled = [groups[i] for i in order]
        order = order[targets_order(shuffled, np.where(y == -1, np.nan, y))]
        share = shares if folds is None else [1 / folds] * folds
        dealt = _spread([groups[i] for i in order], share)
    elif folds is None:
        dealt = _filled(kind, groups, order, shares)
    else:
        dealt = _leveled(kind, groups, order, folds)
    index = [
        torch.from_numpy(np.sort(np.concatenate(part))).long()
        if part
        else torch.empty(0, dtype=torch.long)
        for part in dealt
    ]
    if folds is not None:
        test, valid = index[fold], index[(fold + 1) % folds]
        others = [
            index[i]
            for i in range(folds)
            if i not in (fold, (fold + 1) % folds)
        ]
        index = [torch.cat(others).sort().values, valid, test]
    out = dict(zip(PARTS, index))
    for (part, positions), wanted in zip(out.items(), shares):
        if not positions.numel() and (wanted > 0 or folds is not None):
            raise ValueError(
                f"'split' must leave molecules for each part, got none for "
                f"'{part}' of {counted(len(smiles), 'molecule')} in "
                f"{counted(len(groups), 'group')} of '{kind}'"
            )
    return out


def split_by_parts(
    part: Sequence[str], smiles: Sequence[str], seed: int = 0
) -> dict[str, Tensor]:
    """Splits molecules by parts that are given. Where none is there to
    validate on, a tenth of those of the training is drawn for it.

    Args:
        part: The part of each molecule, of :obj:`PARTS`.
        smiles: The canonical SMILES strings.
        seed: The seed.

    Returns:
        As of :func:`split`.

    Raises:
        ValueError: If molecules are too few to draw from.
    """
    names = np.array(part)
    found = {
        name: torch.from_numpy(np.flatnonzero(names == name)) for name in PARTS
    }
    if not found['valid'].numel():
        train = found['train']
        among = [smiles[i] for i in train.tolist()]
        drawn = split('random', among, seed=seed, shares=WITHOUT_TEST)
        found['train'] = train[drawn['train']]
        found['valid'] = train[drawn['valid']]
    return found


def _checked(shares: Sequence[float]) -> Sequence[float]:
    are_three = len(shares) == 3 and all(
        isinstance(share, Real) and 0 <= share < 1 for share in shares
    )
    if not are_three or not shares[0] or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(
            "'shares' must be three in [0, 1) that sum up to 1, of training, "
            f'validation and testing, got {list(shares)}'
        )
    return shares


def _groups(kind: str, smiles: Sequence[str]) -> Groups:
    if kind.startswith('scaffold'):
        return scaffolds(smiles)
    return clusters(smiles) if kind == 'cluster' else molecules(smiles)


def _filled(
    kind: str, groups: Groups, order: np.ndarray, shares: Sequence[float]
) -> list[Groups]:
    """Fills training, then validation, then testing."""
    size = sum(map(len, groups))
    train, valid = shares[0] * size, (shares[0] + shares[1]) * size
    if kind in ('scaffold', 'cluster'):
        # The order of DeepChem and OGB.
        groups = sorted(groups, key=lambda g: (len(g), g[0]), reverse=True)
    else:
        groups = [groups[i] for i in order]
    if kind == 'scaffold-balanced':
        large = min(shares[1:]) * size / 2
        groups.sort(key=lambda g: len(g) <= large)
    parts: list[Groups] = [[], [], []]
    counts = [0, 0, 0]
    for group in groups:
        part = 2
        if counts[0] + len(group) <= train:
            part = 0
        elif counts[0] + counts[1] + len(group) <= valid:
            part = 1
        parts[part].append(group)
        counts[part] += len(group)
    return parts


def _leveled(
    kind: str, groups: Groups, order: np.ndarray, folds: int
) -> list[Groups]:
    """Deals each group, the largest ones first, to the emptiest fold."""
    if kind != 'scaffold':
        groups = [groups[i] for i in order]
    parts: list[Groups] = [[] for _ in range(folds)]
    counts = np.zeros(folds, dtype=int)
    for group in sorted(groups, key=len, reverse=True):
        part = int(counts.argmin())
        parts[part].append(group)
        counts[part] += len(group)
    return parts


def _spread(groups: Groups, shares: Sequence[float]) -> list[Groups]:
    """Deals groups in their order, each to the part that lacks most."""
    parts: list[Groups] = [[] for _ in shares]
    counts = np.zeros(len(shares))
    for group in groups:
        lacking = np.array(shares) * (counts.sum() + len(group)) - counts
        part = int(lacking.argmax())
        parts[part].append(group)
        counts[part] += len(group)
    return parts
