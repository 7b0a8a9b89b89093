import math

import pytest
import torch

from gmoe.datasets import import_ogb
from gmoe.nn import ATOM_FEATURE_DIMS, BOND_FEATURE_DIMS, CategoricalEncoder
from gmoe.nn.encoders.edge_encoder import CategoricalEdgeEncoder
from gmoe.nn.encoders.embedding import make_feature_encoder

AtomEncoder = import_ogb('ogb.graphproppred.mol_encoder').AtomEncoder
BondEncoder = import_ogb('ogb.graphproppred.mol_encoder').BondEncoder
features = import_ogb('ogb.utils.features')


def categories(dims, num_rows=40):
    generator = torch.Generator().manual_seed(0)
    columns = [
        torch.randint(dim, (num_rows,), generator=generator) for dim in dims
    ]
    return torch.stack(columns, dim=1)


def test_dims_are_those_of_ogb():
    assert list(ATOM_FEATURE_DIMS) == features.get_atom_feature_dims()
    assert list(BOND_FEATURE_DIMS) == features.get_bond_feature_dims()


@pytest.mark.parametrize(
    ('dims', 'ogb_encoder', 'name'),
    [
        (ATOM_FEATURE_DIMS, AtomEncoder, 'atom_embedding_list'),
        (BOND_FEATURE_DIMS, BondEncoder, 'bond_embedding_list'),
    ],
)
def test_equals_ogb(dims, ogb_encoder, name):
    theirs = ogb_encoder(8).double()
    encoder = CategoricalEncoder(dims, 8).double()
    tables = [embedding.weight for embedding in getattr(theirs, name)]
    encoder.weight.data = torch.cat([table.data for table in tables])
    x = categories(dims)
    out, expected = encoder(x), theirs(x)
    assert torch.allclose(out, expected, rtol=1e-12)
    (grad,) = torch.autograd.grad(out.pow(2).sum(), encoder.weight)
    grads = torch.autograd.grad(expected.pow(2).sum(), tables)
    assert torch.allclose(grad, torch.cat(grads))


def test_init_is_glorot_by_feature():
    torch.manual_seed(0)
    dims = (119, 5, 2)
    encoder = CategoricalEncoder(dims, 8)
    encoder.weight.data.fill_(9)
    encoder.reset_parameters()
    for dim, table in zip(dims, encoder.weight.split(dims)):
        bound = math.sqrt(6 / (dim + 8))
        assert bound * 0.7 < table.abs().max() <= bound


def test_no_rows_and_non_contiguous():
    encoder = CategoricalEncoder((3, 4), 5)
    assert encoder(torch.zeros(0, 2).long()).shape == (0, 5)
    x = categories((3, 4))
    assert torch.equal(encoder(x.t().contiguous().t()), encoder(x))
    assert list(encoder.state_dict()) == ['weight']
    assert str(encoder) == 'CategoricalEncoder((3, 4), 5)'


@pytest.mark.parametrize(
    ('x', 'message'),
    [
        (torch.zeros(2, 2), 'torch.int64 .*got torch.float32'),
        (torch.zeros(2, 2).int(), 'got torch.int32'),
        (torch.zeros(2, 3).long(), r'shape \[\*, 2\], got .*\[2, 3\]'),
        (torch.zeros(2).long(), r'got .*\[2\]'),
        (torch.tensor([[0, 0], [0, 4]]), '0 to 3 in column 1, got 4 in row 1'),
        (torch.tensor([[3, 0]]), 'from 0 to 2 in column 0, got 3 in row 0'),
        (torch.tensor([[0, -1]]), 'in column 1, got -1'),
    ],
)
def test_refused_categories(x, message):
    with pytest.raises(ValueError, match=f"'x' must .*{message}"):
        CategoricalEncoder((3, 4), 5)(x)


def test_make_feature_encoder():
    assert make_feature_encoder(None, 5) is None
    linear = make_feature_encoder(3, 5)
    assert isinstance(linear, torch.nn.Linear)
    assert linear(torch.zeros(2, 3)).shape == (2, 5)
    encoder = make_feature_encoder([3, 4], 5)
    assert isinstance(encoder, CategoricalEncoder)
    assert encoder.dims == (3, 4)


def test_a_negative_number_of_features_is_refused():
    with pytest.raises(ValueError, match="'edge_dims' must be .*>= 0, got -1"):
        make_feature_encoder(-1, 2)


def test_linear_encoder_checks_its_input():
    encoder = make_feature_encoder(3, 5)
    assert encoder(torch.randn(4, 3)).shape == (4, 5)
    assert encoder(torch.empty(0, 3)).shape == (0, 5)
    for bad, message in (
        (torch.randn(4, 2), r"'x' must be floating-point of shape \[\*, 3\]"),
        (torch.ones(4, 3, dtype=torch.long), 'got torch.int64'),
        (torch.tensor([[0.0, 1, 2], [0, torch.nan, 1]]), 'nan.* in row 1'),
        (torch.tensor([[0.0, 1, -torch.inf]]), "'x' must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder(bad)


@pytest.mark.parametrize('dims', [(), (0,), (2, -3), (2.5,), 5, (2**63,)])
def test_refused_dims(dims):
    for encoder in (
        lambda: CategoricalEncoder(dims, 2),
        lambda: CategoricalEdgeEncoder(1, dims, 2),
    ):
        with pytest.raises(ValueError, match="'dims' must be numbers of cat"):
            encoder()
