"""How much each atom contributes to a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from gmoe.common.arguments import check_integer, check_number
from gmoe.datasets.molecules.info import MULTICLASS
from gmoe.nn import GNN, EncodedGraph
from gmoe.ops.two_hop import Mode
from gmoe.routing import Routing, hold_selection
from gmoe.training.graph_predictor import GraphPredictor
from gmoe.transforms import TwoHop

#: The most atoms of a batch of copies of a molecule, for its memory.
MAX_ATOMS = 8192
#: A part of the path is halved at most this often, and in so many rounds
#: there are at most so many parts.
MAX_HALVINGS = 12
MAX_PARTS = 512
#: The share of a prediction that is lost to rounding.
NOISE = 1e-5
# Points and weights of Gauss's formula of degree five, on [0, 1].
_POINTS = (0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5)
_WEIGHTS = (5 / 18, 8 / 18, 5 / 18)


@dataclass(frozen=True)
class Attribution:
    """The contributions of atoms to one output, in the target's units; for
    classes, in log-odds (nats).

    Args:
        values: The contribution of each atom, in the order of the graph.
        prediction: The output for the molecule.
        baseline: The output for the same molecule if all of its atoms were
            average.
    """

    values: np.ndarray
    prediction: float
    baseline: float

    @property
    def gap(self) -> float:
        """What the contributions leave unexplained; zero in theory."""
        return self.prediction - self.baseline - float(self.values.sum())


def score(predictor: GraphPredictor, out: Tensor, column: int) -> Tensor:
    """What is explained of a network's outputs: a value in the target's units
    for a regression, the log-odds of a class for others.

    Args:
        predictor: The network.
        out: Its outputs of shape :math:`(B, C)`.
        column: The number of the target, or of the class of several.

    Returns:
        The scores of shape :math:`(B)`.
    """
    value = out[:, column]
    if predictor.task_type == MULTICLASS:
        others = torch.arange(out.size(1), device=out.device) != column
        return value - out[:, others].logsumexp(dim=1)
    mean, std = predictor.target_mean, predictor.target_std
    if mean is None or std is None:
        return value
    return value * std[column].to(out) + mean[column].to(out)


def integrated_gradients(
    predictor: GraphPredictor,
    data: Data,
    column: int = 0,
    tolerance: float = 1e-3,
) -> Attribution:
    r"""The integrated gradients (`Sundararajan et al. 2017
    <https://arxiv.org/abs/1703.01365>`_) of what the network's encoder makes
    of the atoms.

    .. math::
        a_i = \sum_d (h_{id} - b_{d}) \int_0^1
        \frac{\partial f}{\partial h_{id}}
        (\mathbf{b} + t \, (\mathbf{h} - \mathbf{b})) \, dt, \qquad
        \sum_i a_i = f(\mathbf{h}) - f(\mathbf{b})

    Codes of atoms are integers without gradients, their encoded features
    :math:`\mathbf{h}` are not. The baseline :math:`\mathbf{b}` is the same
    molecule, with its bonds, whose atoms are all the average of its atoms: a
    network has seen nothing like atoms that are zero, and what it says of them
    is far out. Each atom keeps the
    experts that the molecule has on the whole path (see
    :func:`~gmoe.routing.hold_selection`), while their weights follow: without
    that, the jumps of the gate would be missing in the sum.

    The path is halved where Gauss's formula and the difference of the
    outputs disagree, so networks with ReLU are integrated as exactly as
    smooth ones.

    Args:
        predictor: The network, in evaluation mode.
        data: The graph, with hop-2 edges where the network reads them.
        column: The number of the target, or of the class of several.
        tolerance: What may be missing in the sum, as a share of the
            difference or of the target's standard deviation, whichever is
            larger.

    Raises:
        ValueError: If there is no such output, or the tolerance is not
            positive.
    """
    check_integer(0, predictor.gnn.out_channels - 1, column=column)
    check_number(inclusive=False, tolerance=tolerance)
    h, routings = _encode(predictor, data)

    offset = h - _average(h)

    def held(points: list[float], needs_gradient: bool) -> tuple[Tensor, ...]:
        with hold_selection(predictor.gnn, routings):
            return _along(predictor, data, h, column, points, needs_gradient)

    first, last = held([0.0, 1.0], False)[0].tolist()
    std = predictor.target_std
    unit = 1.0 if std is None else float(std[column])
    allowed = tolerance * max(abs(last - first), unit)
    total = torch.zeros_like(h)
    parts = [(0.0, 1.0, first, last)]
    for halving in range(MAX_HALVINGS + 1):
        is_last = halving == MAX_HALVINGS or 2 * len(parts) > MAX_PARTS
        points = [a + p * (b - a) for a, b, _, _ in parts for p in _POINTS]
        values, gradients = held(points, True)
        weights = h.new_tensor(_WEIGHTS).view(1, 3, 1, 1)
        means = (gradients.view(-1, 3, *h.shape) * weights).sum(dim=1)
        found = means * offset
        # The middle of a part is one of its points.
        middles = values.view(-1, 3)[:, 1].tolist()
        rest = []
        for part, own, middle in zip(parts, found, middles):
            a, b, low, high = part
            error = abs(float(own.sum()) * (b - a) - (high - low))
            if is_last or error <= allowed * (b - a):
                total += own * (b - a)
            else:
                mid = (a + b) / 2
                rest += [(a, mid, low, middle), (mid, b, middle, high)]
        parts = rest
        if not parts:
            break
    return Attribution(total.sum(dim=1).cpu().double().numpy(), last, first)


def without_noise(values: np.ndarray, prediction: float) -> np.ndarray:
    """Contributions without the noise of rounding, which would fill the scale
    of a molecule whose atoms are alike: zero where they are less than a
    hundred thousandth of the prediction.

    Args:
        values: The contributions of atoms.
        prediction: The output for the molecule.
    """
    return np.where(np.abs(values) < NOISE * abs(prediction), 0.0, values)


@torch.no_grad()
def occlusion(
    predictor: GraphPredictor,
    data: Data,
    column: int = 0,
    is_removed: bool = False,
    two_hop: Mode = 'exact',
) -> np.ndarray:
    """By how much the prediction falls without an atom: the output for the
    molecule less that with the average of its atoms in the place of one, or
    without it. The network routes what is left anew.

    Args:
        predictor: The network, in evaluation mode.
        data: The graph, with hop-2 edges where the network reads them.
        column: The number of the target, or of the class of several.
        is_removed: Whether the atom and its bonds are removed. The others
            keep their codes.
        two_hop: Which hop-2 edges the rest has, as a key of
            :class:`~gmoe.transforms.TwoHop`.

    Returns:
        The differences, of shape :math:`(N)`, in the order of the graph; NaN
        for the removal of the only atom.
    """
    check_integer(0, predictor.gnn.out_channels - 1, column=column)
    h, _ = _encode(predictor, data)
    num_atoms = h.size(0)
    whole = _along(predictor, data, h, column, [1.0], False)[0]
    if is_removed:
        if num_atoms == 1:
            return np.full(1, np.nan)
        add = TwoHop(two_hop) if predictor.gnn.num_hops == 2 else None

        def run(atoms: Tensor) -> Tensor:
            graphs = [_without(data, int(atom), add) for atom in atoms]
            batch = Batch.from_data_list(graphs)
            function = EncodedGraph(_gnn(predictor), batch)
            return function(function.h)
    else:

        def run(atoms: Tensor) -> Tensor:
            copies = h.repeat(atoms.numel(), 1, 1)
            copies[torch.arange(atoms.numel()), atoms] = _average(h)
            return _copies(predictor, data, atoms.numel())(
                copies.flatten(0, 1)
            )

    step = max(1, MAX_ATOMS // num_atoms)
    outs = [run(atoms) for atoms in torch.arange(num_atoms).split(step)]
    left = score(predictor, torch.cat(outs), column)
    return (whole - left).cpu().double().numpy()


def _average(h: Tensor) -> Tensor:
    return h.mean(dim=0)


def _gnn(predictor: GraphPredictor) -> GNN:
    assert isinstance(predictor.gnn, GNN)
    return predictor.gnn


def _encode(
    predictor: GraphPredictor, data: Data
) -> tuple[Tensor, list[Routing]]:
    """The encoded atoms of a graph, and its routings."""
    function = EncodedGraph(_gnn(predictor), data)
    with torch.no_grad():
        _, routings = function(function.h, return_routing=True)
    return function.h, routings


def _copies(
    predictor: GraphPredictor, data: Data, count: int
) -> Callable[[Tensor], Tensor]:
    return EncodedGraph(_gnn(predictor), Batch.from_data_list([data] * count))


def _along(
    predictor: GraphPredictor,
    data: Data,
    h: Tensor,
    column: int,
    points: list[float],
    needs_gradient: bool,
) -> tuple[Tensor, ...]:
    """The scores at some points of the way from average atoms, at zero, to
    the encoded atoms, at one, of shape :math:`(P)`; and the gradients, of
    shape :math:`(P, N, D)`."""
    step = max(1, MAX_ATOMS // h.size(0))
    average = _average(h)
    values, gradients = [], []
    for part in torch.tensor(points, dtype=h.dtype).split(step):
        share = part.to(h.device).view(-1, 1, 1)
        # In this form what is one atom only is average on the whole way.
        scaled = torch.lerp(average.expand_as(h), h, share)
        flat = scaled.flatten(0, 1).requires_grad_(needs_gradient)
        with torch.set_grad_enabled(needs_gradient):
            out = _copies(predictor, data, part.numel())(flat)
            value = score(predictor, out, column)
        values.append(value.detach())
        if needs_gradient:
            (gradient,) = torch.autograd.grad(value.sum(), flat)
            gradients.append(gradient.view_as(scaled))
    if not needs_gradient:
        return (torch.cat(values),)
    return torch.cat(values), torch.cat(gradients)


def _without(data: Data, atom: int, two_hop: TwoHop | None) -> Data:
    """The graph without an atom and its bonds."""
    keep = torch.arange(data.x.size(0)) != atom
    source, target = data.edge_index
    stays = keep[source] & keep[target]
    number = keep.long().cumsum(0) - 1
    left = Data(
        x=data.x[keep],
        edge_index=number[data.edge_index[:, stays]],
        edge_attr=data.edge_attr[stays],
    )
    if data.get('graph_attr') is not None:
        left.graph_attr = data.graph_attr
    return left if two_hop is None else two_hop(left)
