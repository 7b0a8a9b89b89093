"""Predictions take the form of the targets."""

import json

import numpy as np
import pytest

from gmoe.datasets.molecules.info import MoleculeInfo
from gmoe.molecules.target_form import TargetForm

VALUES = MoleculeInfo(('a', 'b'), 'regression', None)
CLASSES = MoleculeInfo(('a',), 'binary classification', ('3', '7'))


@pytest.mark.parametrize(
    ('labels', 'missing', 'dtype'),
    [
        ([3, 7], np.nan, float),
        ([True, False], None, object),
        ('no', None, object),
    ],
)
def test_labels(labels, missing, dtype):
    labels = np.array([*labels])
    form = TargetForm(labels, is_1d=True)
    known = form.labelled(np.array([[1], [0]]))
    assert known.dtype == labels.dtype
    assert (known == labels[::-1]).all()
    found = form.labelled(np.array([[1], [-1]]))
    assert found.dtype == dtype
    assert found[0] == labels[1]
    assert found[1] is missing or np.isnan(found[1])


def test_shape():
    values = np.zeros((4, 1, 2))
    assert TargetForm(None, is_1d=True).shaped(values).shape == (4, 2)
    assert TargetForm(None, is_1d=False).shaped(values) is values


def test_plain_values():
    form = TargetForm(np.array([3, 7]), is_1d=False)
    plain = json.loads(json.dumps(form.to_dict()))
    again = TargetForm.from_dict(plain, CLASSES, 'folder')
    assert again.labels.tolist() == [3, 7]
    assert not again.is_1d


def test_what_is_missing_is_that_of_the_networks():
    form = TargetForm.from_dict({}, CLASSES, 'folder')
    assert form.labels.tolist() == ['3', '7']
    assert form.is_1d
    # Whatever a file says.
    form = TargetForm.from_dict({'is_1d': True}, VALUES, 'folder')
    assert form.labels is None
    assert not form.is_1d


@pytest.mark.parametrize('labels', [[1, 2, 3], 3, [[1, 2]]])
def test_other_labels_than_classes(labels):
    with pytest.raises(ValueError, match="2 labels .* got 'folder' with"):
        TargetForm.from_dict({'labels': labels}, CLASSES, 'folder')
