"""The one interface of all text classifiers."""

import json

import numpy as np
import pandas as pd
import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('sklearn', reason=reason)
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)

from gmoe.text import (  # noqa: E402
    BertClassifier,
    BertMoeClassifier,
    FineTuning,
    TfidfClassifier,
)
from tests.text.tiny import write_tiny_bert  # noqa: E402

TEXTS = ['a crew of moon', 'moon and crew', 'a river', 'river of water'] * 2
LABELS = ['Astronaut', 'Astronaut', 'River', 'River'] * 2
KINDS = ['tfidf', 'bert', 'bert-moe']
QUICK = FineTuning(epochs=1, batch_size=4, arguments={'use_cpu': True})


@pytest.fixture(scope='module')
def make(tmp_path_factory):
    folder = write_tiny_bert(tmp_path_factory.mktemp('bert'))

    def make(kind, seed=0):
        if kind == 'tfidf':
            return TfidfClassifier(seed=seed)
        cls = BertMoeClassifier if kind == 'bert-moe' else BertClassifier
        return cls(folder, QUICK, seed)

    return make


@pytest.fixture(scope='module', params=KINDS)
def trained(request, make):
    return make(request.param).fit(TEXTS, LABELS)


@pytest.fixture(params=KINDS)
def model(request, make):
    return make(request.param)


def test_a_single_text_is_refused(trained):
    for call in (trained.predict, trained.predict_proba):
        with pytest.raises(ValueError, match="the single text 'alpha'"):
            call('alpha')
    with pytest.raises(ValueError, match="the single text 'alpha'"):
        trained.score('alpha', ['River'] * 5)


def test_no_texts(trained):
    assert trained.predict([]) == []
    assert trained.predict_proba([]).shape == (0, 2)
    if isinstance(trained, BertMoeClassifier):
        assert trained.router_weights([]).shape == (0, 4)
    with pytest.raises(ValueError, match='at least one, got 0 and 0'):
        trained.score([], [])


def test_a_missing_text_is_named(trained, model):
    for missing in (None, float('nan'), pd.NA):
        with pytest.raises(ValueError, match='must hold texts.*position 2'):
            trained.predict(['a', 'b', missing])
        with pytest.raises(ValueError, match='must hold texts.*position 7'):
            model.fit([*TEXTS[:7], missing], LABELS)


@pytest.mark.parametrize(
    'text', ['', ' ', '\x00', '🌙 月 ñ', 'moon ' * 50_000]
)
@pytest.mark.filterwarnings('ignore:.*tokens.*are cut')
def test_any_text_has_a_category(trained, text):
    proba = trained.predict_proba([text, 'moon'])
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    # Whatever it stands beside.
    np.testing.assert_allclose(
        proba[1:], trained.predict_proba(['moon']), atol=1e-6
    )


def test_series_with_another_index(model):
    texts = pd.Series(TEXTS, index=range(90, 98))
    labels = pd.Series(LABELS, index=range(40, 48))
    model.fit(texts, labels, validation=(texts[:4], labels[:4]))
    assert len(model.predict(texts)) == 8
    assert set(model.score(texts, labels)) >= {'accuracy'}
    labels[43] = 'Film'
    with pytest.raises(ValueError, match="'Film' of text 3"):
        model.score(texts, labels)


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        (['River'] * 8, "at least two categories, got 'River' only"),
        (LABELS[1:], 'same length.*8 and 7'),
        ([*LABELS[:7], None], "'labels' must hold.*got None at position 7"),
        ([*LABELS[:7], float('nan')], 'got nan at position 7'),
        ([*LABELS[:7], 3], "one type, got 'Astronaut'.*3 at position 7"),
        ('ARARARAR', "'labels' must be a sequence"),
    ],
)
def test_labels_that_are_refused(model, labels, message):
    with pytest.raises(ValueError, match=message):
        model.fit(TEXTS, labels)
    with pytest.raises(RuntimeError, match='call fit first'):
        model.predict(TEXTS)


def test_classes_as_a_single_text(model):
    with pytest.raises(ValueError, match="'classes' must be a sequence"):
        model.fit(TEXTS, list('abababab'), classes='ab')


