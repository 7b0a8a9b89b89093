"""All that a GPU must show, for the day when there is one.

    python -m benchmarks.speed.gpu_check --root $GMOE_DATA_ROOT/ogb
    python -m benchmarks.speed.gpu_check --parts '[build, tests]'

The parts, in their order: what others need or tell the most comes first. Each
is a process of its own with a bounded time, all together ten minutes; one that
fails or takes too long does not stop the others, and the result is written
after each. Without a GPU the parts that need none run on the CPU, and the
result says what was left out.

- ``build``: the fused ops for the card, if they are not there yet
- ``tests``: the tests of ops and layers that name a device
- ``capture``: every op in a CUDA graph
- ``determinism``: the same bits in 100 runs of every op and of a training step
- ``sanitizer``: every op under compute-sanitizer (memcheck, racecheck)
- ``step_time``, ``op_bandwidth``: a part of those benchmarks
- ``epoch``: one epoch of a mixture on a dataset of molecules
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.options import run
from benchmarks.common.place import Place, is_default
from benchmarks.common.record import provenance, write_result
from benchmarks.speed import gpu_parts
from benchmarks.speed.gpu_parts import Ended, Setting
from benchmarks.speed.rows import chosen


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Args:
        seconds: The most that it may take.
        run: Gives what it found. It raises
            :class:`~benchmarks.speed.gpu_parts.Ended` for another end.
        needs_gpu: Whether it is left out without one.
    """

    seconds: int
    run: Callable[[Setting], dict[str, Any]]
    needs_gpu: bool = False


#: In the order in which they run.
PARTS = {
    'build': Part(150, gpu_parts.build, needs_gpu=True),
    'tests': Part(120, gpu_parts.tests),
    'capture': Part(30, gpu_parts.capture, needs_gpu=True),
    'determinism': Part(40, gpu_parts.determinism),
    'sanitizer': Part(90, gpu_parts.sanitizer, needs_gpu=True),
    'step_time': Part(60, gpu_parts.step_time),
    'op_bandwidth': Part(30, gpu_parts.op_bandwidth),
    'epoch': Part(80, gpu_parts.epoch),
}


def main(
    root: Path = Path('data/ogb'),
    parts: list[str] | str | None = None,
    device: str | None = None,
    dataset: str = 'molhiv',
    rounds: int = 5,
    runs: int = 100,
    results: Path | None = None,
) -> None:
    """Runs the parts and records what they find.

    Args:
        root: The folder of the OGB datasets.
        parts: The part or the parts; all if not given.
        device: Where to run. (default: ``cuda`` if there is a GPU, else
            ``cpu``)
        dataset: The dataset of the epoch: molhiv, or another of table 1.
        rounds: How often each model and each op is timed.
        runs: How often each op is run to compare the bits.
        results: The folder of the result file. (default: the committed
            ones for the default settings on a GPU, one below ``runs`` for
            others)
    """
    good = is_default(main, locals()) and torch.cuda.is_available()
    place = Place.choose('gpu_check', good, results)
    names = [name for name in PARTS if name in chosen(parts, PARTS)]
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    record: dict[str, Any] = {
        **provenance(),
        'device': device,
        'card': card(device),
        'parts': {},
    }
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            setting = Setting(
                root, device, dataset, rounds, runs, Path(folder)
            )
            record['parts'][name] = found = run_part(PARTS[name], setting)
        path = write_result(place.results, 'gpu_check', record)
        reason = found.get('reason', '').strip().splitlines()[-1:]
        print(f'{name}: {": ".join([found["state"], *reason])}', flush=True)
    print(f'Wrote {path}')


def card(device: str) -> dict[str, Any] | None:
    """What a GPU is, :obj:`None` for another device.

    Args:
        device: The device.
    """
    if torch.device(device).type != 'cuda':
        return None
    properties = torch.cuda.get_device_properties(device)
    return {
        'name': properties.name,
        'capability': f'{properties.major}.{properties.minor}',
        'memory': properties.total_memory,
        'multiprocessors': properties.multi_processor_count,
        'cuda': torch.version.cuda,
    }


def run_part(part: Part, setting: Setting) -> dict[str, Any]:
    """Runs a part, and tells its state, which is ``'holds'``, ``'failed'``,
    ``'timed out'`` or ``'left out'``, how long it took and what it found.

    Args:
        part: The part.
        setting: What it works with.
    """
    start = time.monotonic()
    setting.end = start + part.seconds
    found: dict[str, Any] = {'state': 'holds'}
    try:
        if part.needs_gpu and not setting.on_gpu:
            raise Ended('left out', reason='there is no GPU here')
        found |= part.run(setting)
    except Ended as ended:
        found |= {'state': ended.state, **ended.found}
    except Exception as error:  # Nothing stops the other parts.
        found |= {'state': 'failed', 'reason': repr(error)}
    return {**found, 'seconds': round(time.monotonic() - start, 1)}


if __name__ == '__main__':
    run(main, as_positional=False)
