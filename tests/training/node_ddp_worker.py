"""One of the processes that train on parts of a graph of their own:

python -m tests.training.node_ddp_worker FOLDER RANK WORLD_SIZE
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from lightning.pytorch import Callback, Trainer, seed_everything

from gmoe.training import NodeDataModule, NodePredictor


class Seen(Callback):
    """The nodes of each training step."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []

    def on_train_batch_start(self, trainer, module, batch, number) -> None:
        self.steps.append(batch.graph_id.tolist())


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


def make_trainer(**kwargs) -> Trainer:
    return Trainer(
        max_epochs=1,
        accelerator='cpu',
        precision='64-true',
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **kwargs,
    )


def main(folder: Path, rank: int, world_size: int) -> None:
    """Trains for an epoch, with a validation at its end."""
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/rendezvous',
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=60),
    )
    data, seen = make_data(folder), Seen()
    trainer = make_trainer(
        strategy='ddp', devices=world_size, callbacks=[seen]
    )
    model = make_model(data)
    trainer.fit(model, datamodule=data)
    torch.save(model.state_dict(), folder / f'weights{rank}.pt')
    scores = {k: float(v) for k, v in trainer.callback_metrics.items()}
    out = {'steps': seen.steps, 'scores': scores}
    (folder / f'seen{rank}.json').write_text(json.dumps(out))
    # Gloo's thread may need the lock of Python to forget the last message,
    # which the end of the group holds while it waits for that thread.
    dist.barrier()
    dist.destroy_process_group()


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
