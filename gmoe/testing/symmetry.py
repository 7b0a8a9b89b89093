"""The order of nodes, of edges, and of graphs in a batch changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

Call = Callable[[Data], Tensor]


def assert_permutation_equivariant(
    call: Call,
    data: Data,
    of_nodes: bool = True,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Checks that other numbers for the nodes give the same output.

    .. code-block:: python

        conv = GMoEConv(GCNExperts(16, 32, num_experts=4), top_k=2).eval()
        assert_permutation_equivariant(
            lambda data: conv(data.x, data.edge_index), data
        )

    Args:
        call: Gives the output for a graph, without randomness: a layer draws
            noise and drops values in training only.
        data: One graph. Whatever PyG takes for an attribute of its nodes is
            permuted; whatever has ``index`` in its name holds their numbers.
        of_nodes: Whether the output has a row for each node, which must be
            permuted as well; otherwise it is one of the graph, and must stay
            as it is.
        rtol: The relative tolerance.
        atol: The absolute tolerance.
        seed: Chooses the permutation.

    Raises:
        AssertionError: If the outputs differ.
        ValueError: If ``data`` is a batch.
    """
    _check_single(data)
    order = _random_order(data.num_nodes or 0, seed)
    new_number = torch.argsort(order)
    permuted = data.clone()
    for key, value in data.to_dict().items():
        if not isinstance(value, Tensor):
            continue
        if 'index' in key:
            permuted[key] = new_number.to(value.device)[value]
        elif data.is_node_attr(key):
            permuted[key] = value[order.to(value.device)]
    expected = call(data)
    if of_nodes:
        expected = expected[order.to(expected.device)]
    _compare(call(permuted), expected, 'nodes', rtol, atol)


def assert_edge_order_invariant(
    call: Call,
    data: Data,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Checks that the same edges in another order give the same output.

    Args:
        call: Gives the output for a graph, without randomness.
        data: One graph. The edges of hop 2 in ``edge_index_2hop``, where
            there are any, get another order, too. What belongs to edges has
            their number of rows and a name that begins with ``edge_`` and
            ends as that of the edges does: ``edge_attr_2hop``.
        rtol: The relative tolerance.
        atol: The absolute tolerance.
        seed: Chooses the order.

    Raises:
        AssertionError: If the outputs differ.
        ValueError: If ``data`` is a batch.
    """
    _check_single(data)
    names = [key for key in data.to_dict() if key.startswith('edge_index')]
    ends = {name.removeprefix('edge_index') for name in names}
    reordered = data.clone()
    for end in ends:
        edge_index = data['edge_index' + end]
        order = _random_order(edge_index.size(1), seed).to(edge_index.device)
        reordered['edge_index' + end] = edge_index[:, order]
        for key, value in data.to_dict().items():
            own = max((e for e in ends if key.endswith(e)), key=len) == end
            if key.startswith('edge_') and key not in names and own:
                reordered[key] = value[order]
    _compare(call(reordered), call(data), 'edges', rtol, atol)


def assert_batch_equals_singles(
    call: Call,
    data_list: Sequence[Data],
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """Checks that graphs in a batch give what they give one by one.

    .. code-block:: python

        assert_batch_equals_singles(
            lambda data: model(data.x, data.edge_index, batch=data.batch),
            data_list,
        )

    Args:
        call: Gives the output for a batch, and for a graph, whose ``batch`` is
            :obj:`None`; without randomness.
        data_list: The graphs. Some of different sizes, one without edges, and
            one with a single node find most faults.
        rtol: The relative tolerance.
        atol: The absolute tolerance.

    Raises:
        AssertionError: If the outputs differ.
    """
    singles = torch.cat([call(data) for data in data_list])
    batch = call(Batch.from_data_list(list(data_list)))
    _compare(batch, singles, 'graphs in a batch', rtol, atol)


def _check_single(data: Data) -> None:
    if isinstance(data, Batch) or data.get('batch') is not None:
        raise ValueError(f"'data' must be one graph, got the batch {data}")


def _random_order(size: int, seed: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def _compare(
    out: Tensor, expected: Tensor, what: str, rtol: float, atol: float
) -> None:
    torch.testing.assert_close(
        out,
        expected,
        rtol=rtol,
        atol=atol,
        msg=lambda text: f'The order of {what} changes the output. {text}',
    )
