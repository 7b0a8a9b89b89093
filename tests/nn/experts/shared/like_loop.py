"""Experts that share their aggregation against each of them by itself."""

import copy
from unittest import mock

import torch

from gmoe.nn import GMoEConv, ModuleExperts
from gmoe.nn.experts.shared import SharedCall
from gmoe.transforms import TwoHop
from tests.graphs import random_graph


def make_graph(num_nodes=14, num_edges=30, seed=0):
    """A directed graph with hop-2 edges and weights of all edges. A node at
    the end is isolated; loops and repeated edges occur."""
    data = random_graph(num_nodes, num_edges, seed=seed)
    del data.edge_attr
    generator = torch.Generator().manual_seed(seed)
    if num_nodes > 2 and num_edges > 3:
        loops = torch.tensor([[0, 0, 1], [0, 0, 1]])
        edges = torch.cat([data.edge_index[:, 3:], loops], dim=1)
        edges = edges[:, (edges < num_nodes - 1).all(dim=0)]
        order = torch.randperm(edges.size(1), generator=generator)
        data.edge_index = edges[:, order]
    data = TwoHop()(data)
    for name in ('', '_2hop'):
        size = data[f'edge_index{name}'].size(1)
        weight = torch.rand(size, 1, generator=generator).double() + 0.1
        data[f'edge_attr{name}'] = weight
    return data


def make_pair(modules, m=None, top_k=2, norm='batch_norm', **kwargs):
    """The layer that shares, and the same one that does not."""
    torch.manual_seed(0)
    bank = ModuleExperts(modules, m, share_aggregation=True)
    conv = GMoEConv(bank, top_k, norm=norm, **kwargs).double()
    for name, parameter in conv.named_parameters():
        parameter.data.normal_()
        if 'score_noise' in name:
            parameter.data.zero_()
    loop = copy.deepcopy(conv)
    loop.experts.share_aggregation = False
    return conv, loop


def assert_like_the_loop(conv, loop, data, weighted=False, calls=1):
    """Outputs, all gradients and running statistics."""
    steps = []
    for layer in (conv, loop):
        x = data.x.clone().requires_grad_()
        near, far = (
            data[f'edge_attr{name}'].clone().requires_grad_()
            for name in ('', '_2hop')
        )
        for _ in range(calls):
            torch.manual_seed(7)
            with counted() as count:
                out = layer(
                    x,
                    data.edge_index,
                    near if weighted else None,
                    data.edge_index_2hop,
                    far if weighted else None,
                )
            assert count() == (layer is conv)
        inputs = [x, near, far, *layer.parameters()]
        grads = torch.autograd.grad(
            out.pow(2).sum(), inputs, allow_unused=True
        )
        steps.append([out, *grads, *layer.buffers()])
    for new, old in zip(*steps):
        zero = data.x.new_zeros(())
        new, old = (zero if t is None else t.detach() for t in (new, old))
        torch.testing.assert_close(
            *torch.broadcast_tensors(new, old), rtol=1e-10, atol=1e-10
        )
    return steps[0][0]


class counted:
    """Counts the calls in which experts share."""

    def __enter__(self):
        function = SharedCall.outputs
        self.patch = mock.patch.object(
            SharedCall, 'outputs', autospec=True, side_effect=function
        )
        patched = self.patch.__enter__()
        return lambda: patched.call_count

    def __exit__(self, *args):
        self.patch.__exit__(*args)
