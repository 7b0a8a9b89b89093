"""One of the processes of a distributed run, as a launcher starts them:

python -m tests.training.ddp_worker FOLDER RANK WORLD_SIZE
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from lightning.pytorch import seed_everything
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch_geometric.data import Batch, Data

from gmoe import cli
from gmoe.datasets import HopMixture
from gmoe.training import GraphPredictor, TrainingDivergedError
from gmoe.transforms import TwoHop
from tests.training import tiny

SINGLE = {'num_experts': 1, 'num_experts_1hop': 1, 'top_k': None}
CASES = {
    'gcn': {'conv': 'gcn'},
    'gin': {'conv': 'gin'},
    'gin with all else': {
        'conv': 'gin',
        'jumping_knowledge': 'sum',
        'residual': True,
        'moe_layers': [1],
    },
    'sparsemax': {'router': 'attention_sparsemax', 'top_k': None},
    'single': SINGLE,
    # All scores are equal: the experts 0 and 1 get all nodes.
    'experts without nodes': {'conv': 'gcn'},
    # The mode of a graph decides, and each rank has the graphs of one mode.
    'experts without nodes on one rank': {'conv': 'gin', 'num_layers': 1},
    'no hop-2 edges on one rank': {'conv': 'gcn'},
    'no label on one rank': {'conv': 'gcn'},
}


class Loss(nn.Module):
    """The training loss of a batch."""

    def __init__(self, model: GraphPredictor) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Data) -> torch.Tensor:
        return self.model.training_step(batch, 0)


def make_loss(case: str) -> Loss:
    """A model of a case whose loss does not depend on luck."""
    seed_everything(3, verbose=False)
    settings = {'router_kwargs': {'noise': False}, **CASES[case]}
    model = tiny.make_model(dropout=0.0, norm='layer_norm', **settings)
    for layer in model.gnn.moe_layers:
        score = model.gnn.convs[layer].router.score_gate
        if case == 'experts without nodes on one rank':
            # The first channel is what the node encoder makes of the mode.
            encoder = model.gnn.node_encoder.weight.data
            encoder[:, 0] = torch.tensor([0.0, 0, 0, 0, -1, 1])
            score.weight.data.normal_(std=1e-3)
            score.weight.data[0] = torch.tensor([-9.0, -9, 9, 9])
        elif case != 'experts without nodes':
            for parameter in score.parameters():
                parameter.data.normal_()
    return Loss(model.double())


def make_halves(case: str) -> list[list[Data]]:
    """The graphs of the two ranks; their numbers differ."""
    graphs = list(HopMixture(num_graphs=40))[:12]
    if case == 'experts without nodes on one rank':
        halves = [
            [graph for graph in graphs if int(graph.hop[0]) == hop]
            for hop in (1, 2)
        ]
        return [halves[0][:5], halves[1][:3]]
    first, second = graphs[:7], graphs[7:]
    if case == 'no hop-2 edges on one rank':
        second = [
            Data(
                x=torch.tensor([[0, 1, 0], [1, 0, 1]]),
                edge_index=torch.tensor([[0, 1], [1, 0]]),
                edge_attr=torch.tensor([[0], [2]]),
                y=torch.ones(1, 1),
                hop=torch.ones(2, dtype=torch.long),
                graph_id=torch.tensor([20]),
            )
        ]
    if case == 'no label on one rank':
        for graph in second:
            graph.y = torch.full((1, 1), float('nan'))
    return [first, second]


def make_batch(graphs: list[Data]) -> Data:
    return TwoHop()(Batch.from_data_list(graphs))


def gradients(loss: nn.Module) -> dict[str, torch.Tensor | None]:
    return {
        name.removeprefix('module.'): parameter.grad
        for name, parameter in loss.named_parameters()
    }


def log_some_labels(folder: Path, world_size: int) -> dict[str, torch.Tensor]:
    """What a run logs of graphs of which some have no label."""
    trainer = tiny.make_trainer(
        max_epochs=1,
        strategy='ddp',
        devices=world_size,
        default_root_dir=folder,
    )
    trainer.fit(tiny.make_still(), make_some_labels())
    return dict(trainer.callback_metrics)


def make_some_labels() -> tiny.SomeLabels:
    """56 graphs to train on, 7 in each of the other parts."""
    return tiny.SomeLabels(num_graphs=70, batch_size=3, test_curve=True)


def diverge(folder: Path, rank: int, world_size: int) -> str:
    """What ends a run of which one process meets an infinite weight."""
    trainer = tiny.make_trainer(
        max_epochs=2,
        strategy='ddp',
        devices=world_size,
        default_root_dir=folder,
        callbacks=[tiny.Breaks(8)] if rank == 1 else [],
    )
    model = tiny.make_still(learning_rate=1e-3, **SINGLE)
    try:
        # Seven steps in each epoch.
        trainer.fit(model, tiny.SomeLabels(num_graphs=70, batch_size=4))
    except TrainingDivergedError as error:
        return str(error)
    return 'nothing'


def main(folder: Path, rank: int, world_size: int) -> None:
    """Computes all cases, then trains, scores and predicts."""
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/rendezvous',
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=60),
    )
    results = {}
    for case in CASES:
        loss = DistributedDataParallel(make_loss(case))
        batch = make_batch(make_halves(case)[rank])
        value = loss(batch)
        value.backward()
        results[case] = (
            value.detach(),
            {name: grad.clone() for name, grad in gradients(loss).items()},
        )
        # Stops if a parameter was left out in the step before.
        loss(batch).backward()
    torch.save(results, folder / f'gradients{rank}.pt')

    logged = log_some_labels(folder, world_size)
    torch.save(logged, folder / f'some_labels{rank}.pt')
    message = diverge(folder, rank, world_size)
    (folder / f'diverged{rank}').write_text(message)

    arguments = [
        f'--config={folder / "tiny.yaml"}',
        '--trainer.strategy=ddp',
        f'--trainer.devices={world_size}',
    ]
    sys.argv = sys.argv[:1]
    done = cli.run(['fit', *arguments, '--trainer.max_epochs=2'])
    torch.save(done.model.state_dict(), folder / f'weights{rank}.pt')
    done = cli.run(['validate', *arguments, '--data.test_curve=true'])
    metrics = {k: float(v) for k, v in done.trainer.callback_metrics.items()}
    (folder / f'scores{rank}.json').write_text(json.dumps(metrics))
    cli.run(['predict', *arguments, '--data.predict_split=all'])
    # Gloo's thread may need the lock of Python to forget the last message,
    # which the end of the group holds while it waits for that thread.
    dist.barrier()
    dist.destroy_process_group()


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
