"""The command ``gmoe export RUN FOLDER``."""

from __future__ import annotations

from gmoe.cli.parser import Parser
from gmoe.cli.trained import say

_DESCRIPTION = (
    'Writes a trained network for molecules, or an ensemble, to a folder that '
    'can be given to others: JSON, safetensors and a model card, no pickle.'
)
#: What the model card says, by option.
_CARD = {
    'license': 'The identifier of the licence, such as mit or cc-by-4.0.',
    'title': 'The title of the model card. (default: the targets)',
    'data': 'What it was trained on. (default: as the run says)',
    'split': 'How the data was split. (default: as the run says)',
}


def main(arguments: list[str]) -> None:
    """Exports a trained network.

    Args:
        arguments: The rest of the command line.

    Raises:
        ImportError: If a package is missing.
        ValueError: If there is no such network, or the folder cannot be
            written.
    """
    options = _parser().parse_args(arguments)
    # Their first import takes seconds: after what is wrong has been said.
    from gmoe.common.hub import check_repository, push_folder
    from gmoe.molecules.export import export_run

    if options.hub is not None:
        check_repository(options.hub)
    card = {name: getattr(options, name) for name in _CARD}
    folder = export_run(options.model, options.folder, **card)
    size = sum(p.stat().st_size for p in folder.rglob('*') if p.is_file())
    say(
        f"Wrote '{folder}' ({size / 1e6:.1f} MB): gmoe predict {folder} "
        'new.csv'
    )
    if options.license is None:
        say(
            'Its README.md names no licence: others may not use it without '
            'one, --license says it'
        )
    if options.hub is not None:
        address = push_folder(folder, options.hub, private=options.private)
        say(f'Uploaded to {address}')


def _parser() -> Parser:
    parser = Parser(
        prog='gmoe export',
        description=_DESCRIPTION,
        usage='gmoe export MODEL FOLDER [options]',
    )
    parser.add_argument(
        'model',
        type=str,
        help="A run's folder, the folder of an ensemble, or a checkpoint.",
    )
    parser.add_argument(
        'folder', type=str, help='The folder, which must not exist yet.'
    )
    for name, text in _CARD.items():
        parser.add_argument(f'--{name}', type=str, help=text)
    parser.add_argument(
        '--hub',
        type=str,
        help='A repository of the Hugging Face hub to upload it to, too, such '
        'as user/network.',
    )
    parser.add_argument(
        '--private',
        type=bool,
        default=True,
        help='Whether that one is made for its owner only.',
    )
    return parser
