"""Masks of edges, in the order in which they were given, in every layer."""

import pytest
import torch
from torch import nn
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import (
    GATv2Conv,
    GCNConv,
    GINConv,
    GraphConv,
    SAGEConv,
)

from gmoe.nn import (
    GCNExperts,
    GINExperts,
    GMoEConv,
    LinearGCNConv,
    LinearGCNExperts,
    ModuleExperts,
    Neighborhood,
    OGBGCNConv,
    OGBGINConv,
    RelationalConv,
    RelationalExperts,
)
from gmoe.transforms import TwoHop
from tests.graphs import EDGE_DIMS, random_graph


def modules(*convs):
    return lambda m: ModuleExperts([conv() for conv in convs], m)


BANKS = {
    'gcn': lambda m: GCNExperts(4, 4, 3, m, EDGE_DIMS),
    'linear_gcn': lambda m: LinearGCNExperts(4, 4, 3, m, EDGE_DIMS),
    'gin': lambda m: GINExperts(4, 4, 3, m, EDGE_DIMS),
    'gin_layer_norm': lambda m: GINExperts(4, 4, 3, m, None, 'layer_norm'),
    'relational': lambda m: RelationalExperts(4, 4, 3, m, EDGE_DIMS),
    'graph_conv': modules(*[lambda: GraphConv(4, 4)] * 3),
    'sage': modules(*[lambda: SAGEConv(4, 4)] * 3),
    'mixed': modules(
        lambda: GINConv(nn.Linear(4, 4)),
        lambda: GCNConv(4, 4),
        lambda: GATv2Conv(4, 4),
    ),
}
PLAIN = {
    'gcn': OGBGCNConv,
    'linear_gcn': LinearGCNConv,
    'gin': OGBGINConv,
    'relational': RelationalConv,
}
# Sums that no degree divides: a masked edge is one that is not there.
SUMS = ['gin', 'gin_layer_norm', 'graph_conv']


def make_conv(bank, m=3):
    torch.manual_seed(0)
    conv = GMoEConv(BANKS[bank](m), top_k=2).double().eval()
    for parameter in conv.parameters():
        parameter.data.normal_()
    return conv


def make_data(bank):
    """Edges in no order, without loops, which some convolutions add."""
    data = random_graph(9, 20)
    keep = data.edge_index[0] != data.edge_index[1]
    data.edge_index = data.edge_index[:, keep]
    data.edge_attr = data.edge_attr[keep] if bank in PLAIN else None
    assert not torch.equal(data.edge_index[1].sort()[0], data.edge_index[1])
    return data


def call(conv, data):
    if data.get('edge_index_2hop') is None:
        data = TwoHop()(data.clone())
    return conv(
        data.x,
        data.edge_index,
        data.edge_attr,
        data.edge_index_2hop,
        data.get('edge_attr_2hop'),
    )


def masked(conv, data, mask):
    set_masks(conv, mask, data.edge_index, apply_sigmoid=False)
    out = call(conv, data)
    clear_masks(conv)
    return out


def mask_without(data, edge):
    mask = torch.ones(data.num_edges, dtype=torch.float64)
    mask[edge] = 0
    return mask


def without(data, edge):
    """Without an edge, and the hop-2 edges that lead along it."""
    far = TwoHop()(data.clone())
    # A hop-2 edge's features are those of its edges: here, their numbers.
    paths = data.clone()
    paths.edge_attr = torch.arange(data.num_edges)
    paths = TwoHop()(paths).edge_attr_2hop
    keep = torch.arange(data.num_edges) != edge
    keep_2hop = (paths != edge).all(dim=1)
    far.edge_index = data.edge_index[:, keep]
    far.edge_index_2hop = far.edge_index_2hop[:, keep_2hop]
    if data.edge_attr is not None:
        far.edge_attr = data.edge_attr[keep]
        far.edge_attr_2hop = far.edge_attr_2hop[keep_2hop]
    return far


@pytest.mark.parametrize('m', [3, 1, 0])
@pytest.mark.parametrize('bank', SUMS)
def test_masking_an_edge_is_removing_it(bank, m):
    conv, data = make_conv(bank, m), make_data(bank)
    for edge in range(data.num_edges):
        out = masked(conv, data, mask_without(data, edge))
        assert torch.allclose(out, call(conv, without(data, edge)))


@pytest.mark.parametrize('m', [3, 1])
@pytest.mark.parametrize('bank', BANKS)
def test_a_mask_is_felt_where_its_edge_leads(bank, m):
    conv, data = make_conv(bank, m), make_data(bank)
    full = call(conv, data)
    everything = mask_without(data, [])
    assert torch.allclose(masked(conv, data, everything), full)
    changed = 0
    for edge, (_, target) in enumerate(data.edge_index.t()):
        out = masked(conv, data, mask_without(data, edge))
        differs = ~torch.isclose(out, full).all(dim=1)
        changed += bool(differs[target])
        differs[target] = False
        if m == 1:  # The nodes that a path of two edges leads to.
            differs[data.edge_index[1, data.edge_index[0] == target]] = False
        assert not differs.any()
    assert changed > data.num_edges / 2
    assert torch.equal(call(conv, data), full)


