"""What is known of public graphs is what OGB says."""

import pandas as pd

from gmoe.datasets import LINK_SETS, import_ogb


def test_that_of_ogb():
    folder = import_ogb('ogb.linkproppred').__path__[0]
    known = pd.read_csv(
        f'{folder}/master.csv', index_col=0, keep_default_na=False
    )
    for name, info in LINK_SETS.items():
        assert info.name == name
        assert info.eval_metric == known[name]['eval metric']
        assert info.split == known[name]['split']
        has_some = known[name]['has_node_attr'] == 'True'
        assert (info.num_features > 0) == has_some
        assert info.folder == f'ogb/{name.replace("-", "_")}'
