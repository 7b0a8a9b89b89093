"""Makes ready what runs need, once, in the process that they are forked from,
after the modules of their kinds.

Nothing here may start a thread, which a fork would leave behind, or ask a GPU
for anything, as each run chooses its own.
"""

import gc
import platform
import sys
from contextlib import suppress

from benchmarks.reproduce import work
from gmoe.training.environment import package_versions

if 'benchmarks.reproduce.kinds.forest' in sys.modules:
    # A run of it says what is missing.
    with suppress(ImportError):
        import sklearn.ensemble  # noqa: F401
        from rdkit.Chem import rdFingerprintGenerator  # noqa: F401
if 'benchmarks.reproduce.kinds.boosting' in sys.modules:
    with suppress(ImportError):
        import lightgbm  # noqa: F401
if 'benchmarks.reproduce.kinds.chemprop' in sys.modules:
    with suppress(ImportError):
        import chemprop.cli.main  # noqa: F401
if 'benchmarks.reproduce.kinds.network' in sys.modules:
    from gmoe.datasets import import_ogb
    from gmoe.nn import GNN

    import_ogb('ogb.graphproppred.evaluate')
    # PyG writes the code of a convolution when it makes the first one.
    for conv in ('gcn', 'gin'):
        GNN(conv=conv, hidden_channels=1, num_layers=1)
# What a record says of the libraries and the system.
package_versions()
platform.platform()
# A run's garbage collector need not look at a million objects of libraries.
gc.collect()
gc.freeze()

__all__ = ['work']
