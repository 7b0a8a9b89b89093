"""What the pages name exists: commands, files, links, names of Python."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *sorted((ROOT / 'docs').rglob('*.md')),
    ROOT / 'README.md',
    ROOT / 'CONTRIBUTING.md',
    ROOT / 'benchmarks' / 'README.md',
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
#: Folders of the checkout whose files are named in the pages.
_FOLDERS = 'gmoe|benchmarks|tools|tests|configs|examples|docs'


def modules():
    text = '\n'.join(page.read_text() for page in PAGES)
    return sorted(
        set(re.findall(r'\b(?:benchmarks|tools|tests)(?:\.\w+)+', text))
    )


@pytest.mark.parametrize('name', modules())
def test_modules_of_commands_exist(name):
    spec = importlib.util.find_spec(name)
    assert spec is not None
    if spec.submodule_search_locations:  # A package is run by its main module.
        assert importlib.util.find_spec(f'{name}.__main__') is not None


@pytest.mark.parametrize('page', PAGES, ids=NAMES)
def test_files_exist(page):
    text = page.read_text()
    for name in re.findall(rf'(?<![\w/.-])(?:{_FOLDERS})/[\w./-]*\w', text):
        is_placeholder = re.search('NAME|TABLE', name)
        assert is_placeholder or (ROOT / name).exists(), name


@pytest.mark.parametrize('page', PAGES, ids=NAMES)
def test_make_knows_its_targets(page):
    rules = (ROOT / 'Makefile').read_text()
    for target in re.findall(r'(?:^ *|`)make (\w+)', page.read_text(), re.M):
        assert re.search(rf'^{target}:', rules, re.M), target


@pytest.mark.parametrize('page', PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    for link in re.findall(r'\]\(([^)#]+)', page.read_text()):
        if not link.startswith(('http://', 'https://')):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize('page', PAGES, ids=NAMES)
def test_names_of_the_package_exist(page):
    for name in set(re.findall(r'`(gmoe(?:\.\w+)+)', page.read_text())):
        _resolve(name)


@pytest.mark.parametrize('page', PAGES, ids=NAMES)
def test_imports_of_snippets_work(page):
    for line in re.findall(r'^from gmoe.*', page.read_text(), re.M):
        exec(line, {})


def test_architecture_names_each_room():
    page = (ROOT / 'docs' / 'architecture.md').read_text()
    found = (ROOT / 'gmoe').glob('[!_]*')
    rooms = {p.stem for p in found if p.is_dir() or p.suffix == '.py'}
    assert {'cli', 'common', 'visualize'} < rooms
    for room in rooms:
        assert re.search(rf'`(gmoe\.)?{room}`', page), room


def test_one_molecule(capsys):
    page = (ROOT / 'docs' / 'architecture.md').read_text()
    (code,) = re.findall(r'```python\n(.*?)```', page, re.S)
    exec(code, {})
    assert 'torch.Size([1, 1])' in capsys.readouterr().out


def _resolve(name):
    parts = name.split('.')
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module('.'.join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return
    raise AssertionError(f"no '{name}'")
