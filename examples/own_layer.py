"""A mixture of experts as a layer of your own network.

The graphs ask about hop-1 or hop-2 neighbours: both kinds of experts help.
"""

import torch
from torch import nn
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MLP, global_add_pool

from gmoe import GCNExperts, GMoEConv, TwoHop, balance_loss
from gmoe.datasets import HopMixture
from gmoe.nn import CategoricalEncoder


class Network(nn.Module):
    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        dims = HopMixture.node_feature_dims
        self.encoder = CategoricalEncoder(dims, channels)
        # Eight experts, of which the first four look at hop-1 edges.
        experts = GCNExperts(channels, channels, 8, num_experts_1hop=4)
        self.conv = GMoEConv(experts, top_k=2)
        self.head = MLP([channels, channels, 1], norm=None)

    def forward(self, data):
        x = self.encoder(data.x)
        out, routing = self.conv(
            x,
            data.edge_index,
            edge_index_2hop=data.edge_index_2hop,
            return_routing=True,
        )
        asked = (x + out.relu()) * data.x[:, 1:2]  # Of the marked node.
        return self.head(global_add_pool(asked, data.batch)), routing


def main(epochs: int = 8) -> float:
    torch.manual_seed(0)
    train = HopMixture(3000, split='train')
    test = HopMixture(3000, split='test')
    two_hop, model = TwoHop(), Network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for batch in DataLoader(train, batch_size=100, shuffle=True):
            out, routing = model(two_hop(batch))
            loss = nn.functional.binary_cross_entropy_with_logits(out, batch.y)
            (loss + 0.1 * balance_loss(routing)).backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    batch = next(iter(DataLoader(test, batch_size=len(test))))
    out, routing = model(two_hop(batch))
    print(f'nodes per expert: {routing.counts}')
    return float(((out > 0) == batch.y).float().mean())


if __name__ == '__main__':
    print(f'accuracy: {main():.2f}')
