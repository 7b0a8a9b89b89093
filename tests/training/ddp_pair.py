"""Two processes that train together, and what they leave."""

import json
from datetime import timedelta

import torch
import torch.distributed as dist
from lightning.pytorch import Callback, Trainer, seed_everything

from tests import processes

WORLD_SIZE = 2
TIMEOUT = 240


class Seen(Callback):
    """The numbers of the nodes or pairs of each training step."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []

    def on_train_batch_start(self, trainer, module, batch, number) -> None:
        self.steps.append(batch.graph_id.tolist())


def make_trainer(**kwargs) -> Trainer:
    """A trainer whose steps can be compared."""
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


def make_network(kind, **arguments):
    """A small mixture whose steps do not depend on luck."""
    seed_everything(3, verbose=False)
    return kind(
        hidden_channels=8,
        num_layers=2,
        num_experts=4,
        num_experts_1hop=2,
        top_k=2,
        router_kwargs={'noise': False},
        norm='layer_norm',
        dropout=0.0,
        **arguments,
    )


def train(folder, rank, world_size, make_data, make_model) -> None:
    """Trains for an epoch in one of the processes, with a validation at its
    end."""
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


def run(folder, module, **variables) -> None:
    """Runs a module in two processes, with variables of the environment."""
    running = [
        processes.start(
            folder,
            module,
            *(folder, rank, WORLD_SIZE),
            stdout=f'output{rank}',
            stderr=f'output{rank}',
            variables={'LOCAL_RANK': str(rank), **variables},
        )
        for rank in range(WORLD_SIZE)
    ]
    try:
        codes = [process.wait(TIMEOUT) for process in running]
    finally:
        for process in running:
            process.kill()
    texts = [(folder / f'output{i}').read_text() for i in range(WORLD_SIZE)]
    assert codes == [0] * WORLD_SIZE, '\n'.join(texts)[-10_000:]


def seen(folder, rank):
    return json.loads((folder / f'seen{rank}.json').read_text())


def weights(folder, rank):
    return torch.load(folder / f'weights{rank}.pt', weights_only=True)
