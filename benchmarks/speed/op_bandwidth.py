"""The memory bandwidth that each op makes use of.

    python -m benchmarks.speed.op_bandwidth --root $GMOE_DATA_ROOT/ogb
    python -m benchmarks.speed.op_bandwidth --only message-gin-n8-k1-d300-infer

An op cannot be faster than its operands can be read and its results written.
Its effective bandwidth is those fewest bytes over its time, and what counts is
that over the bandwidth of a memory copy. The variants take turns in one
process, and the results of each are checked before they are timed. A turn
starts with calls that are not timed, so that each variant finds the caches as
it leaves them itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch_geometric.data import Data

from benchmarks.common.options import run
from benchmarks.speed import op_message
from benchmarks.speed.op_case import Case, check
from benchmarks.speed.rows import (
    chosen,
    line,
    milliseconds,
    molecules,
    write_rows,
)

#: Each case by name; makes it for a batch of molecules.
CASES: dict[str, Callable[[Data], Case]] = {**op_message.CASES}

#: What is shown of a row: the bandwidth of a variant over that of the copy.
SHARES = ('gmoe', 'pyg', 'torch_scatter', 'compile', 'small_copy')

TURN_MS = 5.0  # A turn lasts about as long, in as many calls as fit.


def main(
    root: str = 'data/ogb',
    only: list[str] | str | None = None,
    batch: list[int] | int | None = None,
    rounds: int = 20,
    device: str = 'cpu',
    copy_mb: int = 256,
    json: Path | None = None,
    cache_dir: str | None = None,
) -> None:
    """Times all cases.

    Args:
        root: The folder of the OGB datasets.
        only: The case or the cases; all if not given.
        batch: The number or numbers of molecules per batch; 32 and 512 if not
            given.
        rounds: How many turns each variant has.
        device: Where to run.
        copy_mb: The size of the buffer that is copied, in MiB; to be much
            larger than the caches.
        json: A file for the results.
        cache_dir: Where parsed datasets are kept.
    """
    names = chosen(only, CASES)
    rows = []
    for size, data in molecules(root, cache_dir, batch, device).items():
        for name in names:
            case = CASES[name](data)
            row = {'name': name, 'batch': size}
            row |= time_case(case, rounds, copy_mb, data.x.device)
            rows.append(row)
            Console().print(line(row), soft_wrap=True)
    console = Console()
    console.width = max(console.width, 104)
    console.print(_table(rows))
    write_rows(
        json,
        rows,
        threads=torch.get_num_threads(),
        device=device,
        rounds=rounds,
        copy_mb=copy_mb,
    )


def time_case(
    case: Case, rounds: int, copy_mb: int, device: torch.device
) -> dict[str, Any]:
    """Checks and times the variants of a case, and two copies: a large one,
    and ``small_copy``, which moves as many bytes as the op.

    Args:
        case: The case.
        rounds: How many turns each variant has.
        copy_mb: The size of the large copy's buffer, in MiB.
        device: Where the copies are.
    """
    row: dict[str, Any] = {'num_bytes': case.num_bytes}
    turns: dict[str, Callable[[], Any]] = {}
    for name, call in case.calls.items():
        row[f'{name}_ms'] = None
        if call is None:
            continue
        try:
            results = call()
        except torch._dynamo.exc.TorchDynamoException as error:
            row[f'{name}_error'] = str(error).strip().split('\n')[0]
            continue  # A machine without a compiler.
        check(name, results, case)
        turns[name] = call
    num_bytes = dict.fromkeys(turns, case.num_bytes)
    for name, size in {
        'small_copy': case.num_bytes // 2,
        'copy': copy_mb * 2**20,
    }.items():
        turns[name] = _copy(size, device)
        num_bytes[name] = 2 * size
    times = _take_turns(turns, rounds)
    for name, values in times.items():
        ms = statistics.median(values)
        row[f'{name}_ms'] = round(ms, 4)
        row[f'{name}_ms_all'] = [round(value, 4) for value in values]
        row[f'{name}_gb_per_s'] = round(num_bytes[name] / ms / 1e6, 2)
    return row


def _copy(size: int, device: torch.device) -> Callable[[], Any]:
    # It reads `size` bytes and writes as many.
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return lambda: target.copy_(source)


def _take_turns(
    calls: dict[str, Callable[[], Any]], rounds: int
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    number = dict.fromkeys(calls, 1)
    for turn in range(rounds + 1):
        for name, call in calls.items():
            milliseconds(call)
            ms = milliseconds(call, number[name])
            if turn > 0:
                times[name].append(ms)
            else:  # The first turn warms up and tells how long a call takes.
                number[name] = max(1, min(100, int(TURN_MS / ms)))
    return times


def share(row: dict[str, Any], name: str) -> str:
    """The bandwidth of a variant over the copy's, or a dash without one."""
    bandwidth = row.get(f'{name}_gb_per_s')
    if bandwidth is None:
        return '-'
    return f'{bandwidth / row["copy_gb_per_s"]:.2f}'


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="effective bandwidth over a memory copy's")
    table.add_column('case', no_wrap=True)
    for column in ('batch', 'MB', 'copy GB/s', *SHARES):
        table.add_column(column.replace('_', ' '), justify='right')
    for row in rows:
        table.add_row(
            row['name'],
            str(row['batch']),
            f'{row["num_bytes"] / 1e6:.2f}',
            f'{row["copy_gb_per_s"]:.2f}',
            *(share(row, name) for name in SHARES),
        )
    return table


if __name__ == '__main__':
    run(main, as_positional=False)
