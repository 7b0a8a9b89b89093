"""One of the processes that train on parts of a graph of their own:

python -m tests.training.node_ddp_worker FOLDER RANK WORLD_SIZE
"""

import sys
from pathlib import Path

from lightning.pytorch import seed_everything

from gmoe.training import NodeDataModule, NodePredictor
from tests.training import ddp_pair


def make_data(folder: Path) -> NodeDataModule:
    """A graph in six parts, of which evaluation sees one after the other."""
    data = NodeDataModule(
        str(folder / 'mine.pt'),
        batch='parts',
        num_parts=6,
        two_hop='exact',
        full_evaluation=False,
    )
    data.graph.data.x = data.graph.data.x.double()
    return data


def make_model(data: NodeDataModule) -> NodePredictor:
    """A network whose steps do not depend on luck."""
    seed_everything(3, verbose=False)
    return NodePredictor(
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
        hidden_channels=8,
        num_layers=2,
        num_experts=4,
        num_experts_1hop=2,
        top_k=2,
        router_kwargs={'noise': False},
        norm='layer_norm',
        dropout=0.0,
    )


if __name__ == '__main__':
    ddp_pair.train(
        Path(sys.argv[1]), *map(int, sys.argv[2:]), make_data, make_model
    )
