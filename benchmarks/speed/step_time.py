"""The time and memory of a training step and of inference.

    python -m benchmarks.speed.step_time --root $GMOE_DATA_ROOT/ogb
    python -m benchmarks.speed.step_time --only gcn-n8-k4-d150 --batch 512
    python -m benchmarks.speed.step_time \\
        --only '[gcn-n8-k4-d150, gin-n8-k1-d300]'

In one process, for each row: OGB's single-expert network and the dense mixture
on stock PyG, and gmoe. They take turns, so that all of them see the machine in
the same state; what counts are the ratios within a row. Before each timing,
gmoe's outputs are compared with those of its peers with the same parameters.
"""

from __future__ import annotations

import gc
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch_geometric.data import Data

from benchmarks.common.memory import (
    give_back_freed_memory,
    process_memory,
    reset_peak_memory,
)
from benchmarks.common.options import run
from benchmarks.speed.rows import (
    chosen,
    line,
    milliseconds,
    molecules,
    write_rows,
)
from benchmarks.speed.stock import StockGNN
from gmoe.nn import GNN, hidden_for_equal_cost
from gmoe.routing import balance_loss

SINGLE = 300  # The hidden size of the single-expert network.

#: Row: convolution, experts, selected, hidden size.
ROWS: dict[str, tuple[str, int, int, int]] = {
    f'{conv}-n{n}-k{k}-d{d}': (conv, n, k, d)
    for conv, n, k, d in [
        ('gcn', 8, 4, 150),
        ('gcn', 8, 1, 300),
        ('gin', 8, 4, 150),
        ('gin', 8, 1, 300),
        *(
            ('gcn', n, 2, hidden_for_equal_cost(SINGLE, 2))
            for n in (4, 8, 16, 32, 64)
        ),
    ]
}
# Beyond this number of experts the dense mixture is left out: it would take
# minutes and many gigabytes.
MAX_DENSE = 8

#: What is shown of a row: one figure over another.
RATIOS = {
    'training: dense / gmoe': ('dense_train_ms', 'gmoe_train_ms'),
    'training: gmoe / single': ('gmoe_train_ms', 'single_train_ms'),
    'inference: dense / gmoe': ('dense_infer_ms', 'gmoe_infer_ms'),
    'inference: gmoe / single': ('gmoe_infer_ms', 'single_infer_ms'),
    'memory: gmoe / dense': ('gmoe_peak_mb', 'dense_peak_mb'),
    'memory: gmoe / single': ('gmoe_peak_mb', 'single_peak_mb'),
}

Call = Callable[[], Any]


def main(
    root: str = 'data/ogb',
    only: list[str] | str | None = None,
    batch: list[int] | int | None = None,
    rounds: int = 5,
    device: str = 'cpu',
    onednn: bool | None = None,
    profile: bool = False,
    json: Path | None = None,
    cache_dir: str | None = None,
) -> None:
    """Times all rows.

    Args:
        root: The folder of the OGB datasets.
        only: The row or the rows; all if not given.
        batch: The number or numbers of molecules per batch; 32 and 512 if not
            given.
        rounds: How often each model is timed.
        device: Where to run.
        onednn: Whether gmoe's matrix products on the CPU go through oneDNN,
            in place of what it prefers here. (its peers use torch's default)
        profile: Whether to record in which ops a training step of gmoe
            spends its time.
        json: A file for the results.
        cache_dir: Where parsed datasets are kept.
    """
    names = chosen(only, ROWS)
    if onednn is not None:
        os.environ['GMOE_ONEDNN'] = str(int(onednn))
    batches = molecules(root, cache_dir, batch, device)
    results = []
    for name in names:
        for data in batches.values():
            row = time_row(name, data, rounds, profile)
            results.append(row)
            Console().print(line(row))
    Console().print(_table(results))
    write_rows(
        json,
        results,
        threads=torch.get_num_threads(),
        device=device,
        onednn=onednn,
        rounds=rounds,
    )


def time_row(
    name: str, data: Data, rounds: int, profile: bool = False
) -> dict[str, Any]:
    """Times one row on one batch.

    Args:
        name: A key of :obj:`ROWS`.
        data: The batch.
        rounds: How often each model is timed.
        profile: Whether gmoe's training step is profiled.
    """
    conv, num_experts, top_k, hidden = ROWS[name]
    models = _models(conv, num_experts, top_k, hidden, data)
    row: dict[str, Any] = {'name': name, 'batch': data.num_graphs}
    for mode in ('train', 'infer'):
        make = _train_step if mode == 'train' else _inference
        calls = {key: make(model, data) for key, model in models.items()}
        times = _take_turns(calls, rounds)
        for key, values in times.items():
            row[f'{key}_{mode}_ms'] = round(statistics.median(values), 2)
            row[f'{key}_{mode}_ms_all'] = [round(v, 2) for v in values]
        if mode == 'train':
            for key, call in calls.items():
                row[f'{key}_peak_mb'] = _peak_mb(call, data.x.device)
            if profile:
                row['gmoe_profile'] = _shares(calls['gmoe'])
    return row


