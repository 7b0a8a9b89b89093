"""The command ``gmoe summarize MODEL dialogues.csv``."""

import io
import os
import signal
import time

import pandas as pd
import pytest

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)
pytest.importorskip('accelerate', reason=reason)
pytest.importorskip('peft', reason=reason)

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402

from gmoe import cli  # noqa: E402
from gmoe.cli import summarize as command  # noqa: E402
from gmoe.text import Summarizer, SummaryTraining  # noqa: E402
from tests import processes  # noqa: E402
from tests.text.summaries.dialogues import DIALOGUES  # noqa: E402
from tests.text.summaries.tiny import tiny_t5, tiny_tokenizer  # noqa: E402

SETTINGS = {
    'max_input_tokens': 40,
    'max_summary_tokens': 8,
    'speakers': 'tokens',
}


def wild_t5():
    """One that does not write the same for all."""
    model = tiny_t5()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


@pytest.fixture(scope='module')
def summarizer():
    settings = SummaryTraining(**SETTINGS)
    return Summarizer(wild_t5(), tiny_tokenizer(), settings)


@pytest.fixture(scope='module')
def folder(summarizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp('summarize') / 'model'
    summarizer.save_pretrained(folder)
    return folder


@pytest.fixture
def table(tmp_path):
    path = tmp_path / 'new.csv'
    pd.DataFrame(
        {
            'id': ['a', 'b', 'c', 'd'],
            'dialogue': ['Bo: hi', DIALOGUES[0] * 2, '', 'Al: ho\nBo: he'],
            'summary': ['old'] * 4,
            'topic': [None, 'x,y', '"z"', ' '],
        }
    ).to_csv(path, index=False)
    return path


def summarize(capsys, *arguments):
    assert cli.run(['summarize', *map(str, arguments)]) is None
    captured = capsys.readouterr()
    found = pd.read_csv(io.StringIO(captured.out), keep_default_na=False)
    return found, captured.err


@pytest.mark.filterwarnings('ignore:.*dialogues.*are:UserWarning')
def test_one_row_for_each(summarizer, folder, table, capsys, monkeypatch):
    given = pd.read_csv(table, keep_default_na=False)
    expected = summarizer.summarize(given['dialogue'])
    assert len(set(expected)) > 2
    for chunk in (1024, 3):
        monkeypatch.setattr(command, '_CHUNK', chunk)
        out, said = summarize(capsys, folder, table)
        assert list(out) == ['id', 'dialogue', 'topic', 'summary']
        assert out['summary'].tolist() == expected
        assert out['summary'][2] == ''
        assert out['id'].tolist() == ['a', 'b', 'c', 'd']
        assert out['topic'].tolist() == ['', 'x,y', '"z"', '']
        assert out['dialogue'].tolist() == given['dialogue'].tolist()
        assert said.splitlines() == [
            "the column 'summary' of the input is replaced",
            '4 dialogues, 1 of them blank, 1 cut to 40 tokens',
        ]


def test_a_text_to_a_file(summarizer, folder, tmp_path, capsys):
    (tmp_path / 'talk.txt').write_text(DIALOGUES[4])
    out = tmp_path / 'out.csv'
    options = [f'--output={out}', '--num_beams=2', '--batch_size=1']
    cli.run(['summarize', str(folder), str(tmp_path / 'talk.txt'), *options])
    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err == '1 dialogue, 0 of them blank, 0 cut to 40 tokens\n'
    found = pd.read_csv(out, keep_default_na=False)
    expected = summarizer.summarize([DIALOGUES[4]], num_beams=2)
    assert found['summary'].tolist() == expected
    assert found['dialogue'].tolist() == [DIALOGUES[4]]


def test_options_reach_the_model(folder, table, capsys, monkeypatch):
    seen = []

    def record(model, tokenizer, rows, batch_size, max_tokens, num_beams):
        seen.append((batch_size, max_tokens, num_beams))
        return [[] for _ in rows]

    monkeypatch.setattr('gmoe.text.summaries.summarizer.generate', record)
    summarize(capsys, folder, table)
    summarize(capsys, folder, table, '--num_beams=3', '--batch_size=2')
    assert seen == [(8, 8, 1), (2, 8, 3)]


def test_an_adapter(folder, table, tmp_path, capsys, refused):
    torch.manual_seed(0)
    config = LoraConfig(target_modules=['wo'], init_lora_weights=False)
    settings = SummaryTraining(**{**SETTINGS, 'speakers': 'names'})
    model = get_peft_model(wild_t5(), config)
    adapted = Summarizer(model, tiny_tokenizer(), settings)
    adapted.save_pretrained(tmp_path / 'adapter')
    out, _ = summarize(capsys, tmp_path / 'adapter', table, f'--base={folder}')
    expected = adapted.summarize(['Bo: hi', 'Al: ho\nBo: he'])
    assert out['summary'][[0, 3]].tolist() == expected
    (line,) = refused('summarize', tmp_path / 'adapter', table)
    assert "give it as 'base'" in line
    (line,) = refused(
        'summarize', tmp_path / 'adapter', table, '--base=./none'
    )
    assert 'no such folder' in line


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['MODEL', 'none.csv'], ["'input' must be", 'no such file']),
        (['MODEL', 'TABLE', '--num_beams=0'], ["'num_beams' must be"]),
        (['MODEL', 'TABLE', '--batch_size=a'], ["'batch_size' must be"]),
        (['MODEL', 'TABLE', '--device=gpu7'], ["'device' must be"]),
        (['MODEL', 'TABLE', '--output=/none/x'], ["'output' must be"]),
        (['MODEL', 'TABLE', '--foo=1'], ['not an argument', '--foo']),
        (['MODEL'], ['input']),
        ([], ['model']),
        (['./none', 'TABLE'], ["'model' must be", 'no such folder']),
        (['none', 'TABLE'], ["'model' must be", "'none'"]),
        (['EMPTY', 'TABLE'], ["'model' must be", 'it is empty']),
        (['PICKLE', 'TABLE'], ["'model' must be", 'pickle']),
        (['MODEL', 'TABLE', '--base=x'], ["'base' is for"]),
    ],
)
def test_refusals(refused, folder, table, tmp_path, arguments, words):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'pickle').mkdir()
    (tmp_path / 'pickle' / 'config.json').write_text('{}')
    torch.save({}, tmp_path / 'pickle' / 'pytorch_model.bin')
    names = {
        'MODEL': folder,
        'TABLE': table,
        'EMPTY': tmp_path / 'empty',
        'PICKLE': tmp_path / 'pickle',
    }
    (line,) = refused('summarize', *(names.get(a, a) for a in arguments))
    assert line.startswith('gmoe: error: ')
    for word in words:
        assert word in line


