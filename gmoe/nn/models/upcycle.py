"""A trained network without mixtures, as one with them."""

from __future__ import annotations

from typing import Any, TypeVar

import torch

from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.noise import check_noise
from gmoe.common.shown import shown
from gmoe.nn.experts.copies import copy_conv, copy_norm
from gmoe.nn.gmoe_conv import GMoEConv
from gmoe.nn.models.pretrained import Pretrained
from gmoe.routing import Router, UniformRouter

Network = TypeVar('Network', bound=Pretrained)

#: What may be said anew, where the network has such an argument.
_FREE = (
    'router',
    'router_kwargs',
    'router_neighborhood',
    'moe_layers',
    'dispatch',
    'dropout',
    'input_dropout',
    'text_dropout',
)
#: The same, of a network whose head is apart from its layers. Where one of
#: them changes, the head is drawn anew.
_HEAD = ('out_channels', 'graph_dims', 'num_head_layers', 'head_dropout')
#: With other values, the mixture's outputs are not those of the network.
_FIXED = {'combine': 'sum', 'num_shared_experts': 0, 'expert_norm': None}


def upcycle(
    network: Network,
    num_experts: int,
    top_k: int | None = None,
    noise: float = 0.01,
    **settings: Any,
) -> Network:
    r"""A mixture made of a trained network without one, to be trained on
    (`Komatsuzaki et al. 2023 <https://arxiv.org/abs/2212.05055>`_, section 3):
    each expert begins as a copy of the convolution that it takes the place
    of, its normalisation as a copy of that one's, and routers begin at zero.
    The given network stays as it is::

        network = GNN.from_pretrained('user/network')
        mixture = upcycle(network, num_experts=8, top_k=2)

    Without noise, the outputs in evaluation are those of the network, as the
    weights of a node's experts sum to 1. Experts are told apart by the noise
    and by the nodes that they get. Without noise, and with a router that
    neither selects nor is noisy, they stay equal for ever.

    All experts look where the convolution looked. One with its weights that
    looks at hop-2 edges in place of hop-1 edges would give something else;
    for both hops, train a mixture from the beginning.

    Args:
        network: A :class:`GNN`, :class:`NodeGNN`, :class:`LinkGNN` or
            :class:`TripleGNN` with one expert. A model of PyG is converted by
            ``to_gmoe(model, ..., keep_weights=True)``.
        num_experts: Number of experts of a layer.
        top_k: Number of experts selected per node.
        noise: The standard deviation of what is added to each expert's
            weights, over that of the weights; 1 at most.
        **settings: Further arguments of the network: :obj:`router`,
            :obj:`router_kwargs`, :obj:`moe_layers`, :obj:`dispatch`, the
            dropouts, and of a :class:`GNN` :obj:`out_channels`,
            :obj:`graph_dims`, :obj:`num_head_layers` and
            :obj:`head_dropout`, with which the head is drawn anew. (default:
            those of the network)

    Raises:
        ValueError: If it is no such network or a mixture already, a setting
            does not exist or is out of range, or the outputs would be other
            ones.
    """
    known = _arguments(network)
    check_integer(2, num_experts=num_experts)
    check_noise(noise)
    arguments = {**known, **_checked(settings, known)}
    is_far = known['num_experts_1hop'] == 0
    if is_far and arguments.get('moe_layers') is not None:
        raise ValueError(
            "'moe_layers' must be None for a network that looks at hop-2 "
            'edges, since layers beside mixtures look at hop-1 edges, got '
            f'{shown(arguments["moe_layers"])}'
        )
    mixture = type(network)(
        **arguments
        | {name: _FIXED[name] for name in _FIXED if name in known}
        | {
            'num_experts': num_experts,
            'num_experts_1hop': 0 if is_far else num_experts,
            'top_k': top_k,
        }
    )
    reference = next(network.parameters())
    mixture.to(reference.device, reference.dtype)
    copy_network(mixture, network, noise)
    return mixture.train(network.training)


