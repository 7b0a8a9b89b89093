"""The training, validation and test nodes of a graph."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from gmoe.common.arguments import check_integer
from gmoe.common.shown import shown

MASKS = ('train_mask', 'val_mask', 'test_mask')
#: The shares of training and validation nodes of a random split.
SHARES = (0.6, 0.2)
#: The largest seed of what is drawn.
MAX_SEED = 2**32 - 1


def take_split(data: Data, split: int | str | None, seed: int) -> str:
    """Gives a graph the masks of one split, of shape ``[N]``.

    Args:
        data: The graph, with masks of shape ``[N]`` or ``[N, splits]``, or
            none.
        split: The number of the split; :obj:`"random"`; or :obj:`None` for
            the first one, or a random one where there are no masks.
        seed: Decides on a random split.

    Returns:
        What the split is, as a sentence.

    Raises:
        ValueError: If there is no such split, or some of the masks only.
    """
    check_integer(0, MAX_SEED, split_seed=seed)
    found = [key for key in MASKS if key in data]
    if split == 'random' or (split is None and not found):
        data.update(random_masks(data.y, seed))
        return (
            f'The split is random, with seed {seed}: '
            f'{SHARES[0]:.0%} of the nodes with a class are for training, '
            f'{SHARES[1]:.0%} for validation'
        )
    if found and len(found) < len(MASKS):
        raise ValueError(f"'data' must have the masks {MASKS}, got {found}")
    masks = [data[key] for key in found]
    for key, mask in zip(found, masks):
        if (
            not isinstance(mask, Tensor)
            or mask.dtype != torch.bool
            or mask.dim() not in (1, 2)
            or mask.shape != masks[0].shape
            or mask.size(0) != len(data.y)
        ):
            raise ValueError(
                f"'{key}' must be a bool tensor of shape [{len(data.y)}] or "
                f'[{len(data.y)}, splits], as the other masks, got '
                f'{_form(mask)}'
            )
    number = _number(split, masks)
    for key, mask in zip(found, masks):
        data[key] = (mask.view(len(mask), -1)[:, number]).contiguous()
    count = masks[0].size(1) if masks[0].dim() == 2 else 1
    return f'The split is number {number} of {count}'


def _number(split: int | str | None, masks: list[Tensor]) -> int:
    count = 0
    if masks:
        count = masks[0].size(1) if masks[0].dim() == 2 else 1
    number = 0 if split is None else split
    is_number = type(number) is int
    if not is_number or not 0 <= int(number) < count:
        numbers = '0, or ' if count == 1 else f'0 to {count - 1}, or '
        known = ('' if count == 0 else numbers) + "'random'"
        raise ValueError(f"'split' must be {known}, got {shown(split)}")
    return int(number)


def random_masks(y: Tensor, seed: int) -> dict[str, Tensor]:
    """Masks of a random split of the nodes that have a class.

    Args:
        y: The classes, of shape ``[N]``, -1 where it is not known; or labels
            of shape ``[N, tasks]``, NaN where there is none.
        seed: Decides on the split.
    """
    known = y >= 0 if y.dim() == 1 else ~y.isnan().all(dim=1)
    index = known.nonzero().view(-1)
    generator = torch.Generator().manual_seed(seed)
    index = index[torch.randperm(len(index), generator=generator)]
    first = round(SHARES[0] * len(index))
    second = first + round(SHARES[1] * len(index))
    parts = index[:first], index[first:second], index[second:]
    out = {}
    for key, part in zip(MASKS, parts):
        out[key] = torch.zeros(len(y), dtype=torch.bool)
        out[key][part] = True
    return out


def _form(value: object) -> str:
    if isinstance(value, Tensor):
        return f'{value.dtype} of shape {list(value.shape)}'
    return type(value).__name__
