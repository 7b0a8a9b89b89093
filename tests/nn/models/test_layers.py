import pytest
from torch import nn

from gmoe.nn import (
    GCNExperts,
    GINExperts,
    GMoEConv,
    OGBGCNConv,
    OGBGINConv,
)
from gmoe.nn.models.layers import (
    MixtureSettings,
    make_layer,
    mixture_layers,
)
from gmoe.nn.norm import BatchNorm
from gmoe.routing import Router, UniformRouter

PLAIN = {'gcn': OGBGCNConv, 'gin': OGBGINConv}
BANKS = {'gcn': GCNExperts, 'gin': GINExperts}


def make(conv='gcn', num_experts=4, num_experts_1hop=2, **kwargs):
    edge_dims = kwargs.pop('edge_dims', (5, 6, 2))
    settings = {
        'top_k': 2,
        'router': 'linear_softmax_topk',
        'norm': 'batch_norm',
        **kwargs,
    }
    mixture = MixtureSettings(num_experts, num_experts_1hop, **settings)
    return make_layer(conv, 8, edge_dims, mixture)


@pytest.mark.parametrize('conv', PLAIN)
@pytest.mark.parametrize('hops', [1, 2])
@pytest.mark.parametrize('edge_dims', [(5, 6, 2), 3, None])
def test_single_convolution(conv, hops, edge_dims):
    layer, norm = make(conv, 1, 2 - hops, edge_dims=edge_dims)
    assert type(layer) is PLAIN[conv]
    assert type(norm) is BatchNorm
    encoder = layer.edge_encoder
    if edge_dims is None:
        assert encoder is None
    elif edge_dims == 3:
        assert encoder.in_features == 3 * hops
    else:
        assert encoder.dims == edge_dims * hops
    assert type(make(conv, 1, 1, norm='layer_norm')[1]) is nn.LayerNorm


@pytest.mark.parametrize('conv', BANKS)
@pytest.mark.parametrize('norm', ['batch_norm', 'layer_norm'])
def test_mixture(conv, norm):
    layer, after = make(conv, norm=norm, combine='mean', dispatch='dense')
    assert isinstance(layer, GMoEConv)
    assert isinstance(after, nn.Identity)
    assert type(layer.experts) is BANKS[conv]
    assert (layer.experts.num_experts_1hop, layer.router.top_k) == (2, 2)
    assert (layer.combine, layer.dispatch) == ('mean', 'dense')
    assert layer.norm.kind == norm
    if conv == 'gin':
        assert layer.experts.norm.kind == norm


def test_routers():
    uniform = make(router='uniform', top_k=None)[0].router
    assert isinstance(uniform, UniformRouter)
    router = make(router='attention_sparsemax', top_k=None)[0].router
    assert isinstance(router, Router)
    assert router.score == 'attention'
    with pytest.raises(ValueError, match="'top_k' must be None .*got 2"):
        make(router='uniform')
    with pytest.raises(ValueError, match="'top_k' must be an integer"):
        make(top_k=None)
    # Without a preset, the router's own defaults.
    router = MixtureSettings(4, top_k=1, router_kwargs={'noise': False})
    assert repr(router.make_router(8)) == repr(Router(8, 4, 1, noise=False))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'num_experts': 0}, "'num_experts' must be an integer >= 1, got 0"),
        ({'num_experts_1hop': 5}, "'num_experts_1hop' .*num_experts=4, got 5"),
        ({'router': 'top'}, "'router' must be one of .*, got 'top'"),
        ({'router_kwargs': {'foo': 1}}, "'router_kwargs' .*, got 'foo'"),
        ({'norm': 'group'}, "'norm' must be one of .*, got 'group'"),
        ({'combine': 'max'}, "'combine' must be one of .*, got 'max'"),
        ({'dispatch': 'auto'}, "'dispatch' must be one of .*, got 'auto'"),
        (
            {'router': 'uniform', 'router_kwargs': {'noise': True}},
            "'router_kwargs' must be None .*, got {'noise': True}",
        ),
    ],
)
def test_settings_of_a_mixture(settings, message):
    with pytest.raises(ValueError, match=message):
        MixtureSettings(**{'num_experts': 4, **settings})
    assert MixtureSettings(4, 2).needs_2hop
    assert not MixtureSettings(4).needs_2hop


def test_mixture_layers():
    assert mixture_layers(4, None, 3) == (0, 1, 2)
    assert mixture_layers(4, [2, 0, 2], 3) == (0, 2)
    assert mixture_layers(4, [], 3) == ()
    assert mixture_layers(1, None, 3) == ()
    for layer in (-1, 3):
        with pytest.raises(ValueError, match=f'from 0 to 2, got {layer}'):
            mixture_layers(4, [layer], 3)