def copy_network(
    mixture: Pretrained, network: Pretrained, noise: float
) -> None:
    """Gives a mixture the weights of a network whose arguments differ from
    its own in those of mixtures, and of the head, which stays as it is then.

    Args:
        mixture: The mixture.
        network: The network.
        noise: As of :func:`upcycle`.

    Raises:
        ValueError: If the weights of a node's experts do not sum to 1.
    """
    is_same = has_same_head(mixture, network)
    left = [] if is_same else ['head.', 'graph_features.']
    for name, conv in mixture.named_modules():
        if not isinstance(conv, GMoEConv):
            continue
        check_gates(conv.router)
        copy_conv(conv.experts, network.get_submodule(name), noise)
        left.append(f'{name}.')
        if conv.norm is not None:
            norm = name.replace('convs', 'norms')
            copy_norm(conv.norm, network.get_submodule(norm))
            left.append(f'{norm}.')
    kept = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith(tuple(left))
    }
    mixture.load_state_dict(kept, strict=False)
    for name, buffer in network.named_buffers():
        # Such as the features of texts, which are no weights.
        if name not in kept and not name.startswith(tuple(left)):
            owner, _, leaf = name.rpartition('.')
            setattr(mixture.get_submodule(owner), leaf, buffer.clone())


def has_same_head(mixture: Pretrained, network: Pretrained) -> bool:
    """Whether the arguments of the heads of two networks are the same.

    Args:
        mixture: The one.
        network: The other.
    """
    arguments, known = mixture._arguments, network._arguments
    return all(known.get(name) == arguments.get(name) for name in _HEAD)


@torch.no_grad()
def check_gates(
    router: Router | UniformRouter, name: str = 'router_kwargs'
) -> None:
    """Refuses a router the weights of which do not sum to 1 at first, at the
    nodes of a small graph.

    Args:
        router: The router.
        name: What the argument is called that gives it.

    Raises:
        ValueError: If they do not.
    """
    if isinstance(router, UniformRouter):
        return
    weight = next(router.parameters())
    size = 8 * router.in_channels
    x = torch.linspace(-1, 1, size, dtype=weight.dtype, device=weight.device)
    is_training = router.training
    gates = router.eval()(x.view(8, -1)).gates.sum(dim=1)
    router.train(is_training)
    if not torch.allclose(gates, torch.ones_like(gates)):
        raise ValueError(
            f"'{name}' must be of a router whose weights at a node sum to 1, "
            'so that the mixture begins with the outputs of the network (such '
            "as topk_first=True, 'top_any' or 'balanced_top_k'), got sums "
            f'from {gates.min():.3g} to {gates.max():.3g}'
        )


def _arguments(network: Any) -> dict[str, Any]:
    """The arguments of a network without mixtures."""
    if not isinstance(network, Pretrained):
        raise ValueError(
            "'network' must be a network of gmoe.nn such as GNN (for a model "
            'of PyG: to_gmoe(model, ..., keep_weights=True)), got '
            f'{shown(type(network).__name__)}'
        )
    known = dict(network._arguments)
    encoder = getattr(network, 'encoder', None)
    if isinstance(encoder, Pretrained):  # Which has the mixtures.
        passed = {*_FREE, *_FIXED, 'num_experts', 'num_experts_1hop', 'top_k'}
        inner = encoder._arguments
        known |= {name: inner[name] for name in inner if name in passed}
    if known['num_experts'] != 1:
        raise ValueError(
            "'network' must have no mixtures yet (num_experts=1), got one "
            f'with {known["num_experts"]} experts'
        )
    return known


def _checked(
    settings: dict[str, Any], known: dict[str, Any]
) -> dict[str, Any]:
    """The settings, if they exist and leave the outputs as they are."""
    for name, value in _FIXED.items():
        if name in known and settings.get(name, value) != value:
            raise ValueError(
                f"'{name}' must be {value!r} for a mixture that begins with "
                f'the outputs of the network, got {shown(settings[name])}'
            )
    if 'num_experts_1hop' in settings:
        raise ValueError(
            "'num_experts_1hop' must be left out: all experts look where the "
            'convolution looked, as a copy that looks elsewhere gives other '
            f'outputs, got {shown(settings["num_experts_1hop"])}'
        )
    # Where the last convolution gives the outputs, there is no head.
    head = () if 'ends' in known else _HEAD
    own = [name for name in (*_FREE, *head, *_FIXED) if name in known]
    for name in settings:
        check_choice('settings', name, own)
    return settings
