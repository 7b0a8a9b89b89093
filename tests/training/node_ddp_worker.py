"""One of the processes that train on parts of a graph of their own:

python -m tests.training.node_ddp_worker FOLDER RANK WORLD_SIZE
"""

import sys
from pathlib import Path

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
    """A network that goes with the data."""
    return ddp_pair.make_network(
        NodePredictor,
        in_channels=data.in_channels,
        out_channels=data.num_outputs,
    )


if __name__ == '__main__':
    ddp_pair.train(
        Path(sys.argv[1]), *map(int, sys.argv[2:]), make_data, make_model
    )
