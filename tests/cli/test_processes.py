"""The command line as processes: signals, races, a full disk."""

import contextlib
import os
import signal
import sys
import time

import pytest
import torch
import yaml

from gmoe import cli
from tests import processes
from tests.training import tiny

TIMEOUT = 240


def start(folder, *arguments, **kwargs):
    return processes.start(folder, 'gmoe.cli', *arguments, **kwargs)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(tmp_path, number):
    config = tiny.write_config(tmp_path)
    sign = tmp_path / 'sign'
    process = start(
        tmp_path,
        'fit',
        f'--config={config}',
        '--trainer.callbacks+=tests.training.tiny.Slow',
        f'--trainer.callbacks.sign={sign}',
    )
    try:
        end = time.monotonic() + TIMEOUT
        while not sign.exists() and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(number)
        status = process.wait(TIMEOUT)
    finally:
        process.kill()
    error = (tmp_path / 'stderr').read_text()
    assert status == 128 + number, error
    assert error.splitlines()[-1].startswith(f'gmoe: stopped by {number.name}')
    assert 'Traceback' not in error
    last = tmp_path / 'runs' / 'version_0' / 'checkpoints' / 'last.ckpt'
    assert torch.load(last, weights_only=True)['epoch'] == 0
    done = cli.run(['fit', f'--config={config}', '--ckpt_path=last'])
    assert done.trainer.current_epoch == 4
    assert os.listdir(tmp_path / 'runs') == ['version_0']


def test_runs_at_the_same_time(tmp_path):
    """Each has a folder; none prints what is not about it."""
    config = tiny.write_config(tmp_path)
    limits = ['--trainer.max_epochs=1', '--trainer.enable_model_summary=true']
    running = []
    for i in range(2):
        (tmp_path / str(i)).mkdir()
        arguments = ['fit', f'--config={config}', *limits]
        running.append(start(tmp_path / str(i), *arguments))
    try:
        codes = [process.wait(TIMEOUT) for process in running]
    finally:
        for process in running:
            process.kill()
    for i in range(2):
        error = (tmp_path / str(i) / 'stderr').read_text()
        assert codes[i] == 0, error
        assert 'GraphPredictor: ' in error
        assert 'parameters' in error
        for word in ('Tip', 'litlogger', 'FLOPs', 'deprecated', 'Warning'):
            assert word not in error
        assert (tmp_path / str(i) / 'stdout').read_text() == ''
    runs = tmp_path / 'runs'
    assert sorted(os.listdir(runs)) == [f'version_{i}' for i in range(2)]
    for i in range(2):
        names = os.listdir(runs / f'version_{i}' / 'checkpoints')
        assert sorted(names) == ['best.ckpt', 'last.ckpt']


def test_the_first_process_alone_has_a_progress_bar(tmp_path):
    """What it shows needs no answer from the others, who would not hear."""
    config = tiny.write_config(tmp_path)
    process = start(
        tmp_path,
        'fit',
        f'--config={config}',
        '--trainer.max_epochs=2',
        '--trainer.devices=2',
        '--trainer.enable_progress_bar=true',
    )
    try:
        assert process.wait(TIMEOUT) == 0, (tmp_path / 'stderr').read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_disk_that_is_full(tmp_path):
    config = tiny.write_config(tmp_path)
    process = start(tmp_path, 'fit', f'--config={config}', largest_file=20_000)
    assert process.wait(TIMEOUT) == 2
    error = (tmp_path / 'stderr').read_text()
    assert 'Traceback' not in error
    line = error.splitlines()[-1]
    assert line.startswith('gmoe: error: ')
    assert 'best.ckpt' in line
    assert 'File too large' in line
    assert not list(tmp_path.rglob('*.partial'))


def test_printed_configuration_gives_the_same_run(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(sys, 'argv', ['gmoe'])
    folder = tmp_path / 'Läufe (süß) 模型'
    folder.mkdir()
    config = tiny.write_config(folder, num_graphs=40)
    arguments = ['--trainer.max_epochs=1', '--model.dropout=0.1']
    with pytest.raises(SystemExit):
        cli.run(['fit', f'--config={config}', *arguments, '--print_config'])
    printed = folder / 'gedruckt.yaml'
    printed.write_text(capsys.readouterr().out)
    cli.run(['fit', f'--config={config}', *arguments])
    cli.run(['fit', f'--config={printed}'])
    cli.run(['predict', f'--config={printed}'])
    runs = folder / 'runs'
    a, b = (
        torch.load(
            runs / f'version_{i}' / 'checkpoints' / 'last.ckpt',
            weights_only=True,
        )['state_dict']
        for i in range(2)
    )
    for key, value in a.items():
        assert torch.equal(value, b[key]), key
    a, b = (
        yaml.safe_load((runs / f'version_{i}' / 'config.yaml').read_text())
        for i in range(2)
    )
    for settings in (a, b):
        del settings['checkpoint']['dirpath']
    assert a == b
    assert (runs / 'version_1' / 'predictions.csv').is_file()
