"""Features of texts by a language model."""

import shutil
import sys
from pathlib import Path

import pytest
import torch

from gmoe.datasets.triples.encoder import (
    encoder_features,
    encoder_fingerprint,
)
from gmoe.datasets.triples.features import TextFeatures

TEXTS = ['Aarhus Airport', 'Aarhus', 'birth place', '', 'aarhus airport']


def test_encoder_without_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, 'transformers', None)
    features = TextFeatures(
        'encoder', 8, (3, 5), str(tmp_path), tmp_path / 'c'
    )
    with pytest.raises(ImportError, match=r'gmoe\[text\]'):
        features.table(TEXTS)


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    transformers = pytest.importorskip('transformers')
    folder = tmp_path / 'encoder'
    folder.mkdir()
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'aarhus', 'birth']
    (folder / 'vocab.txt').write_text('\n'.join(words))
    transformers.BertTokenizer(str(folder / 'vocab.txt')).save_pretrained(
        folder
    )
    config = transformers.BertConfig(
        vocab_size=7,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


def test_encoder(tmp_path: Path, encoder: str, monkeypatch):
    cache = tmp_path / 'cache'
    features = TextFeatures('encoder', 1, (3, 5), encoder, cache)
    out = features.table(TEXTS)
    assert out.shape == (5, 8)
    # Padding of other texts changes nothing.
    for i, text in enumerate(TEXTS):
        torch.testing.assert_close(features.make([text])[0], out[i])
    assert not torch.allclose(out[1], out[2])

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError('computed again')

    name = 'gmoe.datasets.triples.features.encoder_features'
    with monkeypatch.context() as m:
        m.setattr(name, fail)
        assert torch.equal(features.table(TEXTS), out)
        with pytest.raises(AssertionError, match='again'):
            features.table(TEXTS[1:])
    # Other weights are another encoder.
    (weights,) = Path(encoder).glob('*.safetensors')
    weights.write_bytes(weights.read_bytes()[:-4] + b'\0\0\x80\x3f')
    monkeypatch.setattr(name, fail)
    with pytest.raises(AssertionError, match='again'):
        features.table(TEXTS)


def test_an_encoder_of_the_hub_is_known_by_its_commit(
    tmp_path: Path, encoder: str, monkeypatch
):
    # A copy of the hub's own cache, in its layout, and no network.
    cache = tmp_path / 'hub'
    repository = cache / 'models--some--encoder'

    def publish(commit: str) -> str:
        shutil.copytree(encoder, repository / 'snapshots' / commit)
        (repository / 'refs').mkdir(exist_ok=True)
        (repository / 'refs' / 'main').write_text(commit)
        return encoder_fingerprint('some/encoder')

    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(cache))
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    first, second = publish('a' * 40), publish('b' * 40)
    assert first == f'hub some/encoder {"a" * 40}'
    assert second == f'hub some/encoder {"b" * 40}'


def test_an_encoder_without_a_tokenizer_is_refused(encoder: str):
    for path in Path(encoder).iterdir():
        if path.suffix != '.safetensors' and path.name != 'config.json':
            path.unlink()
    with pytest.raises(ValueError, match="'encoder' must be .* tokenizer"):
        encoder_features(TEXTS, encoder)


def test_weights_in_a_pickle_are_not_read(encoder: str):
    (weights,) = Path(encoder).glob('*.safetensors')
    weights.unlink()
    torch.save({}, Path(encoder) / 'pytorch_model.bin')
    with pytest.raises(OSError, match='safetensors'):
        encoder_features(TEXTS, encoder)
