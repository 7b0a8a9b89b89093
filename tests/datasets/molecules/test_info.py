import json

import pytest

from gmoe.datasets.molecules.info import CANONICAL, MoleculeInfo

VALID = {
    'targets': ['a', 'b'],
    'task_type': 'binary classification',
    'classes': ['no', 'yes'],
    'smiles': 'SMILES',
    'features': {'kinds': ['descriptors']},
    'featurization': CANONICAL,
}


def test_same_after_json():
    info = MoleculeInfo(('a', 'b'), 'regression', None)
    again = MoleculeInfo.from_dict(json.loads(json.dumps(info.to_dict())))
    assert again == info
    assert (info.num_tasks, info.num_classes) == (2, -1)
    info = MoleculeInfo.from_dict(VALID)
    assert info.to_dict() == VALID
    assert (info.targets, info.classes) == (('a', 'b'), ('no', 'yes'))
    assert info.num_classes == 2


def test_outputs_of_a_network():
    assert MoleculeInfo(('a', 'b'), 'regression', None).num_outputs == 2
    assert MoleculeInfo.from_dict(VALID).num_outputs == 2
    classes = tuple('uvw')
    info = MoleculeInfo(('a',), 'multiclass classification', classes)
    assert info.num_outputs == 3


def test_what_may_be_left_out():
    d = {key: VALID[key] for key in ('targets', 'task_type', 'classes')}
    info = MoleculeInfo.from_dict(d)
    assert (info.smiles, info.features) == ('smiles', None)
    for key in d:
        less = {k: v for k, v in d.items() if k != key}
        with pytest.raises(ValueError, match=f"must have '{key}'"):
            MoleculeInfo.from_dict(less)


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('targets', [], "'targets' must be 1 to"),
        ('targets', 'ab', "'targets' must be 1 to"),
        ('targets', ['a', 'a'], 'different names'),
        ('targets', ['a', 3], 'different names'),
        ('targets', ['a' * 1001], 'at most 1000 characters'),
        ('targets', ['a'] * 10**6, 'to 10000'),
        ('task_type', 'magic', "'task_type' must be one of"),
        ('task_type', ['regression'], "'task_type' must be one of"),
        ('task_type', 'regression', "'classes' must be one of .None"),
        ('task_type', 'multiclass classification', 'must be one column'),
        ('classes', None, "'classes' must be 2 to"),
        ('classes', ['a', 'b', 'c'], 'must be two'),
        ('smiles', 3, "'smiles' must be"),
        ('features', [1], "'features' must be settings"),
        ('features', {'a': {1}}, "'features' must be settings"),
        ('features', {'a': float('nan')}, "'features' must be settings"),
        ('features', {'a': 'a' * 10**6}, "'features' must be settings"),
        ('featurization', 'ogb-canonical-9', 'must be one of'),
        ('other', 1, "got 'other', as of a newer version"),
    ],
)
def test_what_is_refused(name, value, message):
    with pytest.raises(ValueError, match=message) as e:
        MoleculeInfo.from_dict({**VALID, name: value})
    assert len(str(e.value)) < 300


def test_no_dictionary():
    with pytest.raises(ValueError, match='must be a dictionary, got 3'):
        MoleculeInfo.from_dict(3)


def test_features_that_hold_themselves():
    features: dict = {}
    features['a'] = features
    with pytest.raises(ValueError, match="'features' must be settings"):
        MoleculeInfo.from_dict({**VALID, 'features': features})
