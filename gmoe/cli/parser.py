"""The command line's parser: errors of one line, gmoe's own help first."""

from __future__ import annotations

import argparse
import difflib
import os
import pkgutil
import re
import sys
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from gmoe.cli.own import OWN
from gmoe.common.shown import one_line

#: The environment variable that asks for tracebacks.
DEBUG = 'GMOE_DEBUG'
_CLASSES = {
    'model': (
        'GraphPredictor',
        'LinkPredictor',
        'NodePredictor',
        'TriplePredictor',
    ),
    'data': (
        'MoleculeDataModule',
        'OGBMolDataModule',
        'HopMixtureDataModule',
        'PeptidesDataModule',
        'LinkDataModule',
        'NodeDataModule',
        'WebNLGDataModule',
    ),
}
#: The commands of Lightning, and what each takes in place of options.
_COMMANDS = {
    'fit': 'a table, as in gmoe fit my.csv, or ',
    'validate': '',
    'test': '',
    'predict': 'a network and molecules, as in gmoe predict RUN new.csv, or ',
}
_CKPT_PATH = (
    "The checkpoint: 'last' or 'best' of the newest run below --run_dir, or a "
    'file. It carries the settings of its network.'
)
#: Groups of options by one of theirs, in the order of the help.
_GROUPS = {
    'ckpt_path': 'The checkpoint to start from',
    'model': 'The network',
    'data': 'The data',
    'checkpoint': 'How the best checkpoint is kept',
    'early_stopping': 'When a training ends early',
    'averaging': 'How weights are averaged',
    'trainer': 'The trainer of Lightning',
}


class Parser(LightningArgumentParser):
    """Refuses with one line, which names the argument, and starts its help
    with gmoe's own arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)
        #: The parsers of the commands, if this is the one of all.
        self.commands: list[LightningArgumentParser] = []
        #: Arguments of the network that the data gives.
        self.linked: frozenset[str] = frozenset()

    def format_help(
        self, formatter: argparse.HelpFormatter | None = None
    ) -> str:
        groups = self._action_groups
        own: list[Any] = []
        for key, title in _GROUPS.items():
            for group in groups:
                names = [action.dest for action in group._group_actions]
                for action in group._group_actions:
                    if action.dest == 'ckpt_path':
                        action.help = _CKPT_PATH
                if key in names and group not in own:
                    group.title = title
                    if key in _CLASSES:
                        group.description = _options(key, self.linked)
                    own.append(group)
        # The first two are argparse's own.
        others = [group for group in groups[2:] if group not in own]
        self._action_groups = [*groups[:2], *own, *others]
        return super().format_help(formatter)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        # Parsers of nested classes leave it to that of the command.
        if not self.exit_on_error or os.environ.get(DEBUG):
            raise argparse.ArgumentError(None, message) from ex
        print(f'gmoe: error: {self._line(message)}', file=sys.stderr)
        sys.exit(2)

    def _line(self, message: str) -> str:
        if 'subcommand' in message:
            choice = re.search(r"invalid choice: '([^']*)", message)
            got = repr(one_line(choice[1])) if choice else 'none'
            names = ', '.join(dict.fromkeys([*_COMMANDS, *OWN]))
            return f'the command must be one of {names}, got {got}'
        if bare := re.search(r'required: (\w+)\.data, \1\.model', message):
            other = _COMMANDS[bare[1]]
            return (
                f"'gmoe {bare[1]}' must be given {other}--config FILE, got "
                'neither data nor a network'
            )
        keys = re.findall(r'Parser key "([^"]+)"', message)
        name = '.'.join(dict.fromkeys([*keys[:1], *keys[-1:]]))
        # The mistake inside of a class is said first.
        path = re.search(r"given class_path '([\w.]+)'", message)
        inner = message[path.end() :] if path else message
        for pattern in (
            r"Option '([^']+)' is not accepted",
            r"Subcommand '[^']+' does not accept option '([^']+)",
            r"Group '([^']+)' does not accept option '([^']+)",
            r'unrecognized arguments: --([^\s=]+)',
        ):
            if found := re.search(pattern, inner):
                full = '.'.join(filter(None, [name, *found.groups()]))
                return self._unknown(full, name, path[1] if path else None)
        needs = re.search(r'arguments are required: (.*)', inner)
        if name and needs:
            return f"'{name}' requires {one_line(needs[1], 200)}"
        if extra := re.match(r'unrecognized arguments: ([^-]\S*)', inner):
            return (
                f'{one_line(extra[1])!r} is no option: each has a name before '
                "its value (a table comes right behind 'fit', the settings of "
                "a run behind '--config')"
            )
        value = re.search(r'(?:Given|Got) value: (.*)', inner)
        if name and value:
            kinds = re.findall(r'Subtypes: \[(.*)\]|an? (.*?)\. Got', inner)
            kind = _kind(''.join(kinds[0])) if kinds else 'of another kind'
            if name in _CLASSES:
                kind = (
                    f'one of the classes {", ".join(_CLASSES[name])}, or a '
                    'file of settings'
                )
            nested = re.match(r"NestedArg\(.* val='(.*)'\)", value[1])
            got = one_line(nested[1] if nested else value[1])
            return f"'{name}' must be {kind}, got {got!r}"
        return one_line(message, 200)

    def _unknown(self, name: str, owner: str, path: str | None) -> str:
        name = name.replace('.init_args', '')
        if path is not None:
            known = [f'{owner}.{key}' for key in _arguments(path)]
        else:
            parsers = (self, *self.commands)
            defaults = [p.get_defaults().as_flat() for p in parsers]
            known = [key for each in defaults for key in vars(each)]
        group, dot, last = name.rpartition('.')
        # Only the last part counts where the others are right.
        inside = [
            key.removeprefix(group + dot)
            for key in known
            if dot and key.startswith(group + dot)
        ]
        near = difflib.get_close_matches(last, inside, 1)
        near = [f'{group}.{key}' for key in near]
        near = near or difflib.get_close_matches(name, known, 1, 0.75)
        hint = f": did you mean '--{near[0]}'?" if near else ''
        return f"'--{one_line(name)}' is not an argument{hint}"


def _options(key: str, linked: frozenset[str]) -> str:
    lines = []
    for name in _CLASSES[key]:
        arguments = _arguments(f'gmoe.training.{name}')
        options = ' '.join(
            f'--{key}.{argument}'
            for argument in arguments
            if key != 'model' or argument not in linked
        )
        lines.append(f'{name} (--{key}.help {name}): {options}')
    return '. '.join(lines)


def _kind(text: str) -> str:
    text = re.sub(r"<class '([^']+)'>", r'\1', text)
    text = re.sub(r'\b(?:[A-Za-z_]\w*\.)+(\w)', r'\1', text)
    text = re.sub(r'Literal\[(.*?)\]', r'\1', text.replace('NoneType', 'null'))
    return one_line(f'one of {text}' if ',' in text else text, 200)


def _arguments(path: str) -> list[str]:
    try:
        kind = pkgutil.resolve_name(path)
        names = Parser().add_class_arguments(kind, fail_untyped=False)
    except Exception:  # A class of somebody else: no hint.
        return []
    return list(names)