def test_whoever_reads_may_stop(folder, table, monkeypatch, tmp_path):
    """As ``gmoe summarize … | head`` does."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, 'w') as closed:
        monkeypatch.setattr('sys.stdout', closed)
        cli.run(['summarize', str(folder), str(table)])


def test_a_pipe_and_a_signal(folder, tmp_path):
    pipe, out = tmp_path / 'pipe', tmp_path / 'out.csv'
    os.mkfifo(pipe)
    process = processes.start(
        tmp_path,
        'gmoe.cli',
        'summarize',
        folder,
        pipe,
        f'--output={out}',
        '--batch_size=1',
    )
    try:
        with open(pipe, 'w') as file:
            file.write('dialogue\n' + 'Bo: hi\n' * 50_000)
        end = time.monotonic() + 120
        # The file that takes its place is there when summaries begin.
        while process.poll() is None and not any(
            out.name in name for name in os.listdir(tmp_path)
        ):
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        status = process.wait(120)
    finally:
        process.kill()
    error = (tmp_path / 'stderr').read_text()
    assert status == 128 + signal.SIGINT, error
    assert 'Traceback' not in error
    assert not out.exists()


def test_help(capsys):
    with pytest.raises(SystemExit) as end:
        cli.run(['summarize', '--help'])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for word in ('MODEL INPUT', '--output', '--base', '--num_beams'):
        assert word in out
