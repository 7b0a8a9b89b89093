"""How long it takes to make the graphs of all molecules of ogbg-molhiv.

    python -m benchmarks.speed.featurize

The time is that of ``gmoe.datasets.molecules.make_graphs``, which reads the
SMILES strings in several processes and finds their canonical forms, without a
cache. What the machine does besides is part of what is measured: see ``load``.
"""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from benchmarks.common.options import at_least_one, run
from benchmarks.common.place import ogb_root
from benchmarks.common.record import RESULTS, provenance, write_result
from gmoe.datasets import OGBMolDataset
from gmoe.datasets.molecules.graphs import make_graphs


def main(
    root: Path | None = None,
    dataset: str = 'ogbg-molhiv',
    num_workers: int = 2,
    results: Path = RESULTS,
) -> None:
    """Measures the making of graphs.

    Args:
        root: The folder of OGB's datasets. (default: ``ogb`` below the
            environment variable ``GMOE_DATA_ROOT``, or ``data``)
        dataset: The dataset.
        num_workers: The number of processes.
        results: The folder of the result file.
    """
    at_least_one(num_workers=num_workers)
    root = ogb_root(root)
    molecules = OGBMolDataset(dataset, root, download=False)
    smiles = [molecules.smiles(i) for i in range(len(molecules))]
    start = time.monotonic()
    graphs = make_graphs(smiles, num_workers)
    seconds = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {
        **provenance(),
        'dataset': dataset,
        'molecules': len(smiles),
        'graphs': graphs.tensors['num_nodes'].numel(),
        'processes': num_workers,
        'seconds': round(seconds, 1),
        'processor_seconds': round(used.ru_utime + used.ru_stime, 1),
        'load': round(os.getloadavg()[0], 1),
    }
    print({name: result[name] for name in ('molecules', 'seconds', 'load')})
    print(f'Wrote {write_result(results, "featurize", result)}')


if __name__ == '__main__':
    run(main)
