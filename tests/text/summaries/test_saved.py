"""A summarizer in a folder, and folders that hold none."""

import json
import shutil

import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('peft', reason=reason)

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import AutoModelForSeq2SeqLM  # noqa: E402

from gmoe.text import Summarizer, SummaryTraining  # noqa: E402
from gmoe.text.summaries.seq2seq import is_adapted  # noqa: E402
from tests.text.summaries.dialogues import DIALOGUES, SUMMARIES  # noqa: E402
from tests.text.summaries.tiny import tiny_t5, tiny_tokenizer  # noqa: E402

SETTINGS = {
    'max_input_tokens': 64,
    'max_summary_tokens': 12,
    'num_beams': 2,
    'speakers': 'tokens',
    'prefix': 'sum: ',
    'label_smoothing': 0.1,
}


@pytest.fixture(scope='module')
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope='module')
def saved(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp('saved') / 'new' / 'folder'
    settings = SummaryTraining(checkpoints='~/here', **SETTINGS)
    summarizer = Summarizer(tiny_t5(), tokenizer, settings)
    summarizer.save_pretrained(folder)
    return summarizer, folder


@pytest.fixture
def broken(saved, tmp_path):
    """A copy, to be broken."""
    return shutil.copytree(saved[1], tmp_path / 'copy')


def refused(folder, message, *arguments):
    with pytest.raises(ValueError, match=rf"'folder' must be.*{message}"):
        Summarizer.from_pretrained(folder, *arguments)


def test_round_trip(saved):
    summarizer, folder = saved
    again = Summarizer.from_pretrained(folder)
    assert again.settings == SummaryTraining(**SETTINGS)
    state, other = summarizer.model.state_dict(), again.model.state_dict()
    assert state.keys() == other.keys()
    assert all(torch.equal(state[name], other[name]) for name in state)
    for text in [*DIALOGUES[:2], 'sum: <speaker1> 🙂\n']:
        ids = summarizer.tokenizer(text)['input_ids']
        assert again.tokenizer(text)['input_ids'] == ids
    assert again.summarize(DIALOGUES) == summarizer.summarize(DIALOGUES)
    names = {path.name for path in folder.iterdir()}
    assert {'summarizer.json', 'model.safetensors'} < names
    assert not any(name.endswith(('.bin', '.pt')) for name in names)


def test_others_can_read_it(saved):
    """Of what transformers knows, it has the most tokens and the beams."""
    model = AutoModelForSeq2SeqLM.from_pretrained(saved[1])
    assert model.generation_config.max_length == 13
    assert model.generation_config.num_beams == 2


def test_settings_in_place_of_the_saved(saved, broken):
    again = Summarizer.from_pretrained(broken, num_beams=3, batch_size=1)
    changed = {**SETTINGS, 'num_beams': 3, 'batch_size': 1}
    assert again.settings == SummaryTraining(**changed)
    with pytest.raises(ValueError, match="'num_beam': did you mean 'num_be"):
        Summarizer.from_pretrained(broken, num_beam=3)
    # Those of a later version.
    path = broken / 'summarizer.json'
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, 'later': 1}))
    with pytest.warns(UserWarning, match='does not know'):
        again = Summarizer.from_pretrained(broken)
    assert again.settings == SummaryTraining(**SETTINGS)
    # Any model of transformers has the usual ones.
    path.unlink()
    assert Summarizer.from_pretrained(broken).settings == SummaryTraining()


@pytest.mark.parametrize('content', ['', '[]', '{"a": ', '[' * 100_000])
def test_settings_that_cannot_be_read(broken, content):
    (broken / 'summarizer.json').write_text(content)
    refused(broken, r'summarizer\.json cannot be read')


def test_settings_that_make_no_sense(broken):
    (broken / 'summarizer.json').write_text('{"num_beams": "many"}')
    with pytest.raises(ValueError, match="'num_beams' must be"):
        Summarizer.from_pretrained(broken)


def test_folders_without_a_model(broken, tmp_path):
    refused(tmp_path / 'none', 'there is no such folder')
    (tmp_path / 'empty').mkdir()
    refused(tmp_path / 'empty', 'it is empty')
    refused(broken, "it is no adapter, which 'base' is for", tiny_t5())
    model = broken / 'model.safetensors'
    whole = model.read_bytes()
    model.write_bytes(whole[:1000])
    refused(broken, '')
    torch.save({}, broken / 'pytorch_model.bin')
    model.unlink()
    refused(broken, 'its weights are in a pickle, pytorch_model.bin')
    model.write_bytes(whole)
    (broken / 'tokenizer.json').unlink()
    refused(broken, 'tokenizer')


def test_a_model_of_another_kind(broken):
    path = broken / 'config.json'
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, 'model_type': 'bert'}))
    refused(broken, 'BertConfig')
    path.write_text(json.dumps({**config, 'num_layers': 3}))
    refused(broken, 'of its parameters are missing')


