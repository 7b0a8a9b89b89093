"""Graphs that a user has saved, and what else may be in such a file."""

import os
import pickle
import zipfile

import pytest
import torch
from torch_geometric.data import HeteroData

from gmoe.datasets.nodes.saved import KEYS, read_saved
from tests.datasets.nodes import small


@pytest.mark.parametrize('form', ['Data', 'dict'])
def test_saved_graph(form, tmp_path):
    data = small.make_graph()
    torch.save(data if form == 'Data' else data.to_dict(), tmp_path / 'g.pt')
    out = read_saved(tmp_path / 'g.pt')
    assert set(out.keys()) == set(data.keys()) < set(KEYS)
    for key, value in data:
        assert torch.equal(out[key], value)


class Runs:
    def __reduce__(self):
        return os.mkdir, ('made',)


def hetero():
    data = HeteroData()
    data['paper'].x = torch.zeros(2, 2)
    return data


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        ([1], 'got .*: a list'),
        (Runs(), 'got '),
        ({'x': 'text'}, "its 'x' is no dense tensor, but str"),
        ({'x': torch.eye(3).to_sparse()}, 'is no dense tensor'),
        ({'x': torch.zeros(1).expand(10**9)}, 'more numbers than the file'),
    ],
    ids=['list', 'code', 'text', 'sparse', 'expanded'],
)
def test_others_are_refused(value, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(value, tmp_path / 'g.pt')
    with pytest.raises(ValueError, match=f"'path' must be .*{message}"):
        read_saved(tmp_path / 'g.pt')
    assert os.listdir(tmp_path) == ['g.pt']


def test_heterogeneous_graphs_have_a_way_out(tmp_path):
    torch.save(hetero(), tmp_path / 'g.pt')
    with pytest.raises(ValueError, match=r'data\.to_homogeneous\(\)'):
        read_saved(tmp_path / 'g.pt')


def test_no_archive(tmp_path):
    path = tmp_path / 'g.pt'
    path.write_bytes(pickle.dumps(Runs()))
    with pytest.raises(ValueError, match='no archive of PyTorch'):
        read_saved(path)
    with pytest.raises(ValueError, match='No such file'):
        read_saved(tmp_path / 'other.pt')
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', bytes(10**6))
    with pytest.raises(ValueError, match='its parts are compressed'):
        read_saved(path)
