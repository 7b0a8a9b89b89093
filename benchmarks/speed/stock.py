"""The networks on stock PyG that gmoe is timed against: OGB's single-expert
network, and the mixture as the published formulation computes it (every expert
on every node, then the weighted sum)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data
from torch_geometric.nn import MessagePassing, global_mean_pool
from torch_geometric.utils import degree

from gmoe.datasets import import_ogb
from gmoe.nn import GNN
from gmoe.routing import Router

_encoders = import_ogb('ogb.graphproppred.mol_encoder')


class StockGCNConv(MessagePassing):
    """OGB's molecule GCN with OGB's bond encoder."""

    def __init__(self, channels: int) -> None:
        super().__init__(aggr='add')
        self.linear = nn.Linear(channels, channels)
        self.root = nn.Parameter(torch.zeros(channels))
        self.bonds = _encoders.BondEncoder(channels)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor
    ) -> Tensor:
        x = self.linear(x)
        row, col = edge_index
        deg = degree(row, x.size(0), dtype=x.dtype) + 1
        scale = deg.pow(-0.5)
        out = self.propagate(
            edge_index,
            x=x,
            term=self.bonds(edge_attr),
            norm=(scale[row] * scale[col]).view(-1, 1),
        )
        return out + functional.relu(x + self.root) / deg.view(-1, 1)

    def message(self, x_j: Tensor, term: Tensor, norm: Tensor) -> Tensor:
        return norm * functional.relu(x_j + term)


class StockGINConv(MessagePassing):
    """OGB's molecule GIN with OGB's bond encoder."""

    def __init__(self, channels: int) -> None:
        super().__init__(aggr='add')
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels),
            nn.BatchNorm1d(2 * channels),
            nn.ReLU(),
            nn.Linear(2 * channels, channels),
        )
        self.eps = nn.Parameter(torch.zeros(1))
        self.bonds = _encoders.BondEncoder(channels)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor
    ) -> Tensor:
        out = self.propagate(edge_index, x=x, term=self.bonds(edge_attr))
        return self.mlp((1 + self.eps) * x + out)

    def message(self, x_j: Tensor, term: Tensor) -> Tensor:
        return functional.relu(x_j + term)


_CONVS = {'gcn': StockGCNConv, 'gin': StockGINConv}


class DenseMixture(nn.Module):
    """All experts on all nodes, then the sum weighted by the gates."""

    def __init__(
        self, conv: str, channels: int, num_experts: int, top_k: int
    ) -> None:
        super().__init__()
        self.router = Router(channels, num_experts, top_k)
        self.convs = nn.ModuleList(
            _CONVS[conv](channels) for _ in range(num_experts)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(channels) for _ in range(num_experts)
        )

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor
    ) -> Tensor:
        gates = self.router(x).gates
        outs = torch.stack(
            [
                norm(conv(x, edge_index, edge_attr))
                for conv, norm in zip(self.convs, self.norms)
            ],
            dim=1,
        )
        return (gates.unsqueeze(-1) * outs).sum(dim=1)


class StockGNN(nn.Module):
    """OGB's molecule network, of single convolutions or dense mixtures.

    Args:
        conv: ``"gcn"`` or ``"gin"``.
        channels: Hidden size.
        num_experts: Number of experts; 1 for the single network.
        top_k: Number of experts per node.
        num_layers: Number of layers.
        dropout: Dropout probability.
    """

    def __init__(
        self,
        conv: str,
        channels: int,
        num_experts: int = 1,
        top_k: int = 1,
        num_layers: int = 5,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.atoms = _encoders.AtomEncoder(channels)
        self.layers = nn.ModuleList()
        self.norms = nn.ModuleList()
        for _ in range(num_layers):
            if num_experts == 1:
                self.layers.append(_CONVS[conv](channels))
                self.norms.append(nn.BatchNorm1d(channels))
            else:
                self.layers.append(
                    DenseMixture(conv, channels, num_experts, top_k)
                )
                self.norms.append(nn.Identity())
        self.head = nn.Linear(channels, 1)

    def forward(self, data: Data) -> Tensor:
        """Predicts one row per graph of a batch."""
        x = self.atoms(data.x)
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms)):
            x = norm(layer(x, data.edge_index, data.edge_attr))
            if number < len(self.layers) - 1:
                x = x.relu()
            x = functional.dropout(x, self.dropout, self.training)
        return self.head(global_mean_pool(x, data.batch, data.num_graphs))

    @torch.no_grad()
    def copy_from(self, gnn: GNN) -> None:
        """Takes over the parameters of a network of gmoe.

        Args:
            gnn: A network with hop-1 experts of the same sizes.
        """
        _copy_embeddings(
            self.atoms.atom_embedding_list, gnn.node_encoder.weight
        )
        self.head.load_state_dict(gnn.head.state_dict())
        for layer, norm, conv, plain_norm in zip(
            self.layers, self.norms, gnn.convs, gnn.norms
        ):
            if isinstance(layer, DenseMixture):
                layer.router.load_state_dict(conv.router.state_dict())
                for o, (expert, norm) in enumerate(
                    zip(layer.convs, layer.norms)
                ):
                    _copy_expert(expert, conv.experts, o)
                    _copy_norm(norm, conv.norm, o)
            else:
                _copy_single(layer, conv)
                norm.load_state_dict(plain_norm.state_dict())


def _copy_embeddings(embeddings: Any, weight: Tensor) -> None:
    sizes = [embedding.num_embeddings for embedding in embeddings]
    for embedding, rows in zip(embeddings, weight.split(sizes)):
        embedding.weight.copy_(rows)


def _copy_norm(norm: nn.BatchNorm1d, norms: Any, expert: int) -> None:
    for name in ('weight', 'bias', 'running_mean', 'running_var'):
        getattr(norm, name).copy_(getattr(norms, name)[expert])


def _copy_single(conv: Any, source: Any) -> None:
    _copy_embeddings(
        conv.bonds.bond_embedding_list, source.edge_encoder.weight
    )
    if isinstance(conv, StockGCNConv):
        conv.linear.load_state_dict(source.linear.state_dict())
        conv.root.copy_(source.root)
    else:
        conv.mlp.load_state_dict(source.mlp.state_dict())
        conv.eps.copy_(source.eps)


def _copy_expert(conv: Any, bank: Any, expert: int) -> None:
    encoder = bank.edge_encoders.encoders['1hop']
    _copy_embeddings(conv.bonds.bond_embedding_list, encoder.weight[expert, 0])
    if isinstance(conv, StockGCNConv):
        conv.linear.weight.copy_(bank.weight[expert].t())
        conv.linear.bias.copy_(bank.bias[expert])
        conv.root.copy_(bank.root[expert])
    else:
        first, norm, _, second = conv.mlp
        first.weight.copy_(bank.weight1[expert].t())
        first.bias.copy_(bank.bias1[expert])
        _copy_norm(norm, bank.norm, expert)
        second.weight.copy_(bank.weight2[expert].t())
        second.bias.copy_(bank.bias2[expert])
        conv.eps.copy_(bank.eps[expert])
