"""A network of PyG becomes one with mixtures of experts, in one line."""

import torch
from torch.nn import functional
from torch_geometric.datasets import KarateClub
from torch_geometric.nn import GCN

from gmoe import balance_loss, collect_routing, to_gmoe


def main(epochs: int = 60) -> float:
    torch.manual_seed(0)
    data = KarateClub()[0]  # 34 people in 4 groups; one of each is known.
    model = GCN(data.num_features, 32, num_layers=2, out_channels=4)
    # Each convolution becomes four, of which a node uses two.
    model = to_gmoe(model, num_experts=4, top_k=2, norm=None)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    known = data.train_mask
    for _ in range(epochs):
        with collect_routing(model) as routings:
            out = model(data.x, data.edge_index)
        loss = functional.cross_entropy(out[known], data.y[known])
        (loss + 0.1 * balance_loss(routings)).backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    prediction = model(data.x, data.edge_index).argmax(dim=1)
    return float((prediction == data.y)[~known].float().mean())


if __name__ == '__main__':
    print(f'accuracy on the others: {main():.2f}')
