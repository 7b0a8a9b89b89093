import pytest
import torch

from gmoe.nn.edge_check import (
    check_dense,
    check_edges,
    check_rows,
    check_type,
)

EDGES = torch.tensor([[0, 1], [1, 0]])


def test_what_is_accepted():
    assert check_dense(EDGES) is EDGES
    check_type('edge_index', EDGES)
    for attr in (None, torch.zeros(2), torch.zeros(2, 3)):
        check_rows(attr, EDGES)
        check_edges(EDGES, attr, 2, 'edge_index')


@pytest.mark.parametrize(
    ('edges', 'got'),
    [(None, 'NoneType'), ([[0], [1]], 'list'), (EDGES.to_sparse(), 'sparse')],
)
def test_other_than_a_tensor_is_refused(edges, got):
    message = (
        rf"'ends' must be a tensor of shape \[2, num_edges\], got a {got}"
    )
    with pytest.raises(ValueError, match=message):
        check_dense(edges, 'ends')


def test_wrong_rows_types_and_ends_are_refused():
    message = r"'far_attr' must have shape .*num_edges=2 .*, got \[3, 1\]"
    with pytest.raises(ValueError, match=message):
        check_rows(torch.zeros(3, 1), EDGES, 'far_index')
    with pytest.raises(ValueError, match="'ptr' must have .*int64, got .*16"):
        check_type('ptr', EDGES.short())
    with pytest.raises(ValueError, match='from 0 to 0, got 1$'):
        check_edges(EDGES, None, 1, 'edge_index')
    # Edges that a transform has made are out of date, which is said too.
    with pytest.raises(ValueError, match='got 1: apply gmoe.transforms.TwoH'):
        check_edges(EDGES, None, 1, 'edge_index_2hop')
