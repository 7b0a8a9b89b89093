"""The command: interrupted at will, and asked for what is not there."""

import shlex
import signal
import sys
import time

import pytest

from benchmarks.common.options import run as run_command
from benchmarks.report.__main__ import main as write_report
from benchmarks.reproduce import __main__ as command
from benchmarks.reproduce import search, work
from benchmarks.reproduce.__main__ import main
from benchmarks.reproduce.job import Job
from benchmarks.reproduce.kinds import network
from benchmarks.reproduce.kinds.run_log import RunLog
from benchmarks.reproduce.progress import Progress
from benchmarks.reproduce.recorder import Recorder
from benchmarks.reproduce.run import plan
from benchmarks.reproduce.store import COMMITTED
from benchmarks.reproduce.tables import load_table
from gmoe.training import LastCheckpoint
from tests.benchmarks.reproduce.command import (
    SMALL,
    InlinePool,
    do_here,
    finish,
    is_alive,
    kill,
    read,
    start,
    wait_for,
)

EPOCHS = 5
ARGUMENTS = (*SMALL, '--seeds', '2', '--epochs', str(EPOCHS), '--workers', '1')


def tiny_gin(epochs):
    return load_table('table2', epochs).select(['molfreesolv/tiny-gin'], None)


@pytest.fixture(scope='module')
def undisturbed(data_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp('undisturbed')
    do_here(folder, data_root / 'ogb', tiny_gin(EPOCHS), 2)
    return folder


def test_results(undisturbed):
    first, second, mean = read(undisturbed)
    assert (first['seed'], second['seed'], mean['seeds']) == (0, 1, [0, 1])
    for record in (first, second):
        curve = record['curve']
        assert [len(curve[key]) for key in curve] == [EPOCHS] * 3
        best = curve['valid'].index(min(curve['valid']))
        assert record['best_epoch'] == best
        assert record['test'] == curve['test'][best]
        assert record['valid'] == curve['valid'][best]
        assert record['settings']['epochs'] == EPOCHS
        assert record['environment']['cpu threads'] == '1'
        assert record['num_parameters'] == 50947
        assert record['expert_usage'] is None
    assert first['curve'] != second['curve']
    # Squared errors of a mean are at most the mean of squared errors.
    assert mean['test'] <= max(first['test'], second['test'])


def test_killed_anywhere(undisturbed, data_root, tmp_path):
    root = data_root / 'ogb'
    arguments = (*ARGUMENTS, '--save-seconds', '0')
    # Two runners that share the work.
    processes = [start(tmp_path, root, *arguments) for _ in range(2)]
    try:
        kill(wait_for(tmp_path, 2).process)  # It goes on by itself.
        wait_for(tmp_path, 3)
        processes[0].kill()
        worker = wait_for(tmp_path, 5)
        processes[1].send_signal(signal.SIGINT)
        outputs = [finish(process) for process in processes]
        assert 'goes on' in outputs[1]
        for _ in range(100):
            if not is_alive(worker.process):
                break
            time.sleep(0.1)
        assert not is_alive(worker.process)
        processes.append(start(tmp_path, root, *arguments))
        output = finish(processes[-1])
    finally:
        for process in processes:
            process.kill()
    assert processes[-1].returncode == 0, output
    assert read(tmp_path) == read(undisturbed)


def test_killed_before_the_result(
    undisturbed, data_root, tmp_path, monkeypatch
):
    def refuse(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(work, 'write_object', refuse)
        with pytest.raises(KeyboardInterrupt):
            do_here(tmp_path, data_root / 'ogb', tiny_gin(EPOCHS), 1)
    do_here(tmp_path, data_root / 'ogb', tiny_gin(EPOCHS), 1)
    assert read(tmp_path) == read(undisturbed)[:1]


def test_stopped_after_its_last_checkpoint(
    undisturbed, data_root, tmp_path, monkeypatch
):
    root = data_root / 'ogb'
    (run,) = plan(tiny_gin(EPOCHS), range(1))
    starts = []

    class Stopping(RunLog):
        def on_train_start(self, trainer, pl_module):
            super().on_train_start(trainer, pl_module)
            starts.append(Progress.read(self.folder).epochs)

        def on_train_epoch_end(self, trainer, pl_module):
            super().on_train_epoch_end(trainer, pl_module)
            if trainer.current_epoch == 3 and len(starts) == 1:
                raise RuntimeError('stopped')

    with monkeypatch.context() as context:
        context.setattr(network, 'RunLog', Stopping)
        context.setattr(
            LastCheckpoint,
            '_is_due',
            lambda self, trainer: trainer.current_epoch in (1, EPOCHS - 1),
        )
        job = Job(run, root, tmp_path / 'runs', '', accelerator='cpu')
        with pytest.raises(RuntimeError, match='stopped'):
            work.work(job)
        assert Progress.read(job.folder).epochs == 4
        do_here(tmp_path, root, tiny_gin(EPOCHS), 1)
    assert starts == [0, 2]
    assert read(tmp_path) == read(undisturbed)[:1]
    assert not job.checkpoints.exists()


def test_files_that_were_cut_off(undisturbed, data_root, tmp_path):
    root = data_root / 'ogb'
    do_here(tmp_path, root, tiny_gin(EPOCHS), 2)
    folders = [
        run.folder(tmp_path / 'runs')
        for run in plan(tiny_gin(EPOCHS), range(2))
    ]
    # The machine went down while these were written.
    (folders[0] / 'result.json').write_text('')
    (folders[0] / 'progress.json').write_text('{"epo')
    (folders[0] / 'checkpoints').mkdir()
    (folders[0] / 'checkpoints' / 'last.ckpt').write_bytes(b'PK\x03\x04cut')
    path = tmp_path / 'results' / 'table2.jsonl'
    whole = path.read_text()
    path.write_text(whole[:20])
    do_here(tmp_path, root, tiny_gin(EPOCHS), 2)
    assert read(tmp_path) == read(undisturbed)
    # Predictions: without them, there is no mean of them.
    predictions = folders[1] / 'predictions.npz'
    for content in (b'', predictions.read_bytes()[:-300]):
        predictions.write_bytes(content)
        path.unlink()
        do_here(tmp_path, root, tiny_gin(EPOCHS), 2)
        assert read(tmp_path) == read(undisturbed)[:2]


def test_small_run_has_its_own_folder(
    data_root, tmp_path, monkeypatch, capsys
):
    kept = [
        *(command.ROOT / 'docs').rglob('*.md'),
        *COMMITTED.glob('*.jsonl'),
    ]
    before = {path: path.read_bytes() for path in kept}
    monkeypatch.setattr(command, 'RUNS', tmp_path)
    monkeypatch.setattr(command, 'make_pool', lambda *_: InlinePool())
    main(
        [
            *('table2', *SMALL, '--seeds', '1', '--epochs', '1'),
            *('--root', str(data_root / 'ogb'), '--runs', str(tmp_path)),
            *('--accelerator', 'cpu'),
        ]
    )
    folder = tmp_path / 'table2-seeds0to0-epochs1'
    assert [path.name for path in folder.iterdir()] == ['table2.jsonl']
    said = capsys.readouterr().out.splitlines()[-1]
    report = shlex.split(said.removeprefix('Report: '))
    assert report[:4] == ['python', '-m', 'benchmarks.report', 'table2']
    monkeypatch.setattr(sys, 'argv', ['report', *report[3:]])
    run_command(write_report)
    page = (folder / 'reproduction' / 'table2.md').read_text()
    assert '| molfreesolv (rmse ↓) | tiny GIN |' in page
    assert 'left out' not in page
    assert list((folder / 'images').glob('reproduction-table2-*.png'))
    assert before == {path: path.read_bytes() for path in kept}


@pytest.mark.parametrize(
    ('seeds', 'epochs', 'name'),
    [
        (range(10), None, None),
        (range(10), 100, None),
        (range(1), None, 'table2-seeds0to0-epochs100'),
        (range(10), 2, 'table2-seeds0to9-epochs2'),
        (range(10, 20), 100, 'table2-seeds10to19-epochs100'),
    ],
)
def test_folder_of_results(seeds, epochs, name):
    table = load_table('table2', epochs)
    folder = command.results_folder(table, seeds, table.seeds)
    expected = COMMITTED if name is None else command.RUNS / name
    assert folder == expected
    said = command.report_command(table, folder)
    assert said.startswith('python -m benchmarks.report table2')
    assert ('--results' in said) == (name is not None)


def test_other_settings_have_a_folder_of_their_own():
    table = load_table('webnlg')
    assert command.results_folder(table, range(3), 3) == COMMITTED
    others = [
        table.quick(),
        table.change({'epochs': 10}),
        table.change({'bf16': False}),
        table.change({'bf16': False, 'epochs': 1}),
    ]
    folders = {command.results_folder(t, range(3), 3) for t in others}
    assert len(folders) == 4
    assert all(folder.parent == command.RUNS for folder in folders)
    said = command.report_command(table, folders.pop())
    assert said.startswith('python -m benchmarks.webnlg.table --results ')


def test_help(capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    text = ' '.join(capsys.readouterr().out.split())
    assert 'the folder that results are added to' in text
    assert 'the folder of checkpoints, logs and predictions' in text


def test_home(monkeypatch):
    monkeypatch.setenv('HOME', '/home/someone')
    options = command._parse(
        ['table2', '--root=~/a', '--results', '~/b', '--runs', '~/c']
    )
    paths = [options.root, options.results, options.runs]
    assert [str(path) for path in paths] == [
        f'/home/someone/{name}' for name in 'abc'
    ]


def test_search_does_not_score_the_test_split(data_root, tmp_path):
    cells = load_table('table2', 1).select(['molfreesolv/gmoe-gcn'], None)
    cells = search.candidates(cells)[:2]
    do_here(tmp_path, data_root / 'ogb', cells, 1)
    for record in read(tmp_path):
        assert record['test'] is None
        assert set(record['curve']) == {'train_loss', 'balance_loss', 'valid'}
        model = record['settings']['model']
        assert len(record['expert_usage']) == 5
        for layer in record['expert_usage']:
            assert len(layer) == model['num_experts']
            assert min(layer) >= 0
            assert sum(layer) == pytest.approx(1, abs=1e-3)
    assert not list(tmp_path.glob('**/predictions.npz'))


def test_cell_of_two_tables_is_trained_once(data_root, tmp_path):
    def recorder(seeds):
        (cell,) = load_table('table6', 1).select(['molfreesolv/gcn'], None)
        path = tmp_path / 'results' / 'table6.jsonl'
        folder = tmp_path / 'elsewhere'
        out = Recorder(plan([cell], range(seeds)), path, folder)
        out.adopt()
        return out

    (cell,) = load_table('table2', 1).select(['molfreesolv/gcn'], None)
    do_here(tmp_path, data_root / 'ogb', [cell], 2)
    two, three = recorder(2), recorder(3)
    assert two.commit() == 2
    assert three.missing() == three.plan[2:]
    three.adopt_ensembles()  # Another mean.
    assert len(read(tmp_path, 'table6')) == 2
    for _ in range(2):
        two.adopt_ensembles()
    assert not two.open_ensembles()
    assert read(tmp_path, 'table6') == read(tmp_path)


def test_first_seed(undisturbed, data_root, tmp_path):
    numbers = ('--seeds', '1', '--first-seed', '1', '--epochs', str(EPOCHS))
    process = start(tmp_path, data_root / 'ogb', *SMALL, *numbers)
    output = finish(process)
    assert process.returncode == 0, output
    assert read(tmp_path) == read(undisturbed)[1:2]


def test_failed_run_is_reported(data_root, tmp_path):
    # Two datasets, of which one has no files.
    root = tmp_path / 'ogb'
    root.mkdir()
    (root / 'ogbg_molesol').mkdir()
    (root / 'ogbg_molfreesolv').symlink_to(
        data_root / 'ogb' / 'ogbg_molfreesolv'
    )
    arguments = ('--cells', 'tiny-gin', '--seeds', '1', '--epochs', '1')
    process = start(tmp_path, root, *arguments)
    output = finish(process)
    assert process.returncode == 1
    assert 'molesol/tiny-gin, seed 0: failed' in output
    assert '1 runs failed' in output
    assert [record['dataset'] for record in read(tmp_path)] == ['molfreesolv']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['tableX'], "'table' must be one of .*'table2'.*got 'tableX'"),
        (['table2', '--cells', 'gat'], "'cells' must be of .*'gcn'.*'gat'"),
        (['table2', '--datasets', 'molhiv'], "'datasets' .*got 'molhiv'"),
        (['table2', '--seeds', '0'], "'seeds' must be at least 1, got 0"),
        (['table2', '--first-seed', '-1'], "'first-seed' .*got -1"),
        (['table2', '--save-seconds', '-1'], "'save-seconds' .*got -1"),
        (['table2', '--root', '/none'], "'root' .*ogbg_molesol.*'/none'"),
        (['webnlg', '--root', '/none'], "'root' .*WebNLG, got '/none'"),
        (['webnlg', '--set', 'bf16'], "'set' .*NAME=VALUE, got 'bf16'"),
        (['webnlg', '--set', 'lr=1'], "'set' .*'bf16'.*got 'lr'"),
        (['table2', '--search', '--cells', 'gcn'], "'cells' .*'--search'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(SystemExit, match=message):
        main(arguments)


def test_corrupt_line(data_root, tmp_path):
    (tmp_path / 'table2.jsonl').write_text('{"kind": "network"\n')
    with pytest.raises(SystemExit, match='line 1 of .*table2.jsonl'):
        main(
            [
                *('table2', '--root', str(data_root / 'ogb')),
                *('--results', str(tmp_path), '--runs', str(tmp_path)),
            ]
        )
