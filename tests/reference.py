"""The layer written slowly from the papers' formulas: one node at a time,
one expert at a time, plain Python around scalars and vectors."""

import math

import torch
from torch import Tensor

from gmoe.nn import (
    GCNExperts,
    GINExperts,
    GMoEConv,
    LinearGCNExperts,
    RelationalExperts,
)


def noisy_topk_gates(
    x: Tensor, w_gate: Tensor, w_noise: Tensor, noise: Tensor, k: int
) -> Tensor:
    """Shazeer et al. 2017, eq. 3-5, with 0.01 added to the noise scale."""
    num_experts = w_gate.size(1)
    rows = []
    for i in range(x.size(0)):
        scores = [
            x[i] @ w_gate[:, o]
            + noise[i, o] * (torch.log1p((x[i] @ w_noise[:, o]).exp()) + 0.01)
            for o in range(num_experts)
        ]
        best = sorted(range(num_experts), key=lambda o: (-scores[o], o))[:k]
        total = sum(scores[o].exp() for o in best)
        zero = x.new_zeros(())
        rows.append(
            torch.stack(
                [
                    scores[o].exp() / total if o in best else zero
                    for o in range(num_experts)
                ]
            )
        )
    return torch.stack(rows)


def load_probability(
    x: Tensor, w_gate: Tensor, w_noise: Tensor, noise: Tensor, k: int
) -> Tensor:
    """Shazeer et al. 2017, eq. 8-9."""
    num_experts = w_gate.size(1)
    rows = []
    for i in range(x.size(0)):
        clean = [x[i] @ w_gate[:, o] for o in range(num_experts)]
        sigma = [
            torch.log1p((x[i] @ w_noise[:, o]).exp()) + 0.01
            for o in range(num_experts)
        ]
        score = [clean[o] + noise[i, o] * sigma[o] for o in range(num_experts)]
        row = []
        for o in range(num_experts):
            others = [score[p] for p in range(num_experts) if p != o]
            threshold = sorted(others, reverse=True)[k - 1]
            z = (clean[o] - threshold) / sigma[o]
            row.append(0.5 * (1 + torch.erf(z / math.sqrt(2))))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def squared_cv(values: list[Tensor]) -> Tensor:
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return variance / (mean**2 + 1e-10)


def edge_term(experts, hop: int, expert: int, attr: Tensor) -> Tensor:
    """The sum of one embedding per categorical feature of each edge."""
    encoder = experts.edge_encoders.encoders[f'{hop}hop']
    dims = encoder.dims
    total = 0
    for column, category in enumerate(attr.tolist()):
        group, feature = divmod(column, len(dims))
        row = sum(dims[:feature]) + category
        total = total + encoder.weight[expert, group, row]
    return total


def gcn_node(
    experts: GCNExperts, x: Tensor, i: int, o: int, edges, hop: int
) -> Tensor:
    """OGB's GCN at node i by expert o, or the one without a ReLU."""
    is_linear = isinstance(experts, LinearGCNExperts)
    local = o if hop == 1 else o - experts.num_experts_1hop
    degree = [1.0] * x.size(0)
    for source, _, _ in edges:
        degree[source] += 1

    def transform(j: int) -> Tensor:
        return x[j] @ experts.weight[o] + experts.bias[o]

    def activate(message: Tensor) -> Tensor:
        return message if is_linear else message.relu()

    out = activate(transform(i) + experts.root[o]) / degree[i]
    for j, target, attr in edges:
        if target == i:
            message = transform(j) + edge_term(experts, hop, local, attr)
            scale = 1 / math.sqrt(degree[i] * degree[j])
            out = out + scale * activate(message)
    return out


def gin_sum(
    experts: GINExperts, x: Tensor, i: int, o: int, edges, hop: int
) -> Tensor:
    """What OGB's GIN feeds to its MLP at node i by expert o."""
    local = o if hop == 1 else o - experts.num_experts_1hop
    out = (1 + experts.eps[o]) * x[i]
    for j, target, attr in edges:
        if target == i:
            term = edge_term(experts, hop, local, attr)
            out = out + (x[j] + term).relu()
    return out


def relational_node(
    experts: RelationalExperts, x: Tensor, i: int, o: int, edges, hop: int
) -> Tensor:
    """A relational convolution at node i by expert o."""
    messages = []
    for j, target, attr in edges:
        if target == i:
            r = edge_term(experts, hop, 0, attr)
            if experts.composition == 'mult':
                messages.append(x[j] * r)
            elif experts.composition == 'sub':
                messages.append(x[j] - r)
            else:
                size = x.size(1)
                messages.append(r[:size].sigmoid() * x[j] + r[size:])
    out = x[i] @ experts.root[o] + experts.bias[o]
    if messages:
        mean = sum(messages) / len(messages)
        out = out + mean @ experts.weight[o]
    return out


def batch_norm(
    rows: list[Tensor], norm, o: int, training: bool
) -> list[Tensor]:
    """Batch normalisation of one expert's rows, term by term."""
    if training and len(rows) > 1:
        mean = sum(rows) / len(rows)
        var = sum((row - mean) ** 2 for row in rows) / len(rows)
    else:
        mean, var = norm.running_mean[o].clone(), norm.running_var[o].clone()
    return [
        (row - mean) / torch.sqrt(var + norm.eps) * norm.weight[o]
        + norm.bias[o]
        for row in rows
    ]


def slow_layer(
    conv: GMoEConv, x: Tensor, gates: Tensor, edges1: list, edges2: list
) -> Tensor:
    """The whole layer for given gates (N, n); edges as (source, target,
    attr) triples."""
    experts = conv.experts
    out = [x.new_zeros(experts.out_channels) for _ in range(x.size(0))]
    for o in range(experts.num_experts):
        hop = 1 if o < experts.num_experts_1hop else 2
        edges = edges1 if hop == 1 else edges2
        nodes = [
            i
            for i in range(x.size(0))
            if gates[i, o] != 0 or conv.dispatch == 'dense'
        ]
        if isinstance(experts, GCNExperts):
            rows = [gcn_node(experts, x, i, o, edges, hop) for i in nodes]
        elif isinstance(experts, RelationalExperts):
            rows = [
                relational_node(experts, x, i, o, edges, hop) for i in nodes
            ]
        else:
            rows = [gin_sum(experts, x, i, o, edges, hop) for i in nodes]
            rows = [r @ experts.weight1[o] + experts.bias1[o] for r in rows]
            rows = batch_norm(rows, experts.norm, o, conv.training)
            rows = [
                r.relu() @ experts.weight2[o] + experts.bias2[o] for r in rows
            ]
        rows = batch_norm(rows, conv.norm, o, conv.training)
        for i, row in zip(nodes, rows):
            out[i] = out[i] + gates[i, o] * row
    stacked = torch.stack(out)
    if conv.combine == 'mean':
        stacked = stacked / experts.num_experts
    return stacked


def triples(edge_index: Tensor, edge_attr: Tensor) -> list:
    """Edges as (source, target, attr)."""
    return [
        (int(s), int(t), attr)
        for s, t, attr in zip(edge_index[0], edge_index[1], edge_attr)
    ]
