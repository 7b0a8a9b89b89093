"""Graphs of your own, trained by Lightning: do most edges join equals?"""

import torch
from lightning.pytorch import Trainer, seed_everything
from torch_geometric.data import Data, InMemoryDataset
from torch_geometric.utils import barabasi_albert_graph

from gmoe.training import GraphDataModule, GraphPredictor


def make_graph(number: int, num_nodes: int = 12) -> Data:
    kind = torch.randint(2, (num_nodes, 1))
    edge_index = barabasi_albert_graph(num_nodes, 2)
    is_equal = kind[edge_index[0]] == kind[edge_index[1]]
    return Data(
        x=kind,  # Categories; so would be `edge_attr`.
        edge_index=edge_index,
        y=(is_equal.float().mean() > 0.5).float().view(1, 1),
        graph_id=torch.tensor([number]),
    )


class EqualNeighbours(InMemoryDataset):
    def __init__(self) -> None:
        super().__init__()
        graphs = [make_graph(number) for number in range(1500)]
        self.data, self.slices = self.collate(graphs)

    def get_idx_split(self) -> dict[str, torch.Tensor]:
        parts = torch.arange(len(self)).split([1200, 150, 150])
        return dict(zip(('train', 'valid', 'test'), parts))


class EqualNeighboursModule(GraphDataModule):
    name, num_tasks, node_dims, edge_dims = 'equal', 1, (2,), ()
    task_type, eval_metric = 'binary classification', 'acc'

    def load(self) -> EqualNeighbours:
        return EqualNeighbours()


def main(epochs: int = 8) -> float:
    seed_everything(0)
    data = EqualNeighboursModule(batch_size=32)
    model = GraphPredictor(
        *(data.name, data.task_type, data.eval_metric),
        node_dims=data.node_dims,
        edge_dims=None,  # No features of edges.
        **{'hidden_channels': 32, 'num_layers': 2},
        **{'num_experts': 4, 'top_k': 2},
        learning_rate=0.01,
    )
    trainer = Trainer(max_epochs=epochs, accelerator='cpu')
    trainer.fit(model, data)
    return trainer.test(model, data)[0]['test/acc']


if __name__ == '__main__':
    main()
