"""Kills trainings of text classifiers at random moments and compares.

    python -m benchmarks.reliability.classifier_kills --kills 100

A small training with a checkpoint after each epoch is done undisturbed, and
again with its process killed (SIGKILL) again and again, before, in and after
the writing of checkpoints. Both must give the same predictions and the same
losses, bit by bit: each classifier, with texts for validation and without.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common.options import run
from benchmarks.reliability.tiny_bert import write_tiny_bert
from gmoe.text import BertClassifier, BertMoeClassifier, FineTuning
from gmoe.text.checkpoints import last_checkpoint

TEXTS = ['crew of moon', 'river of water', 'the crew', 'the river'] * 3
LABELS = ['Astronaut', 'River'] * 6
KINDS = {'bert': BertClassifier, 'bert-moe': BertMoeClassifier}


def train(kind: str, is_validated: bool, folder: Path, epochs: int) -> Any:
    """Trains, and goes on with what is in a folder.

    Args:
        kind: A key of :data:`KINDS`.
        is_validated: Whether there are texts for validation.
        folder: Has the encoder beside it.
        epochs: The number of epochs.

    Returns:
        The losses and the predictions, as JSON can hold them.
    """
    training = FineTuning(
        epochs, 4, 1e-2, checkpoints=folder, arguments={'use_cpu': True}
    )
    model = KINDS[kind](folder.parent / 'bert', training)
    validation = (TEXTS[:4], LABELS[:4]) if is_validated else None
    model.fit(TEXTS, LABELS, validation)
    losses = [line['loss'] for line in model.history if 'loss' in line]
    return [losses, model.predict_proba(TEXTS).tolist()]


def disturb(
    kind: str,
    is_validated: bool,
    folder: Path,
    epochs: int,
    draw: random.Random,
    seconds: float,
) -> tuple[Any, int, int]:
    """The same, in processes that are killed until one comes to its end.

    Args:
        kind: A key of :data:`KINDS`.
        is_validated: Whether there are texts for validation.
        folder: Has the encoder beside it.
        epochs: The number of epochs.
        draw: Draws the moments.
        seconds: How long one lives at most.

    Returns:
        What was trained, how often it was killed, and how many of these
        times half a checkpoint was left.
    """
    kills = halves = 0
    out = folder.parent / 'out.json'
    out.unlink(missing_ok=True)
    while not out.exists():
        child = os.fork()
        if child == 0:
            try:
                with _silent():
                    result = train(kind, is_validated, folder, epochs)
                out.with_suffix('.part').write_text(json.dumps(result))
                os.replace(out.with_suffix('.part'), out)
            finally:
                os._exit(1)
        time.sleep(draw.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert out.exists(), 'a training ended without a result'
            continue
        kills += 1
        whole = last_checkpoint(folder)
        names = [p.name for p in folder.glob('checkpoint-*')]
        steps = [int(name.removeprefix('checkpoint-')) for name in names]
        newest = f'checkpoint-{max(steps, default=0)}'
        halves += whole is not None and whole.name != newest
    return json.loads(out.read_text()), kills, halves


@contextmanager
def _silent() -> Iterator[None]:
    # The Trainer prints its losses.
    null = os.open(os.devnull, os.O_WRONLY)
    kept = os.dup(1), os.dup(2)
    os.dup2(null, 1), os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept[0], 1), os.dup2(kept[1], 2)


def main(kills: int = 100, epochs: int = 12, seed: int = 0) -> None:
    """Kills trainings until there were enough kills.

    Args:
        kills: The least number of kills.
        epochs: The number of epochs of a training.
        seed: The seed of the moments.

    Raises:
        AssertionError: If a training gives something else.
    """
    draw = random.Random(seed)
    start = time.monotonic()
    cases = list(itertools.product(KINDS, (False, True)))
    expected: dict[Any, Any] = {}
    seconds = 0.0
    done = halves = trainings = 0
    with TemporaryDirectory() as name:
        root = Path(name)
        write_tiny_bert(root / 'bert')
        for number in itertools.count():
            if done >= kills and number >= len(cases):
                break
            case = cases[number % len(cases)]
            if case not in expected:
                began = time.monotonic()
                with _silent():
                    expected[case] = train(*case, root / f'{case}', epochs)
                seconds = max(seconds, time.monotonic() - began)
            out, killed, half = disturb(
                *case, root / f'{number}', epochs, draw, seconds
            )
            assert out == expected[case], f'training {number}: {case}'
            done, halves, trainings = done + killed, halves + half, number + 1
    print(
        f'{trainings} trainings, {done} kills, {halves} of them with half a '
        f'checkpoint left, {time.monotonic() - start:.0f} s: all as '
        'undisturbed'
    )


if __name__ == '__main__':
    run(main)
