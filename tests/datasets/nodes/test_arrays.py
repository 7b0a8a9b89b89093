"""Archives of arrays, whole, damaged and ill-meant."""

import io
import zipfile

import numpy as np
import pytest

from gmoe.datasets import CorruptDatasetError, Limits
from gmoe.datasets.nodes.arrays import read_arrays


def test_arrays_are_those_of_numpy(tmp_path):
    arrays = {
        'a': np.arange(6, dtype='>i4').reshape(2, 3),
        'b': np.asfortranarray(np.random.default_rng(0).random((3, 4))),
        'c': np.zeros((0, 5), dtype=bool),
    }
    np.savez(tmp_path / 'x.npz', **arrays)
    out = read_arrays(tmp_path / 'x.npz', list(arrays))
    for name, value in arrays.items():
        np.testing.assert_array_equal(out[name], value)
        assert out[name].dtype.isnative
        out[name].fill(0)  # It may be written to.


def header(shape, dtype='<f8'):
    file = io.BytesIO()
    form = {'descr': dtype, 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, form)
    return file.getvalue()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (header((10**12,)) + bytes(8), 'as many as its shape says'),
        (header((-1, -1)) + bytes(8), 'as many as its shape says'),
        (header((1,), '|O') + bytes(8), 'must hold numbers'),
        (header((1,), '<U2') + bytes(8), 'must hold numbers'),
        (b'no array', "'a' must be an array"),
        (b'', "'a' must be an array"),
        (bytes(2000), 'at most 1000 bytes'),
    ],
)
def test_other_contents_are_refused(content, message, tmp_path):
    path = tmp_path / 'x.npz'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.npy', content)
    with pytest.raises(CorruptDatasetError, match=message):
        read_arrays(path, ['a'], Limits(unzipped=1000))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / 'x.npz'
    with pytest.raises(FileNotFoundError, match='must be a file'):
        read_arrays(path, ['a'])
    path.write_bytes(b'PK\x03\x04 no archive')
    with pytest.raises(CorruptDatasetError, match='complete npz file'):
        read_arrays(path, ['a'])
    np.savez(path, b=np.zeros(2))
    with pytest.raises(CorruptDatasetError, match="hold the array 'a'"):
        read_arrays(path, ['a'])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptDatasetError, match='complete npz file'):
        read_arrays(path, ['b'])
