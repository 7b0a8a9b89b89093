"""The interface of text classifiers, on TF-IDF."""

import numpy as np
import pytest

from gmoe.text import TfidfClassifier

pytest.importorskip('sklearn', reason="the extra 'text' is not installed")


TEXTS = ['a crew of astronauts', 'moon and crew', 'a river', 'river of water']


LABELS = ['Astronaut', 'Astronaut', 'River', 'River']


def test_fit_and_predict():
    model = TfidfClassifier().fit(TEXTS, LABELS)
    assert model.classes == ['Astronaut', 'River']
    assert model.predict(['crew', 'water']) == LABELS[1:3]
    proba = model.predict_proba(TEXTS)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert model.predict_proba([]).shape == (0, 2)
    assert model.score(TEXTS, LABELS)['accuracy'] == 1
    assert model.num_parameters > 2


def test_underscores_end_words():
    texts = ['[S] Alan_Bean [P] crew', '[S] Aarhus_River [P] water']
    model = TfidfClassifier().fit(texts, ['Astronaut', 'River'])
    assert model.predict(['Bean', 'The_River']) == ['Astronaut', 'River']


def test_categories_without_texts():
    classes = ['Astronaut', 'City', 'River']
    model = TfidfClassifier().fit(TEXTS, LABELS, classes=classes)
    proba = model.predict_proba(['river'])
    assert proba.shape == (1, 3)
    assert proba[0, 1] == 0
    assert model.predict(['river']) == ['River']


def test_unknown_category():
    model = TfidfClassifier().fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="'Film' of text 1.*'a film'"):
        model.score(['moon', 'a film'], ['Astronaut', 'Film'])
    with pytest.raises(ValueError, match="'Film' of text 0"):
        model.fit(TEXTS, LABELS, validation=(['a film'], ['Film']))
    with pytest.raises(ValueError, match="'River' of text 2"):
        model.fit(TEXTS, LABELS, classes=['Astronaut'])


def test_lengths():
    with pytest.raises(ValueError, match='same length.*4 and 3'):
        TfidfClassifier().fit(TEXTS, LABELS[1:])
    with pytest.raises(ValueError, match='at least one'):
        TfidfClassifier().fit([], [])


def test_round_trip(tmp_path):
    model = TfidfClassifier(max_ngram=2, sublinear_tf=False, seed=3)
    model.fit([*TEXTS, 'a film'], [*LABELS, 'Film'], classes=[*LABELS, 'Film'])
    model.save(tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {'tfidf.json', 'tfidf.safetensors'}
    other = TfidfClassifier().load(tmp_path)
    assert (other.settings, other.seed) == (model.settings, 3)
    np.testing.assert_array_equal(
        other.predict_proba(TEXTS), model.predict_proba(TEXTS)
    )
    # It can be trained again.
    other.fit(TEXTS, LABELS)
    assert other.classes == ['Astronaut', 'River']


@pytest.mark.parametrize('name', ['tfidf.json', 'tfidf.safetensors'])
def test_files_that_are_broken(name, tmp_path):
    TfidfClassifier().fit(TEXTS, LABELS).save(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    for size in (0, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match='with a saved TfidfClassifier'):
            TfidfClassifier().load(tmp_path)


def test_files_of_two_models(tmp_path):
    TfidfClassifier().fit(TEXTS, LABELS).save(tmp_path)
    settings = (tmp_path / 'tfidf.json').read_text()
    TfidfClassifier().fit([*TEXTS, 'x y'], [*LABELS, 'Z']).save(tmp_path)
    (tmp_path / 'tfidf.json').write_text(settings)
    with pytest.raises(ValueError, match='must have shape'):
        TfidfClassifier().load(tmp_path)


@pytest.mark.parametrize(
    'settings',
    [{'max_ngram': 0}, {'regularization': 0}, {'max_iter': 1.5}],
)
def test_settings_that_are_refused(settings):
    with pytest.raises(ValueError, match=f"'{next(iter(settings))}' must be"):
        TfidfClassifier(**settings)


def test_texts_without_words():
    with pytest.raises(ValueError, match="'texts' must hold at least one wor"):
        TfidfClassifier().fit(['', '?'], ['a', 'b'])
