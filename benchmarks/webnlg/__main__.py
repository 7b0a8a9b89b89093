"""Trains and tests graph and text models on WebNLG.

    python -m benchmarks.webnlg --root $GMOE_DATA_ROOT/webnlg

Every model is trained once per seed, and gives one result for each protocol.
Results are added to a file; the same command goes on where it was stopped.
``--quick`` runs everything on a slice, in files of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from jsonargparse import auto_cli

from benchmarks.record import RESULTS, ROOT, provenance
from benchmarks.webnlg import data, results, text
from benchmarks.webnlg.records import records

RUNS = ROOT / 'runs' / 'webnlg'


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
            webnlg.jsonl``)
    """
    known = list(text.MODELS)
    for model in models or []:
        if model not in known:
            raise SystemExit(f"'models' must be of {known}, got '{model}'")
    if threads is not None:
        torch.set_num_threads(threads)
    folder, path = RUNS, output or RESULTS / 'webnlg.jsonl'
    if quick:
        folder, path = RUNS / 'quick', output or RUNS / 'quick.jsonl'
        seeds, epochs = seeds[:1], 1
    parts = data.load(root, quick)
    settings = text.TextSettings(encoder, epochs, bf16)
    for seed in seeds:
        for model in models or known:
            _run(model, parts, seed, settings, folder, path)


def _run(
    model: str,
    parts: data.Parts,
    seed: int,
    settings: text.TextSettings,
    folder: Path,
    path: Path,
) -> None:
    wanted = text.settings_of(model, settings)
    name = f'{model}, seed {seed}'
    if len(results.find(results.read(path), model, seed, wanted)) == 2:
        print(f'{name}: done')
        return
    print(f'{name}: {wanted}', flush=True)
    record = {**provenance(), 'threads': torch.get_num_threads()}
    own = folder / f'{model}-seed{seed}-{_digest(wanted)}'
    run = text.train(model, parts, seed, own, settings)
    head = {'model': model, 'kind': 'text'}
    new = [
        {
            **head,
            'protocol': result.pop('protocol'),
            'seed': seed,
            **result,
            **record,
        }
        for result in records(run, parts)
    ]
    results.append(path, new)
    shutil.rmtree(own, ignore_errors=True)
    for result in new:
        print(
            f'{name}, {result["protocol"]}: weighted F1 '
            f'{result["weighted_f1"]:.4f}, accuracy {result["accuracy"]:.4f}',
            flush=True,
        )


def _digest(settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


if __name__ == '__main__':
    auto_cli(main)