def _models(
    conv: str, num_experts: int, top_k: int, hidden: int, data: Data
) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    device = data.x.device
    single = StockGNN(conv, SINGLE).to(device)
    mixture = GNN(
        conv=conv,
        hidden_channels=hidden,
        num_experts=num_experts,
        top_k=top_k,
    ).to(device)
    # A router that has not learned anything yet sends everybody to the same
    # experts once its noise is off: give it something to choose by.
    for layer in mixture.convs:
        nn.init.normal_(layer.router.score_gate.weight)
    models: dict[str, nn.Module] = {'single': single, 'gmoe': mixture}
    plain = GNN(conv=conv, hidden_channels=SINGLE).to(device)
    single.copy_from(plain)
    _check('single', single, plain, data)
    if num_experts <= MAX_DENSE:
        dense = StockGNN(conv, hidden, num_experts, top_k).to(device)
        dense.copy_from(mixture)
        _check('dense', dense, mixture, data)
        models['dense'] = dense
    return models


def _call(model: nn.Module, data: Data) -> Any:
    if isinstance(model, StockGNN):
        return model(data), []
    return model(
        data.x,
        data.edge_index,
        data.edge_attr,
        data.batch,
        batch_size=data.num_graphs,
        return_routing=True,
    )


@torch.no_grad()
def _check(name: str, stock: nn.Module, ours: nn.Module, data: Data) -> None:
    expected, _ = _call(stock.eval(), data)
    out, _ = _call(ours.eval(), data)
    error = float((out - expected).abs().max() / expected.abs().max())
    if not error < 1e-3:
        raise RuntimeError(
            f'gmoe and the {name} network differ by {error:.1e} of the '
            'largest output'
        )


def _train_step(model: nn.Module, data: Data) -> Call:
    # All of them with the Adam that gmoe's trainings use.
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    target = data.y.float()

    def step() -> None:
        model.train()
        optimizer.zero_grad()
        out, routings = _call(model, data)
        loss = nn.functional.binary_cross_entropy_with_logits(out, target)
        if routings:
            loss = loss + 0.1 * balance_loss(routings)
        loss.backward()
        optimizer.step()

    return step


def _inference(model: nn.Module, data: Data) -> Call:
    def infer() -> None:
        model.eval()
        with torch.inference_mode():
            _call(model, data)

    return infer


def _take_turns(calls: dict[str, Call], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {key: [] for key in calls}
    for number in range(rounds + 1):
        for key, call in calls.items():
            ms = milliseconds(call)
            if number > 0:  # The first round warms up.
                times[key].append(ms)
    return times


def _shares(call: Call, most: int = 8) -> dict[str, float]:
    # The share of each op in the time, without the ops that it calls.
    with torch.profiler.profile() as profiler:
        for _ in range(3):
            call()
    ops = profiler.key_averages()
    total = sum(op.self_cpu_time_total for op in ops)
    largest = sorted(ops, key=lambda op: -op.self_cpu_time_total)[:most]
    return {op.key: round(op.self_cpu_time_total / total, 3) for op in largest}


def _peak_mb(call: Call, device: torch.device) -> float | None:
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return round((torch.cuda.max_memory_allocated() - before) / 2**20, 1)
    give_back_freed_memory()  # Or it would hide the peak.
    reset_peak_memory()  # To what is resident now.
    before = process_memory('VmRSS')
    call()
    after = process_memory('VmHWM')
    if before is None or after is None:
        return None
    return round((after - before) / 2**20, 1)


def ratio(row: dict[str, Any], over: str, under: str) -> str:
    """The ratio of two figures of a row, or a dash if there are not both.

    Args:
        row: The row.
        over: The name of the one.
        under: The name of the other.
    """
    if row.get(over) is None or not row.get(under):
        return '-'
    return f'{row[over] / row[under]:.2f}'


def _table(results: list[dict[str, Any]]) -> Table:
    table = Table(title='gmoe against its peers')
    for column in ('row', 'batch', *RATIOS):
        table.add_column(column, justify='right')
    for row in results:
        ratios = [ratio(row, *names) for names in RATIOS.values()]
        table.add_row(row['name'], str(row['batch']), *ratios)
    return table


if __name__ == '__main__':
    run(main, as_positional=False)
