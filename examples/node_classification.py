"""The nodes of a graph of your own, classified: edges join other classes."""

import torch
from lightning.pytorch import Trainer, seed_everything
from torch_geometric.data import Data

from gmoe.training import BestCheckpoint, NodeDataModule, NodePredictor


def make_graph(num_nodes: int = 1000, num_edges: int = 4000) -> Data:
    y = torch.randint(4, (num_nodes,))
    source = torch.randint(num_nodes, (num_edges,))
    # Of some nodes, one of the next class in a circle of four.
    target = torch.randint(num_nodes, (30, num_edges))
    is_next = y[target] == (y[source] + 1) % 4
    target = target.gather(0, is_next.int().argmax(dim=0, keepdim=True))[0]
    return Data(
        # Features say little of a node's own class.
        x=torch.eye(4)[y] + torch.randn(num_nodes, 4),
        edge_index=torch.stack([source, target]),
        y=y,
    )


def main(epochs: int = 10) -> float:
    seed_everything(0)
    torch.save(make_graph(), 'graph.pt')
    data = NodeDataModule(
        'graph.pt', undirected=False, two_hop='exact', steps_per_epoch=10
    )
    model = NodePredictor(
        *(data.name, data.task_type, data.eval_metric),
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
        **{'conv': 'sage', 'hidden_channels': 32, 'num_layers': 2},
        **{'num_experts': 4, 'num_experts_1hop': 2, 'top_k': 2},
    )
    best = BestCheckpoint('runs', monitor=data.monitor, mode='max')
    trainer = Trainer(max_epochs=epochs, accelerator='cpu', callbacks=[best])
    trainer.fit(model, data)
    return trainer.test(datamodule=data, ckpt_path='best', weights_only=True)[
        0
    ]['test/accuracy']


if __name__ == '__main__':
    main()
