"""Noise, selection, weights and load of the noisy top-k gate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gmoe.ops.backend import MAX_CUDA_EXPERTS, declare_op, use_native
from gmoe.ops.check import check_shape


class NoisyTopK(NamedTuple):
    """The experts that a gate selects.

    Attributes:
        weight: Weights of the selected experts, the largest first, of shape
            :math:`(N, k)`.
        expert: The selected experts, int64 of shape :math:`(N, k)`.
        logits: The scores that the selection was made from, noise included,
            of shape :math:`(N, n)`.
        load: The probability that expert :math:`o` stays selected for node
            :math:`i` when its noise is drawn anew, of shape :math:`(N, n)`;
            :obj:`None` without noise.
    """

    weight: Tensor
    expert: Tensor
    logits: Tensor
    load: Tensor | None


def noisy_topk(
    clean: Tensor,
    raw: Tensor | None,
    noise: Tensor | None,
    top_k: int,
    topk_first: bool = True,
) -> NoisyTopK:
    r"""Selects the :math:`k` experts with the largest scores
    :math:`\mathbf{Q} = \mathbf{C} + \boldsymbol{\epsilon} \odot
    (\mathrm{softplus}(\mathbf{R}) + 0.01)` (`Shazeer et al. 2017
    <https://arxiv.org/abs/1701.06538>`_, eq. 3-5 and 8-9). Equal scores are
    resolved in favour of the lower expert id.

    Args:
        clean: The scores :math:`\mathbf{C}`, of shape :math:`(N, n)`.
        raw: The scores :math:`\mathbf{R}` of the noise's scale, of shape
            :math:`(N, n)`; :obj:`None` without noise.
        noise: Standard normal draws :math:`\boldsymbol{\epsilon}`, of shape
            :math:`(N, n)`, which get no gradient; :obj:`None` without noise.
        top_k: Number of selected experts :math:`k`.
        topk_first: Whether the softmax is over the selected experts only,
            else over all.

    Returns:
        The selected experts with their weights, the scores and the load.

    Raises:
        ValueError: If a shape is wrong, noise lacks its scale, or the scale
            its noise, or :obj:`top_k` is out of range (:obj:`RuntimeError`
            of the fused op).
    """
    if (raw is None) != (noise is None):
        alone = 'noise' if raw is None else 'raw'
        raise ValueError(
            f"'raw' must be given with 'noise' and only then, got '{alone}' "
            'alone'
        )
    for name, value in (('raw', raw), ('noise', noise)):
        if value is not None:
            check_shape(name, value, clean.shape)
    on_cuda = clean.size(-1) <= MAX_CUDA_EXPERTS
    if not use_native(clean, raw, noise, cuda=on_cuda):
        return _eager(clean, raw, noise, top_k, topk_first)
    if raw is None or noise is None:
        weight, expert, _, _ = torch.ops.gmoe.noisy_topk(
            clean, None, None, top_k, topk_first
        )
        return NoisyTopK(weight, expert, clean, None)
    weight, expert, logits, load = torch.ops.gmoe.noisy_topk(
        clean, raw, noise.detach(), top_k, topk_first
    )
    if top_k == clean.size(1):
        load = torch.ones_like(clean)
    return NoisyTopK(weight, expert, logits, load)


def add_noise(
    clean: Tensor, raw: Tensor | None, noise: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The scores with their noise, and its scale; as they are without it."""
    if raw is None or noise is None:
        return clean, None
    scale = softplus(raw) + 0.01
    return clean + noise.detach() * scale, scale


def select(
    clean: Tensor,
    logits: Tensor,
    scale: Tensor | None,
    top_k: int,
    topk_first: bool,
    normalize: Callable[[Tensor], Tensor],
) -> NoisyTopK:
    """Selects experts as :func:`noisy_topk` does, with any normalisation.

    Args:
        clean: The scores without noise, of shape :math:`(N, n)`.
        logits: The scores, as :func:`add_noise` gives them.
        scale: The scale of the noise, likewise.
        top_k: Number of selected experts :math:`k`.
        topk_first: Whether only the selected experts are normalised.
        normalize: Turns rows of scores into weights.
    """
    ranked, order = logits.sort(dim=-1, descending=True, stable=True)
    expert = order[:, :top_k]
    if topk_first:
        weight = normalize(ranked[:, :top_k])
    else:
        weight = normalize(logits).gather(1, expert)
    load = None
    if scale is not None:
        load = _load_probabilities(clean, scale, ranked, order, top_k)
    return NoisyTopK(weight, expert, logits, load)


def _load_probabilities(
    clean: Tensor, scale: Tensor, ranked: Tensor, order: Tensor, top_k: int
) -> Tensor:
    # An expert stays selected if its score with new noise exceeds the k-th
    # largest of the others' scores: that is the (k + 1)-th of all for a
    # selected expert and the k-th for the rest.
    if top_k == clean.size(1):
        return torch.ones_like(clean)
    selected = torch.zeros_like(clean, dtype=torch.bool)
    selected.scatter_(1, order[:, :top_k], True)
    threshold = torch.where(
        selected, ranked[:, top_k : top_k + 1], ranked[:, top_k - 1 : top_k]
    )
    return torch.special.ndtr((clean - threshold) / scale)


def _eager(
    clean: Tensor,
    raw: Tensor | None,
    noise: Tensor | None,
    top_k: int,
    topk_first: bool,
) -> NoisyTopK:
    if not 1 <= top_k <= clean.size(-1):
        raise ValueError(
            f"'top_k' must be from 1 to {clean.size(-1)}, the number of "
            f'experts, got {top_k}'
        )
    scores = clean, *add_noise(clean, raw, noise)
    return select(*scores, top_k, topk_first, partial(torch.softmax, dim=-1))


def _fake(
    clean: Tensor,
    raw: Tensor | None,
    noise: Tensor | None,
    top_k: int,
    topk_first: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    num_rows, num_experts = clean.shape
    noisy = num_rows if noise is not None else 0
    return (
        clean.new_empty(num_rows, top_k),
        clean.new_empty(num_rows, top_k, dtype=torch.long),
        clean.new_empty(noisy, num_experts),
        clean.new_empty(noisy if top_k < num_experts else 0, num_experts),
    )


def _fake_backward(*args: Any) -> list[Tensor]:
    clean, raw = args[3:5]
    count = 1 if raw is None else 2
    return [clean.new_empty(clean.shape) for _ in range(count)]


def _setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
    clean, raw, noise, *ctx.constants = inputs
    ctx.save_for_backward(clean, raw, noise)
    # An unused output has no gradient, in place of one of zeros.
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, *grads: Tensor | None) -> tuple:
    weight, _, logits, load = grads
    clean, raw, noise = ctx.saved_tensors
    scores = torch.ops.gmoe.noisy_topk_backward(
        *(weight, logits, load), *(clean, raw, noise), *ctx.constants
    )
    return scores[0], None if raw is None else scores[1], None, None, None


declare_op('noisy_topk', _fake, _backward, _setup_context)
declare_op('noisy_topk_backward', _fake_backward)
