"""Networks of the hub, which a server on this machine plays."""

import pytest

from gmoe.common.hub import check_repository, folder_of
from tests.fake_hub import fake_hub

pytest.importorskip('huggingface_hub')


@pytest.fixture
def hub(monkeypatch):
    with fake_hub(monkeypatch) as started:
        started.repositories['me/net'] = {
            'config.json': b'{}',
            'model.safetensors': b'0' * 100,
            'pytorch_model.bin': b'a pickle',
        }
        yield started


def test_a_folder_is_itself(tmp_path):
    assert folder_of(tmp_path) == tmp_path
    assert folder_of(str(tmp_path)) == tmp_path


def test_only_the_files_that_are_needed_are_fetched(hub, tmp_path):
    folder = folder_of('me/net', cache_dir=tmp_path, token=False)
    assert (folder / 'model.safetensors').read_bytes() == b'0' * 100
    assert sorted(hub.fetched) == ['config.json', 'model.safetensors']


def test_a_copy_serves_without_the_hub(hub, tmp_path):
    first = folder_of('me/net', cache_dir=tmp_path)
    hub.shutdown()
    hub.server_close()
    assert folder_of('me/net', cache_dir=tmp_path) == first
    again = folder_of('me/net', cache_dir=tmp_path, local_files_only=True)
    assert again == first


def test_large_files_are_not_asked_for(hub, tmp_path):
    hub.sizes['model.safetensors'] = 1 << 40
    with pytest.raises(ValueError, match="'me/net': .*1099511627776 bytes"):
        folder_of('me/net', cache_dir=tmp_path)
    assert hub.fetched == []


def test_unknown_repositories_are_refused(hub, tmp_path):
    match = (
        "^'model' must be .*, got 'me/none': there is no such folder, and the "
        'hub has no such repository that it shows you$'
    )
    with pytest.raises(ValueError, match=match):
        folder_of('me/none', 'model', cache_dir=tmp_path)


def test_missing_folders_are_refused(hub, tmp_path, monkeypatch):
    """Their names look like those of the hub, which may not be there."""
    (tmp_path / 'runs' / 'BBBP').mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    hub.shutdown()
    hub.server_close()
    match = (
        r"got 'runs/BBPB': there is no such folder \(there is 'runs/BBBP'\), "
        'and the hub could not be asked for one of this name$'
    )
    for kwargs in ({}, {'local_files_only': True}):
        with pytest.raises(ValueError, match=match):
            folder_of('runs/BBPB', cache_dir=tmp_path / 'cache', **kwargs)


@pytest.mark.parametrize('name', ['', 'a b', 'me/net/', 'a/b/c', 'x' * 200])
def test_names_of_repositories(name):
    check_repository('me/net')
    check_repository('net')
    with pytest.raises(ValueError, match="'hub' must be the name of a repos"):
        check_repository(name)


@pytest.mark.parametrize('source', ['none', '', 'a b/c', '../x/y', '/no/one'])
def test_what_is_no_name_is_refused(source):
    with pytest.raises(ValueError, match="'source' must be a folder, or"):
        folder_of(source)


def test_files_are_refused(tmp_path, monkeypatch):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'b').write_text('')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="got 'a/b'"):
        folder_of('a/b')
