"""Encoders that cannot be used are named before anything is done."""

import shutil

import pytest
import torch

reason = "the extra 'text' is not installed"
transformers = pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)

from gmoe.text import (  # noqa: E402
    BertClassifier,
    BertMoeClassifier,
    BertMoeConfig,
    BertMoeForSequenceClassification,
    FineTuning,
)
from gmoe.text.encoder import load_tokenizer, num_positions  # noqa: E402
from tests.text.tiny import tiny_config, write_tiny_bert  # noqa: E402

TEXTS, LABELS = ['moon', 'river'] * 4, ['Astronaut', 'River'] * 4
QUICK = {'epochs': 1, 'arguments': {'use_cpu': True}}


@pytest.fixture
def folder(tmp_path):
    write_tiny_bert(tmp_path / 'bert')
    return tmp_path / 'bert'


@pytest.fixture(params=[BertClassifier, BertMoeClassifier])
def fit(request):
    def fit(encoder, **settings):
        training = FineTuning(**{**QUICK, **settings})
        return request.param(encoder, training).fit(TEXTS, LABELS)

    return fit


def test_home(fit, folder, monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(folder.parent))
    monkeypatch.chdir(tmp_path)
    fit('~/bert', checkpoints='~/kept')
    assert {path.name for path in tmp_path.iterdir()} == {'bert', 'kept'}
    BertMoeForSequenceClassification.from_encoder('~/bert', num_labels=2)


def test_missing(fit, folder):
    for encoder in (folder / 'no', './no', '~/no', folder / 'vocab.txt'):
        with pytest.raises(ValueError, match="got '.*: there is no such fold"):
            fit(encoder)
    with pytest.raises(ValueError, match="'encoder' must be.*got 'not-ther"):
        fit('not-there')


def test_empty(fit, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match="empty': it is empty"):
        fit(tmp_path / 'empty')
    (tmp_path / 'empty' / 'notes.txt').write_text('mine')
    with pytest.raises(ValueError, match='there is no config.json in it'):
        fit(tmp_path / 'empty')


@pytest.mark.parametrize('text', ['', '{', '[]', '{"model_type": "nothing"}'])
def test_config_that_cannot_be_read(fit, folder, text):
    (folder / 'config.json').write_text(text)
    with pytest.raises(ValueError, match="'encoder' must be the name of an"):
        fit(folder)


@pytest.mark.parametrize(
    'config',
    [
        transformers.ViTConfig(),
        transformers.T5Config(),
        BertMoeConfig(tiny_config()),
    ],
    ids=lambda config: config.model_type,
)
def test_another_architecture(fit, folder, config):
    config.save_pretrained(folder)
    name = config.model_type
    with pytest.raises(ValueError, match=f"{name}' is no encoder of texts"):
        fit(folder)


@pytest.mark.parametrize('positions', [128, 64])
def test_weights_of_another_architecture(fit, folder, positions):
    config = transformers.DistilBertConfig(
        vocab_size=11,
        dim=16,
        n_layers=1,
        n_heads=2,
        hidden_dim=16,
        max_position_embeddings=positions,
    )
    kept = (folder / 'config.json').read_text()
    transformers.DistilBertModel(config).save_pretrained(folder)
    (folder / 'config.json').write_text(kept)
    with pytest.raises(ValueError, match='its weights are of (another|other)'):
        fit(folder)


@pytest.mark.parametrize('name', ['pytorch_model.bin', 'model.ckpt'])
def test_pickles(fit, folder, name):
    model = transformers.AutoModel.from_pretrained(folder)
    (folder / 'model.safetensors').unlink()
    torch.save(model.state_dict(), folder / name)
    with pytest.raises(ValueError, match=f'in a pickle, {name}'):
        fit(folder)
    with pytest.raises(OSError, match='safetensors'):
        BertMoeForSequenceClassification.from_encoder(
            str(folder), num_labels=2
        )


def test_no_weights(fit, folder):
    (folder / 'model.safetensors').unlink()
    with pytest.raises(ValueError, match='it has no weights'):
        fit(folder)


@pytest.mark.parametrize('size', [0, 7, 2000])
def test_weights_that_are_cut(fit, folder, size):
    path = folder / 'model.safetensors'
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="'encoder' must be the name of an"):
        fit(folder)


def test_no_tokenizer(fit, folder):
    for path in folder.iterdir():
        if path.name not in ('config.json', 'model.safetensors'):
            path.unlink()
    with pytest.raises(ValueError, match='it has no tokenizer'):
        fit(folder)


def test_no_token_for_padding(fit, folder):
    for path in folder.iterdir():
        if path.name not in ('config.json', 'model.safetensors'):
            path.unlink()
    tokenizers = pytest.importorskip('tokenizers')
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({'moon': 0, '[UNK]': 1}, '[UNK]')
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words
    ).save_pretrained(folder)
    with pytest.raises(ValueError, match='has no token for padding'):
        fit(folder)


def test_max_length(folder):
    long = FineTuning(max_length=129)
    for kind in (BertClassifier, BertMoeClassifier):
        with pytest.raises(
            ValueError, match="'max_length' must be at most 12"
        ):
            kind(folder, long)
        model = kind(folder, FineTuning(**QUICK)).fit(TEXTS, LABELS)
        model.save(folder.parent / 'saved')
        with pytest.raises(
            ValueError, match="'max_length' must be at most 12"
        ):
            kind('unused', long).load(folder.parent / 'saved')
        shutil.rmtree(folder.parent / 'saved')


def test_positions_of_roberta(tmp_path):
    # Two of its positions are that of padding and what stands before.
    sizes = {'vocab_size': 11, 'hidden_size': 16, 'num_hidden_layers': 1}
    sizes |= {'num_attention_heads': 2, 'max_position_embeddings': 20}
    config = transformers.RobertaConfig(**sizes, pad_token_id=1)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert num_positions(config) == 18
    assert torch.equal(torch.get_rng_state(), state)
    model = transformers.RobertaModel(config)
    model(torch.full((1, 18), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.full((1, 19), 5))
    assert num_positions(transformers.BertConfig()) == 512
    assert num_positions(transformers.XLNetConfig()) is None


def test_tokenizer_of_an_encoder(folder):
    assert load_tokenizer(str(folder)).tokenize('the moon') == ['the', 'moon']
