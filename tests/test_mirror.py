"""Each file has its tests where its name says."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: What is tested under another name, as it is a part of what is tested there.
PARTS = {
    # Found by the names of their kinds, and the earlier name of a command.
    'benchmarks/reproduce/kinds/extractive.py': (
        'tests/benchmarks/reproduce/kinds/test_switch.py'
    ),
    'benchmarks/reproduce/kinds/webnlg_graph.py': (
        'tests/benchmarks/reproduce/kinds/test_webnlg.py'
    ),
    'benchmarks/webnlg/__main__.py': (
        'tests/benchmarks/reproduce/kinds/test_webnlg.py'
    ),
    # Of the command.
    'gmoe/cli/__main__.py': 'tests/cli/test_processes.py',
    'gmoe/cli/graph_cli.py': 'tests/cli/test_command.py',
    'gmoe/cli/info.py': 'tests/cli/test_command.py',
    'gmoe/cli/own.py': 'tests/cli/test_command.py',
    'gmoe/cli/parser.py': 'tests/cli/test_refusals.py',
    'gmoe/cli/settings.py': 'tests/cli/test_refusals.py',
    # What the package itself is made of.
    'gmoe/common/lazy.py': 'tests/test_lazy.py',
    # What others are made of, or is made of others, through these.
    'gmoe/datasets/triples/codes.py': 'tests/datasets/webnlg/test_dataset.py',
    'gmoe/datasets/webnlg/hub.py': 'tests/datasets/webnlg/test_dataset.py',
    'gmoe/nn/experts/expert_module.py': 'tests/nn/experts/test_module.py',
    'gmoe/nn/experts/shared/conv.py': 'tests/nn/experts/shared/test_find.py',
    'gmoe/nn/experts/shared/rows.py': (
        'tests/nn/experts/shared/test_networks.py'
    ),
    'gmoe/ops/_two_hop_eager.py': 'tests/ops/test_two_hop.py',
    'gmoe/ops/message.py': 'tests/ops/test_routed_message.py',
    'gmoe/text/bert_moe_files.py': 'tests/text/test_checkpoints.py',
    'gmoe/text/fine_tuned_classifier.py': 'tests/text/test_classifier.py',
    'gmoe/training/hop_mixture_data_module.py': (
        'tests/training/test_graph_data_module.py'
    ),
    'gmoe/training/one_graph_data_module.py': (
        'tests/training/test_node_data_module.py'
    ),
    'gmoe/training/run_settings.py': 'tests/cli/test_checkpoints.py',
}


def mirror(path: Path) -> Path:
    """Where the tests of a file are: a file, or a folder of its name."""
    parts = path.with_suffix('').parts
    if parts[0] == 'gmoe':
        parts = parts[1:]
    folder = Path('tests', *parts[:-1])
    name = parts[-1].strip('_')
    test = folder / f'test_{name}.py'
    return test if (ROOT / test).exists() else folder / name


def files(room: str) -> list[Path]:
    found = (ROOT / room).rglob('*.py')
    names = [path.relative_to(ROOT) for path in found]
    return sorted(path for path in names if path.name != '__init__.py')


def imports(path: Path) -> set[str]:
    """The modules that a file imports or runs by their names."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f'{node.module}.{alias.name}' for alias in node.names]
            found |= {node.module, *names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(node.value.split()[:1])
    return found


def module(path: Path) -> str:
    return '.'.join(path.with_suffix('').parts)


@pytest.mark.parametrize('room', ['gmoe', 'tools'])
def test_each_file_has_its_tests(room: str):
    missing = {str(p) for p in files(room) if not (ROOT / mirror(p)).exists()}
    assert missing <= PARTS.keys()
    assert all((ROOT / path).exists() for path in PARTS.values())


def test_parts_of_commands_are_tested_with_them():
    """A file of a benchmark has tests, or is used by what has some."""
    paths = files('benchmarks')
    tested = {p for p in paths if (ROOT / mirror(p)).exists()}
    others = [*files('tests'), *(ROOT / 'benchmarks').rglob('__init__.py')]
    while True:
        used = set().union(*map(imports, [*tested, *others]))
        more = {p for p in paths if module(p) in used} - tested
        if not more:
            break
        tested |= more
    assert {str(path) for path in set(paths) - tested} <= PARTS.keys()


def test_underscore_files_are_for_their_own_tests():
    private = {
        module(path): mirror(path)
        for path in files('gmoe')
        if path.name.startswith('_')
    }
    for path in files('tests'):
        for name in imports(path) & private.keys():
            assert private[name] in (path, path.parent), (path, name)
