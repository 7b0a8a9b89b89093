"""How often a run is tried again."""

from benchmarks.reproduce.job import Job
from benchmarks.reproduce.progress import Progress
from benchmarks.reproduce.run import Run
from benchmarks.reproduce.runner import MAX_LOSSES, Queue
from benchmarks.reproduce.tables import load_table


def test_run_that_is_lost_again_and_again(tmp_path):
    (cell,) = load_table('table2').select(['molfreesolv/gcn'], None)
    job = Job(Run(cell, 0), tmp_path, tmp_path, '')
    job.folder.mkdir(parents=True)
    queue = Queue([], None)

    def is_tried_again(epochs):
        Progress(epochs).write(job.folder)
        return queue.may_retry(job)

    # Further each time; then never again, whatever the checkpoint was.
    assert all(is_tried_again(epochs) for epochs in range(9))
    assert all(is_tried_again(7 - n) for n in range(MAX_LOSSES - 1))
    assert not is_tried_again(8)
    assert is_tried_again(9)
