"""Folders that are none of a model."""

import pytest

from gmoe.text.folder import first_line, folder_fault


@pytest.mark.parametrize(
    ('files', 'fault'),
    [
        ([], 'it is empty'),
        (['notes.txt'], 'there is no config.json'),
        (['config.json'], 'it has no weights'),
        (['config.json', 'a.bin'], 'in a pickle, a.bin, which may run code'),
        (['config.json', 'model.safetensors', 'a.bin'], None),
    ],
)
def test_folders(files, fault, tmp_path):
    for name in files:
        (tmp_path / name).touch()
    found = folder_fault(str(tmp_path))
    assert found is None if fault is None else fault in found


def test_names():
    assert folder_fault('t5-small-of-the-hub') is None
    for name in ('/no/such', './no', '~/no', __file__):
        assert folder_fault(name) == 'there is no such folder'


def test_first_line():
    assert first_line(ValueError('one\ntwo')) == 'one'
    assert first_line(KeyError()) == 'KeyError()'
