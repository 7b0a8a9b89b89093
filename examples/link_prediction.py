"""The missing edges of a graph of your own, found: nodes of a ring of groups
are linked with those of the next group."""

import pandas as pd
import torch
from lightning.pytorch import Trainer, seed_everything

from gmoe.training import BestCheckpoint, LinkDataModule, LinkPredictor


def make_edges(num_nodes: int = 100, num_edges: int = 4000) -> pd.DataFrame:
    group = torch.randint(4, (num_nodes,))
    pairs = torch.randint(num_nodes, (2, 4 * num_edges))
    distance = (group[pairs[0]] - group[pairs[1]]) % 4
    pairs = pairs[:, (distance == 1) | (distance == 3)][:, :num_edges]
    return pd.DataFrame({'source': pairs[0], 'target': pairs[1]})


def main(epochs: int = 15) -> float:
    seed_everything(0)
    make_edges().to_csv('edges.csv', index=False)
    # Test links are in no training graph; both directions count as one.
    data = LinkDataModule('edges.csv', batch_size=500)
    model = LinkPredictor(
        *(data.name, data.task_type, data.eval_metric),
        num_nodes=data.num_nodes,  # Their vectors are learned.
        **{'conv': 'sage', 'hidden_channels': 32, 'num_layers': 2},
        **{'num_experts': 4, 'top_k': 2, 'norm': None},
    )
    best = BestCheckpoint('runs', monitor=data.monitor, mode='max')
    trainer = Trainer(max_epochs=epochs, accelerator='cpu', callbacks=[best])
    trainer.fit(model, data)
    return trainer.test(datamodule=data, ckpt_path='best', weights_only=True)[
        0
    ]['test/rocauc']


if __name__ == '__main__':
    main()
