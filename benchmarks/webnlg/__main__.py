"""Trains and tests graph and text models on WebNLG.

    python -m benchmarks.webnlg --root $GMOE_DATA_ROOT/webnlg

Every model is trained once per seed, and gives one result for each protocol.
Results are added to a file; the same command goes on where it was stopped.
``--quick`` runs everything on a slice, in files of its own, and so do other
seeds and settings than those of the committed results.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.options import run
from benchmarks.common.place import is_default
from benchmarks.common.record import RESULTS, ROOT, provenance
from benchmarks.webnlg import data, graph, results, text
from benchmarks.webnlg.records import Run, records

RUNS = ROOT / 'runs' / 'webnlg'
COMMITTED = RESULTS / 'webnlg.jsonl'


def main(
    root: str = 'data/webnlg',
    models: list[str] | None = None,
    seeds: tuple[int, ...] = (0, 1, 2),
    quick: bool = False,
    encoder: str = 'offline',
    epochs: int = 3,
    bf16: bool = True,
    threads: int | None = None,
    output: Path | None = None,
) -> None:
    """Trains and tests models.

    Args:
        root: The folder that holds WebNLG.
        models: The models. (default: all of them)
        seeds: The seeds.
        quick: Whether to run one epoch on a slice.
        encoder: The encoder of the text models that have one, as a name on
            the hub or a folder; ``offline`` is that of the extra ``offline``.
        epochs: The number of epochs of these.
        bf16: Whether these compute in bfloat16.
        threads: The number of threads. (default: torch's)
        output: The file of results. (default: ``benchmarks/results/
            webnlg.jsonl`` for the default seeds and settings, one of its own
            in ``runs/webnlg`` for others)
    """
    chosen = {'encoder': encoder, 'epochs': epochs, 'bf16': bf16}
    chosen['seeds'] = seeds = tuple(seeds)
    others = {'root': root, 'models': None, 'quick': False, 'threads': None}
    is_committed = is_default(main, {**others, **chosen})
    path = output or output_path(chosen, is_committed)
    known = [*graph.MODELS, *text.MODELS]
    for model in models or []:
        if model not in known:
            raise SystemExit(f"'models' must be of {known}, got '{model}'")
    if threads is not None:
        torch.set_num_threads(threads)
    folder = RUNS
    if quick:
        folder, path = RUNS / 'quick', output or RUNS / 'quick.jsonl'
        seeds, epochs = seeds[:1], 1
    parts = data.load(root, quick)
    encoders = text.TextSettings(encoder, epochs, bf16)
    for seed in seeds:
        for model in models or known:
            if text.is_fixed(model) and seed != seeds[0]:
                continue
            if model in text.MODELS:
                job = _text_job(model, seed, parts, encoders)
            else:
                job = _graph_job(model, seed, root, quick)
            _do(job, parts, folder, path)
    print(f'Results: {path}')
    is_committed = path.resolve() == COMMITTED.resolve()
    where = '' if is_committed else f' --path {shlex.quote(str(path))}'
    print(f'Report: python -m benchmarks.webnlg.table{where}')


def output_path(chosen: dict[str, Any], is_committed: bool) -> Path:
    """Where results go by default.

    Args:
        chosen: The seeds and the settings.
        is_committed: Whether they are those of the committed results.
    """
    if is_committed:
        return COMMITTED
    text = json.dumps(chosen, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return RUNS / f'settings-{digest[:8]}' / 'webnlg.jsonl'


@dataclass(frozen=True)
class Job:
    """A model to be trained.

    Args:
        model: The model.
        kind: ``graph`` or ``text``.
        seed: The seed.
        settings: What decides on the result besides.
        train: Trains it, with a folder to keep things in.
    """

    model: str
    kind: str
    seed: int
    settings: dict[str, Any]
    train: Callable[[Path], Run]

    def __str__(self) -> str:
        return f'{self.model}, seed {self.seed}'


def _text_job(
    model: str, seed: int, parts: data.Parts, encoders: text.TextSettings
) -> Job:
    return Job(
        model,
        'text',
        seed,
        text.settings_of(model, encoders),
        lambda folder: text.train(model, parts, seed, folder, encoders),
    )


def _graph_job(model: str, seed: int, root: str, quick: bool) -> Job:
    return Job(
        model,
        'graph',
        seed,
        graph.settings_of(model, quick),
        lambda folder: graph.train(model, seed, folder, root, quick),
    )


def _do(job: Job, parts: data.Parts, folder: Path, path: Path) -> None:
    found = results.find(results.read(path), job.model, job.seed, job.settings)
    if found:
        print(f'{job}: done')
        return
    print(f'{job}: {job.settings}', flush=True)
    record = {**provenance(), 'threads': torch.get_num_threads()}
    digest = hashlib.sha256(
        json.dumps(job.settings, sort_keys=True).encode()
    ).hexdigest()
    own = folder / f'{job.model}-seed{job.seed}-{digest[:8]}'
    scores = records(job.train(own), parts)
    head = {'model': job.model, 'kind': job.kind, 'seed': job.seed}
    results.append(path, [{**head, **score, **record} for score in scores])
    shutil.rmtree(own, ignore_errors=True)
    for score in scores:
        print(
            f'{job}, {score["protocol"]}: weighted F1 '
            f'{score["weighted_f1"]:.4f}, accuracy {score["accuracy"]:.4f}',
            flush=True,
        )


if __name__ == '__main__':
    run(main)
