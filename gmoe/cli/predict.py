"""The command ``gmoe predict MODEL new.csv``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

from gmoe.cli.parser import Parser
from gmoe.cli.trained import (
    add_input,
    add_model,
    find_device,
    quiet_loading,
    say,
    until_enough_is_read,
)
from gmoe.common.arguments import check_choice, check_integer
from gmoe.common.shown import counted

_DESCRIPTION = (
    'Predicts for molecules: one row for each row of the input, in order, as '
    'CSV on the standard output.'
)


def main(arguments: list[str]) -> None:
    """Predicts for the molecules of a table.

    Args:
        arguments: The rest of the command line.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If an argument is out of range.
    """
    options = _parser().parse_args(arguments)
    check_integer(1, batch_size=options.batch_size)
    if options.num_workers is not None:
        check_integer(0, num_workers=options.num_workers)
    # Their first import takes seconds: after what is wrong has been said.
    from gmoe.molecules.trained_model import TrainedModel
    from gmoe.molecules.uncertain import CALIBRATIONS
    from gmoe.molecules.uncertainty.conformal import check_level

    check_choice('calibrate', options.calibrate, CALIBRATIONS)
    if options.interval is not None:
        check_level(options.interval, 'interval')
    with quiet_loading():
        model = TrainedModel.load(options.model, find_device(options.device))
    if options.interval is not None and model.uncertainty is None:
        raise ValueError(
            "'interval' must be left out for a model without "
            'calibration.safetensors, which its training leaves, got '
            f'{options.interval}'
        )
    with until_enough_is_read():
        _predict(model, options)


def _parser() -> Parser:
    parser = Parser(
        prog='gmoe predict',
        description=_DESCRIPTION,
        usage='gmoe predict MODEL INPUT [INPUT ...] [options]',
    )
    add_model(parser)
    add_input(parser)
    parser.add_argument(
        '--output',
        type=str,
        help='The file to write. (default: the standard output)',
    )
    parser.add_argument(
        '--interval',
        type=float,
        help='The share of intervals, or of sets of classes, that are to hold '
        'the truth. (default: 0.9)',
    )
    parser.add_argument(
        '--calibrate',
        type=str,
        default='temperature',
        help='How probabilities are calibrated: temperature, isotonic or '
        'none.',
    )
    parser.add_argument(
        '--batch_size', type=int, default=256, help='Molecules of a batch.'
    )
    parser.add_argument(
        '--num_workers',
        type=int,
        help='Other processes, which read SMILES strings. (default: one for '
        'each core, none for few molecules)',
    )
    parser.add_argument(
        '--device',
        type=str,
        default='auto',
        help="Where networks run: 'cpu', 'cuda', or 'auto' for a GPU if there "
        'is one.',
    )
    return parser


def _predict(model: Any, options: Any) -> None:
    from gmoe.datasets.molecules.parallel import default_workers
    from gmoe.molecules.prediction_input import open_input
    from gmoe.molecules.prediction_output import PredictionOutput, open_output

    with open_input(
        options.input,
        options.batch_size,
        options.smiles,
        model.info.smiles,
        model.columns,
    ) as table:
        chunks, is_short = _looked_ahead(table.chunks)
        workers = options.num_workers
        if workers is None and is_short:
            workers = default_workers(options.batch_size)
        strings = ((rows, table.molecules(rows)) for rows in chunks)
        parts = model.stream(
            strings,
            0.9 if options.interval is None else options.interval,
            options.calibrate,
            workers,
        )
        start, count, refused = time.monotonic(), 0, 0
        with open_output(options.output) as file:
            for line in model.described(options.interval or 0.9):
                say(line)
            output = PredictionOutput(file, table.header)
            if is_short is None:  # Names of columns only.
                none: dict[str, list[float]] = {n: [] for n in model.columns}
                output.write([], model.predict([], columns=none))
            for rows, part in parts:
                output.write(rows, part)
                count += len(rows)
                refused += sum(map(bool, part.reasons))
        seconds = max(time.monotonic() - start, 1e-9)
    for line in table.said:
        say(line)
    for name in output.replaced:
        say(f"the column '{name}' of the input is replaced")
    say(
        f'{counted(count, "molecule")}, {refused} of them refused, '
        f'{count / seconds:.0f} a second'
    )


def _looked_ahead(chunks: Iterator[Any]) -> tuple[Iterator[Any], bool | None]:
    """Whether there is one chunk only; :obj:`None` if there is none."""
    first = [*itertools.islice(chunks, 2)]

    def again() -> Iterator[Any]:
        yield from first
        yield from chunks

    return again(), len(first) == 1 if first else None