def test_no_folder_to_write_to(saved, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match="'folder' must be a folder that ca"):
        saved[0].save_pretrained(tmp_path / 'file')


def adapted(
    tokenizer, base=None, targets=('q', 'v', 'wo', 'lm_head'), **settings
):
    torch.manual_seed(3)
    model = tiny_t5() if base is None else base
    config = LoraConfig(target_modules=[*targets], init_lora_weights=False)
    settings = SummaryTraining(**{**SETTINGS, **settings})
    return Summarizer(get_peft_model(model, config), tokenizer, settings)


def test_an_adapter(saved, tokenizer, tmp_path):
    _, folder = saved
    base = AutoModelForSeq2SeqLM.from_pretrained(folder)
    summarizer = adapted(tokenizer, base, speakers='names')
    summarizer.save_pretrained(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert 'adapter_model.safetensors' in names
    assert 'model.safetensors' not in names
    expected = summarizer.summarize(DIALOGUES)
    assert expected != saved[0].summarize(DIALOGUES)
    # From the folder that it names, and with a model that is given.
    again = Summarizer.from_pretrained(tmp_path)
    assert again.summarize(DIALOGUES) == expected
    again = Summarizer.from_pretrained(tmp_path, tiny_t5())
    assert again.summarize(DIALOGUES) == expected
    # It can be trained further.
    count = sum(p.requires_grad for p in again.model.parameters())
    assert 0 < count < len(list(again.model.parameters()))
    assert again.evaluate(DIALOGUES, SUMMARIES)['num_cut'] == 0


def test_an_adapter_merged(tokenizer, tmp_path):
    """It needs no other model, and the one here stays as it is."""
    base = tiny_t5()
    for parameter in base.parameters():
        parameter.data.mul_(3)  # It does not write the same for all.
    summarizer = adapted(tokenizer, base, ('q', 'wo'), speakers='names')
    expected = summarizer.summarize(DIALOGUES)
    summarizer.save_pretrained(tmp_path, merge=True)
    assert not (tmp_path / 'adapter_config.json').exists()
    again = Summarizer.from_pretrained(tmp_path)
    assert again.summarize(DIALOGUES) == expected
    assert not is_adapted(again.model)
    assert is_adapted(summarizer.model)
    assert summarizer.summarize(DIALOGUES) == expected
    with pytest.raises(ValueError, match="'merge' must be one of"):
        summarizer.save_pretrained(tmp_path, merge='yes')
    # What scores words is what they are read by, too.
    for targets in (['q', 'lm_head'], ['shared']):
        summarizer = adapted(tokenizer, targets=targets)
        with pytest.raises(ValueError, match="'merge' must be False"):
            summarizer.save_pretrained(tmp_path, merge=True)


def test_a_folder_that_was_written_by_half(saved, tmp_path, monkeypatch):
    """It is not read with settings of another model."""

    def stop(*arguments):
        raise OSError('no space left')

    monkeypatch.setattr(saved[0].tokenizer, 'save_pretrained', stop)
    with pytest.raises(ValueError, match='no space left'):
        saved[0].save_pretrained(tmp_path)
    refused(tmp_path, 'tokenizer')
    monkeypatch.undo()
    monkeypatch.setattr('gmoe.text.summaries.saved.replace_text', stop)
    with pytest.raises(ValueError, match='no space left'):
        saved[0].save_pretrained(tmp_path / 'other')
    refused(tmp_path / 'other', 'it is empty')


@pytest.mark.parametrize('folder', [None, 5, b'folder'])
def test_no_path(saved, folder):
    for use in (saved[0].save_pretrained, Summarizer.from_pretrained):
        with pytest.raises(ValueError, match="'folder' must be a path"):
            use(folder)


def test_an_adapter_whose_model_is_not_there(tokenizer, tmp_path):
    adapted(tokenizer).save_pretrained(tmp_path)
    refused(tmp_path, "the model that it is of, .* give it as 'base'")
    path = tmp_path / 'adapter_model.safetensors'
    torch.save({}, tmp_path / 'adapter_model.bin')
    path.unlink()
    refused(tmp_path, 'pickles are not read', tiny_t5())


def test_an_adapter_with_vectors_of_speakers(tmp_path):
    """They were drawn for it, and are saved with it."""
    tokenizer = tiny_tokenizer()
    summarizer = Summarizer(
        tiny_t5(vocab_size=384), tokenizer, SummaryTraining(**SETTINGS)
    )
    adapted(tokenizer, summarizer.model).save_pretrained(tmp_path)
    again = Summarizer.from_pretrained(tmp_path, tiny_t5(vocab_size=384))
    found = again.model.get_input_embeddings().weight
    expected = summarizer.model.get_input_embeddings().weight
    assert torch.equal(found, expected)
    assert again.summarize(DIALOGUES) == summarizer.summarize(DIALOGUES)
