"""The networks of OGB's molecule examples, written anew from their
description, with the parameters of the models under test."""

import torch
from torch.nn import functional


def batch_norm(module, x, training):
    return functional.batch_norm(
        x,
        module.running_mean.clone(),
        module.running_var.clone(),
        module.weight,
        module.bias,
        training,
    )


def encode(encoder, x):
    tables = encoder.weight.split(encoder.dims)
    return sum(table[x[:, i]] for i, table in enumerate(tables))


def ogb_conv(conv, x, edge_index, edge_attr, training):
    """OGB's example convolutions, edge by edge."""
    source, target = edge_index
    term = encode(conv.edge_encoder, edge_attr)
    out = torch.zeros_like(x)
    if hasattr(conv, 'root'):
        x = x @ conv.linear.weight.t() + conv.linear.bias
        degree = torch.ones(x.size(0)).double()
        for node in source:
            degree[node] += 1
        message = (x[source] + term).relu()
        norm = (degree[source] * degree[target]) ** -0.5
        out = out.index_add(0, target, norm.view(-1, 1) * message)
        return out + (x + conv.root).relu() / degree.view(-1, 1)
    out = out.index_add(0, target, (x[source] + term).relu())
    first, norm, _, second = conv.mlp
    h = first((1 + conv.eps) * x + out)
    return second(batch_norm(norm, h, training).relu())


def ogb_network(model, data, virtual_node, residual, sum_layers, pooling):
    """OGB's example network: encoder, conv, BatchNorm, ReLU except last."""
    h = encode(model.node_encoder, data.x)
    graphs = range(int(data.batch.max()) + 1)
    hidden = [h]
    if virtual_node:
        virtual = model.virtual_node.embedding.expand(len(graphs), -1)
    for layer, (conv, norm) in enumerate(zip(model.convs, model.norms)):
        if virtual_node:
            hidden[-1] = hidden[-1] + virtual[data.batch]
        edges = (data.edge_index, data.edge_attr)
        h = ogb_conv(conv, hidden[-1], *edges, model.training)
        h = batch_norm(norm, h, model.training)
        if layer < len(model.convs) - 1:
            h = h.relu()
        if residual:
            h = h + hidden[-1]
        if virtual_node and layer < len(model.convs) - 1:
            total = virtual + torch.stack(
                [hidden[-1][data.batch == g].sum(0) for g in graphs]
            )
            for module in model.virtual_node.mlps[layer]:
                total = (
                    batch_norm(module, total, model.training)
                    if hasattr(module, 'running_mean')
                    else module(total)
                )
            virtual = virtual + total if residual else total
        hidden.append(h)
    h = sum(hidden) if sum_layers else hidden[-1]
    pool = {
        'mean': lambda rows: rows.mean(0),
        'sum': lambda rows: rows.sum(0),
        'max': lambda rows: rows.max(0).values,
    }[pooling]
    pooled = torch.stack([pool(h[data.batch == g]) for g in graphs])
    return pooled @ model.head.weight.t() + model.head.bias
