"""Predictions as rows of a table."""

import contextlib
import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest

from gmoe.molecules.prediction_output import PredictionOutput, open_output
from gmoe.molecules.predictions import Predictions
from tests.molecules import tiny


def predictions(*values):
    reasons = ['' if np.isfinite(v) else 'empty' for v in values]
    return Predictions(tiny.REGRESSION, np.array(values)[:, None], reasons)


def test_rows():
    file = io.StringIO()
    output = PredictionOutput(file, ['id', 'smiles'])
    output.write([['a', 'CCO'], ['b', 'C,"']], predictions(1 / 3, np.nan))
    output.write([['c', 'N']], predictions(2.0))
    assert file.getvalue() == (
        'id,smiles,solubility_predicted,reason\n'
        'a,CCO,0.333333,\n'
        'b,"C,""",,empty\n'
        'c,N,2,\n'
    )
    assert output.replaced == []


def test_earlier_predictions_are_replaced():
    file = io.StringIO()
    output = PredictionOutput(file, ['reason', 'smiles'])
    output.write([['old', 'CCO']], predictions(1.0))
    assert file.getvalue() == 'smiles,solubility_predicted,reason\nCCO,1,\n'
    assert output.replaced == ['reason']


def test_infinite_intervals():
    part = predictions(1.0)
    part.intervals = np.array([[[-np.inf, np.inf]]])
    file = io.StringIO()
    PredictionOutput(file, []).write([[]], part)
    assert file.getvalue().splitlines()[1] == '1,-inf,inf,'


def test_a_file_is_there_when_it_is_complete(tmp_path):
    path = tmp_path / 'out.csv'
    path.write_text('old')
    with contextlib.suppress(RuntimeError), open_output(path) as file:
        file.write('half')
        raise RuntimeError
    assert path.read_text() == 'old'
    with open_output(path) as file:
        file.write('é\n')
        assert path.read_text() == 'old'
    assert path.read_bytes() == 'é\n'.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_compressed_file(tmp_path):
    path = tmp_path / 'out.csv.gz'
    with contextlib.suppress(RuntimeError), open_output(path) as file:
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with open_output(path) as file:
        file.write('é\n')
    assert gzip.decompress(path.read_bytes()) == 'é\n'.encode()


def test_standard_output(capsys):
    with open_output(None) as file:
        file.write('x\n')
    assert capsys.readouterr().out == 'x\n'


def test_what_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / 'none' / 'out.csv', Path('/none/x')):
        output = open_output(path)
        with pytest.raises(ValueError, match="'output' must be a file in"):
            output.__enter__()


def test_a_device_or_a_pipe_stays_one(tmp_path):
    path = tmp_path / 'pipe'
    os.mkfifo(path)
    read = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open_output(path) as file:
        file.write('a\n')
    assert os.read(read, 9) == b'a\n'
    assert path.is_fifo()
    os.close(read)
    assert [other.name for other in tmp_path.iterdir()] == ['pipe']
