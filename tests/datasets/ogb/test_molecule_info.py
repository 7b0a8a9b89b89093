"""Networks that were trained on OGB's molecules."""

import pytest

from gmoe.datasets import ogb_mol_names
from gmoe.datasets.ogb.molecule_info import info_of_ogb


@pytest.mark.parametrize('name', ogb_mol_names())
def test_each_dataset(name):
    info = info_of_ogb(name)
    assert info.targets[0].startswith(name.removeprefix('ogbg-'))
    assert (info.classes is None) == (info.task_type == 'regression')


def test_names():
    assert info_of_ogb('ogbg-molhiv').targets == ('molhiv',)
    assert info_of_ogb('ogbg-moltox21').targets[11] == 'moltox21_11'
    with pytest.raises(ValueError, match="'name' must be one of"):
        info_of_ogb('ogbg-molnone')
