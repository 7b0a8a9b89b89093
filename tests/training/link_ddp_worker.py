"""One of the processes that train on links of their own:

python -m tests.training.link_ddp_worker FOLDER RANK WORLD_SIZE
"""

import sys
from pathlib import Path

from gmoe.training import LinkDataModule, LinkPredictor
from tests.training import ddp_pair


def make_data(folder: Path) -> LinkDataModule:
    """18 training links, five a step in each process."""
    return LinkDataModule(
        str(folder / 'mine.csv'),
        batch_size=5,
        two_hop='exact',
        router_input=['degree'],
    )


def make_model(data: LinkDataModule) -> LinkPredictor:
    """A network that goes with the data."""
    return ddp_pair.make_network(
        LinkPredictor,
        num_nodes=data.num_nodes,
        router_columns=data.router_columns,
    )


if __name__ == '__main__':
    ddp_pair.train(
        Path(sys.argv[1]), *map(int, sys.argv[2:]), make_data, make_model
    )
