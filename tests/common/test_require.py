"""What the package does without transformers."""

import subprocess
import sys

import pytest

import gmoe.text
from gmoe.common.require import require
from gmoe.text import offline


def test_missing_package_names_the_extra():
    with pytest.raises(ImportError, match=r"'nowhere'.*'gmoe\[text\]'"):
        require('nowhere.at_all')


def test_missing_encoder_names_the_extra(monkeypatch):
    monkeypatch.setattr(offline, 'MODULE', 'nowhere')
    with pytest.raises(ImportError, match=r"'gmoe\[offline\]'"):
        offline.encoder_path('offline')
    assert offline.encoder_path('bert-base-uncased') == 'bert-base-uncased'


def test_import_without_transformers():
    code = (
        'import sys\n'
        "sys.modules['transformers'] = None\n"
        'import gmoe.text, gmoe.text.head\n'
        'try:\n'
        '    gmoe.text.BertMoeConfig\n'
        'except ImportError as error:\n'
        "    assert 'gmoe[text]' in str(error), error\n"
        'else:\n'
        '    raise SystemExit(1)\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_names():
    assert set(gmoe.text.__all__) <= set(dir(gmoe.text))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gmoe.text.nothing