def test_validation_that_is_refused(model):
    with pytest.raises(ValueError, match="'validation' must be a pair"):
        model.fit(TEXTS, LABELS, TEXTS)
    with pytest.raises(ValueError, match="'texts of validation' must hold"):
        model.fit(TEXTS, LABELS, ([None], ['River']))
    with pytest.raises(ValueError, match="'labels of validation' must hold"):
        model.fit(TEXTS, LABELS, (['moon'], [None]))
    with pytest.raises(ValueError, match="'Film' of text 0"):
        model.fit(TEXTS, LABELS, (['moon'], ['Film']))


@pytest.mark.parametrize(
    'labels',
    [
        np.array([7, 7, 9, 9] * 2),
        [np.int64(7), np.int64(7), np.int64(9), np.int64(9)] * 2,
        [True, True, False, False] * 2,
        np.array(LABELS),
    ],
    ids=['array', 'int64', 'bool', 'str'],
)
def test_categories_of_any_type_are_saved(model, labels, tmp_path):
    model.fit(TEXTS, labels)
    expected = model.predict(TEXTS)
    assert {type(name) for name in expected} <= {int, bool, str}
    json.dumps(model.classes)
    model.save(tmp_path / 'new' / 'folder')
    other = type(model)().load(tmp_path / 'new' / 'folder')
    assert other.classes == model.classes
    assert list(map(type, other.classes)) == list(map(type, model.classes))
    assert other.predict(TEXTS) == expected
    np.testing.assert_array_equal(
        other.predict_proba(TEXTS), model.predict_proba(TEXTS)
    )
    assert other.num_parameters == model.num_parameters
    suffixes = {p.suffix for p in (tmp_path / 'new' / 'folder').iterdir()}
    assert suffixes <= {'.json', '.safetensors'}


@pytest.mark.parametrize('seed', [1.5, '0', None, True, -1, 2**32])
@pytest.mark.parametrize('kind', KINDS)
def test_seeds(make, kind, seed):
    with pytest.raises(ValueError, match="'seed' must be an integer from 0"):
        make(kind, seed)
    assert make(kind, np.int64(3)).seed == 3


def test_not_trained(model, tmp_path):
    for call in (
        lambda: model.predict(TEXTS),
        lambda: model.predict([]),
        lambda: model.score(TEXTS, LABELS),
        lambda: model.save(tmp_path),
        lambda: model.num_parameters,
    ):
        with pytest.raises(RuntimeError, match='call fit first'):
            call()


def test_what_fails_leaves_no_half(make, monkeypatch):
    model = make('tfidf').fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match='at least one word'):
        model.fit(['!', '?'], [1, 2])
    with pytest.raises(RuntimeError, match='call fit first'):
        model.predict(TEXTS)
    model = make('bert').fit(TEXTS, LABELS)
    before = model.predict(TEXTS)
    # Refused before anything was done.
    with pytest.raises(ValueError, match="'Film' of text 0"):
        model.fit(TEXTS, ['Film'] * 8, classes=['A', 'B'])
    assert model.predict(TEXTS) == before


def test_save_where_it_cannot(trained, tmp_path):
    file = tmp_path / 'file'
    file.write_text('mine')
    for folder in (file, file / 'below', '/proc/nothing/here'):
        with pytest.raises(ValueError, match="'folder' must be.*written to"):
            trained.save(folder)
    assert file.read_text() == 'mine'


def test_home(trained, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    trained.save('~/model')
    assert {path.name for path in tmp_path.iterdir()} == {'model'}
    other = type(trained)().load('~/model')
    assert other.predict(TEXTS) == trained.predict(TEXTS)


@pytest.mark.parametrize('other', KINDS)
def test_load_of_another(trained, make, other, tmp_path):
    trained.save(tmp_path)
    model = make(other)
    if type(model) is type(trained):
        return
    message = f"'folder' must be a folder with a saved {type(model).__name__}"
    with pytest.raises(ValueError, match=message):
        model.load(tmp_path)


def test_load_of_nothing(model, tmp_path):
    with pytest.raises(ValueError, match="'folder' must be a folder with"):
        model.load(tmp_path / 'missing')
    with pytest.raises(ValueError, match="'folder' must be a folder with"):
        model.load(tmp_path)


def test_nothing_is_left_behind(model, tmp_path, monkeypatch):
    (tmp_path / 'tmp').mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'tmp'))
    model.fit(TEXTS, LABELS, validation=(TEXTS, LABELS)).predict(TEXTS)
    with pytest.raises(ValueError, match='got None at position 0'):
        model.predict([None])
    assert list(tmp_path.rglob('*')) == [tmp_path / 'tmp']
