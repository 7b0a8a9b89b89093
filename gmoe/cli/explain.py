"""The command ``gmoe explain MODEL new.csv``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gmoe.cli.parser import Parser
from gmoe.cli.trained import add_input, add_model, quiet_loading, say
from gmoe.common.arguments import check_integer
from gmoe.common.files import make_dirs, remove_empty, temporary_folder
from gmoe.common.shown import counted, shown

_DESCRIPTION = (
    'Explains predictions for molecules: drawings of the contributions of '
    'atoms and of their experts, tables, and a report on the router.'
)
#: The molecules of a table that a report looks at.
MOST = 5_000


def main(arguments: list[str]) -> None:
    """Explains the predictions for the molecules of a table.

    Args:
        arguments: The rest of the command line.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If an argument is out of range.
    """
    options = _parser().parse_args(arguments)
    check_integer(0, max_molecules=options.max_molecules)
    output = Path(options.output).expanduser()
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(
            "'output' must be a new or an empty folder, got "
            f'{shown(str(output))}, which is there'
        )
    # Their first import takes seconds: after what is wrong has been said.
    from gmoe.datasets.molecules.feature_columns import columns_in
    from gmoe.molecules.load import load_members
    from gmoe.molecules.prediction_input import open_input

    with quiet_loading():
        _, members = load_members(options.model)
    info = members[0].info
    beside = columns_in(info.features)
    rows: list[Any] = []
    total = 0
    with open_input(
        options.input, 256, options.smiles, info.smiles, beside, is_each=True
    ) as table:
        for chunk in table.chunks:
            total += len(chunk)
            chunk = chunk[: MOST - len(rows)]
            if not chunk:  # A table may be of any length.
                continue
            smiles, columns, reasons = table.molecules(chunk)
            count = len(smiles)
            rows += zip(
                smiles,
                [None] * count if columns is None else columns,
                reasons or [''] * count,
            )
    made = make_dirs(output.parent)
    try:
        explainer, said = _explain(members, rows, output, options)
    except BaseException:
        remove_empty(made)
        raise
    for line in [*table.said, *said]:
        say(line)
    if total > MOST:
        say(f'the first {MOST} of {total} molecules were looked at')
    done = counted(explainer.count, 'molecule')
    say(f'{done} explained: {output / "report.html"}')


def _explain(
    members: Any, rows: list[Any], output: Path, options: Any
) -> tuple[Any, list[str]]:
    """Explains molecules in a folder of its own, which becomes the output in
    one step."""
    from gmoe.molecules.explanation.explain import Explainer

    with temporary_folder(output) as folder:
        explainer = Explainer(
            members, folder, options.target, options.max_molecules
        )
        for number, row in enumerate(rows):
            explainer.add(number, *row)
        said = explainer.finish()
        os.replace(folder, output)
    return explainer, said


def _parser() -> Parser:
    parser = Parser(
        prog='gmoe explain',
        description=_DESCRIPTION,
        usage='gmoe explain MODEL INPUT [INPUT ...] [options]',
    )
    add_model(parser)
    add_input(parser)
    parser.add_argument(
        '--output',
        type=str,
        default='explanation',
        help='The folder to make.',
    )
    parser.add_argument(
        '--target',
        type=str,
        help='The target, or the class of several, that is explained. '
        '(default: the first target, or the predicted class)',
    )
    parser.add_argument(
        '--max_molecules',
        type=int,
        default=100,
        help='How many molecules are drawn; the report is on all.',
    )
    return parser