@pytest.mark.parametrize('bank', ['gcn', 'relational', 'sage', 'mixed'])
def test_weights_are_those_of_all_edges(bank):
    # As in PyG's convolutions: what is masked is the message.
    conv, data = make_conv(bank), make_data(bank)
    conv.norm = None
    gates = conv.router(data.x).gates
    for edge in range(0, data.num_edges, 3):
        mask = mask_without(data, edge)
        mask[edge - 1] = 0.3
        outs = [one_expert(conv.experts, o, data, mask) for o in range(3)]
        expected = (gates.t().unsqueeze(-1) * torch.stack(outs)).sum(dim=0)
        assert torch.allclose(masked(conv, data, mask), expected)


def one_expert(bank, o, data, mask):
    """What PyG's, or the plain convolution gives under a mask."""
    if isinstance(bank, ModuleExperts):
        conv = bank.experts[o]
    else:
        kind = OGBGCNConv if isinstance(bank, GCNExperts) else RelationalConv
        conv = kind(4, 4, EDGE_DIMS).double()
        state = {
            'linear.weight': bank.weight[o].t(),
            'linear.bias': bank.bias[o],
            'edge_encoder.weight': one_encoder(bank, o),
        }
        if kind is OGBGCNConv:
            state['root'] = bank.root[o]
        else:
            state['root.weight'] = bank.root[o].t()
        conv.load_state_dict(state)
    set_masks(conv, mask, data.edge_index, apply_sigmoid=False)
    args = [] if data.edge_attr is None else [data.edge_attr]
    out = conv(data.x, data.edge_index, *args)
    clear_masks(conv)
    return out


def one_encoder(bank, o):
    weight = bank.edge_encoders.encoders['1hop'].weight
    return weight[min(o, weight.size(0) - 1), 0]


def test_hop2_edges_that_stand_for_several_paths():
    # 0 -> 1 -> 3 and 0 -> 2 -> 3, of which one is kept.
    edge_index = torch.tensor([[2, 0, 1, 0], [3, 1, 3, 2]])
    bank = ModuleExperts([GraphConv(4, 4)], 0)
    conv = GMoEConv(bank, top_k=1, norm=None).eval()
    x, far = torch.randn(4, 4), torch.tensor([[0], [3]])
    full = conv(x, edge_index, None, far)
    none = conv(x, edge_index, None, far[:, :0])
    for mask, share in (
        ([0.0, 1.0, 1.0, 1.0], 1),
        ([1.0, 0.0, 1.0, 1.0], 1),
        ([0.0, 0.0, 1.0, 1.0], 0),
        ([1.0, 1.0, 0.0, 0.0], 0),
        ([0.4, 0.0, 0.0, 0.5], 0.2),
    ):
        set_masks(conv, torch.tensor(mask), edge_index, apply_sigmoid=False)
        out = conv(x, edge_index, None, far)
        assert torch.allclose(out, none + share * (full - none), atol=1e-6)
    # A Neighborhood may hold edges of any kind, which explanations refuse.
    wrong = Neighborhood.from_edge_index(far.flip(0), None, 4)
    message = "'edge_index_2hop' must lead along two edges .* got 3 -> 0"
    with pytest.raises(ValueError, match=message):
        conv(x, edge_index, None, wrong)
    # The error takes the mask away.
    assert torch.equal(conv(x, edge_index, None, far), full)


@pytest.mark.parametrize('kind', PLAIN)
def test_plain_convolutions_on_a_neighborhood(kind):
    torch.manual_seed(0)
    conv, data = PLAIN[kind](4, 4, EDGE_DIMS).double().eval(), make_data(kind)
    hop = Neighborhood.from_edge_index(data.edge_index, data.edge_attr, 9)
    full = conv(data.x, hop)
    for edge in range(data.num_edges):
        mask = mask_without(data, edge)
        set_masks(conv, mask, data.edge_index, apply_sigmoid=False)
        out = conv(data.x, hop)
        expected = conv(data.x, data.edge_index, data.edge_attr)
        assert torch.allclose(out, expected)
        assert conv._edge_mask is mask
        clear_masks(conv)
        if kind == 'gin':
            gone = without(data, edge)
            expected = conv(data.x, gone.edge_index, gone.edge_attr)
            assert torch.allclose(out, expected)
    assert torch.equal(conv(data.x, hop), full)


@pytest.mark.parametrize('bank', ['gcn', 'mixed'])
def test_masks_of_other_edges(bank):
    conv, data = make_conv(bank), make_data(bank)
    full = call(conv, data)
    set_masks(conv, torch.ones(5), data.edge_index[:, :5])
    message = r"'edge_mask' must have one value for each of the .* got \[5\]"
    with pytest.raises(ValueError, match=message):
        call(conv, data)
    assert torch.equal(call(conv, data), full)
    conv.edge_mask.explain = True
    with pytest.raises(ValueError, match="'edge_mask' must .* got None"):
        call(conv, data)
    assert torch.equal(call(conv, data), full)


@pytest.mark.parametrize('bank', BANKS)
def test_masks_have_gradients(bank):
    conv, data = make_conv(bank, 1), make_data(bank)
    mask = torch.rand(data.num_edges, dtype=torch.float64, requires_grad=True)
    out = masked(conv, data, mask).pow(2).sum()
    (grad,) = torch.autograd.grad(out, mask)
    step = 1e-6 * torch.randn_like(grad)
    with torch.no_grad():
        change = (
            masked(conv, data, mask + step).pow(2).sum()
            - masked(conv, data, mask - step).pow(2).sum()
        )
    assert torch.allclose(change, 2 * (grad @ step), rtol=1e-4)


def test_nothing_is_saved():
    assert not any('mask' in key for key in make_conv('gcn', 1).state_dict())
