"""The command: interrupted at will, and asked for what is not there."""

import signal
import time

import pytest
from rich.console import Console

from benchmarks.reproduce import network, search, work
from benchmarks.reproduce.__main__ import main
from benchmarks.reproduce.display import Display
from benchmarks.reproduce.estimate import Estimate
from benchmarks.reproduce.progress import Progress
from benchmarks.reproduce.recorder import Recorder
from benchmarks.reproduce.run import plan
from benchmarks.reproduce.run_log import RunLog
from benchmarks.reproduce.runner import run_all
from benchmarks.reproduce.tables import load_table
from benchmarks.reproduce.work import Job
from gmoe.training import LastCheckpoint
from tests.benchmarks.reproduce.command import (
    SMALL,
    InlinePool,
    finish,
    is_alive,
    kill,
    read,
    start,
    wait_for,
)

EPOCHS = 5
ARGUMENTS = (*SMALL, '--seeds', '2', '--epochs', str(EPOCHS), '--workers', '1')


def do_here(folder, root, cells, seeds):
    """Does runs in this process."""
    path = folder / 'results' / 'table2.jsonl'
    recorder = Recorder(plan(cells, range(seeds)), path, folder / 'runs')

    def make_job(run):
        return Job(run, root, folder / 'runs', '', accelerator='cpu')

    with Display(Console(quiet=True), 1) as display:
        pool, estimate = InlinePool(), Estimate([], root)
        assert not run_all(recorder, pool, make_job, display, estimate)


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
        context.setattr(work, 'write_result', refuse)
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
