"""OGB's files of pairs, and others that are not."""

import io
import os
import zipfile

import numpy as np
import pytest
import torch

from gmoe.datasets import CorruptDatasetError, Limits
from gmoe.datasets.links.saved_pairs import read_saved_pairs

PAIRS = np.array([[0, 1], [2, 3], [4, 5]])


def save(path, value, new=True):
    torch.save(value, path, _use_new_zipfile_serialization=new)
    return path


@pytest.mark.parametrize('new', [True, False])
@pytest.mark.parametrize(
    'value',
    [
        PAIRS,
        np.asfortranarray(PAIRS),
        PAIRS.astype('>i4'),
        torch.from_numpy(PAIRS),
        torch.from_numpy(PAIRS).int(),
    ],
    ids=['array', 'fortran', 'big endian', 'tensor', 'int32'],
)
def test_values(value, new, tmp_path):
    path = save(tmp_path / 'x.pt', {'edge': value, 'other': 'text'}, new)
    (pairs,) = read_saved_pairs(path, ['edge']).values()
    assert pairs.dtype == torch.long
    assert pairs.t().tolist() == PAIRS.tolist()
    pairs += 1  # It can be written to.


class Runs:
    """Something that would run a command."""

    def __reduce__(self):
        return os.mkdir, ('made',)


@pytest.mark.parametrize('new', [True, False])
@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (Runs(), 'arrays that torch.save has written'),
        ({'edge': Runs()}, 'arrays that torch.save has written'),
        ([PAIRS], 'must hold a dictionary, got a list'),
        ({'edges': PAIRS}, "'edge' must be an array of pairs, got none"),
        ({'edge': [[0, 1]]}, 'must be an array of pairs, got a list'),
        ({'edge': PAIRS.T}, r'integers of shape \[num_pairs, 2\]'),
        ({'edge': PAIRS.astype(float)}, 'integers of shape'),
        ({'edge': PAIRS.astype(object)}, 'array of numbers'),
        ({'edge': PAIRS.astype('U3')}, 'array of numbers'),
    ],
)
def test_refused(value, message, new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / 'x.pt', value, new)
    with pytest.raises(CorruptDatasetError, match=message):
        read_saved_pairs(path, ['edge'])
    assert not (tmp_path / 'made').exists()


def test_damaged(tmp_path):
    whole = save(tmp_path / 'x.pt', {'edge': PAIRS}).read_bytes()
    path = tmp_path / 'y.pt'
    for content in (b'', b'abc', whole[:-30], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(CorruptDatasetError, match='arrays that torch'):
            read_saved_pairs(path, ['edge'])
    with pytest.raises(CorruptDatasetError, match='at most 10 bytes'):
        read_saved_pairs(tmp_path / 'x.pt', ['edge'], Limits(table=10))
    with pytest.raises(FileNotFoundError, match=r'none\.pt'):
        read_saved_pairs(tmp_path / 'none.pt', ['edge'])


def test_compressed_parts(tmp_path):
    content = io.BytesIO(save(tmp_path / 'x.pt', {'edge': PAIRS}).read_bytes())
    with (
        zipfile.ZipFile(content) as source,
        zipfile.ZipFile(tmp_path / 'y.pt', 'w', zipfile.ZIP_DEFLATED) as file,
    ):
        for member in source.infolist():
            file.writestr(member.filename, source.read(member))
    with pytest.raises(CorruptDatasetError, match='compressed parts'):
        read_saved_pairs(tmp_path / 'y.pt', ['edge'])


def test_tensor_of_more_than_there_is(tmp_path):
    value = torch.zeros(1, 2, dtype=torch.long).expand(10**6, 2)
    path = save(tmp_path / 'x.pt', {'edge': value})
    with pytest.raises(CorruptDatasetError, match='integers of shape'):
        read_saved_pairs(path, ['edge'])
