"""What a run leaves out of what Lightning prints."""

import logging
import warnings

import gmoe.training.metrics.per_graph
from gmoe.cli.quiet import be_quiet, plain_warnings


def test_tips_and_warnings_of_lightning(caplog):
    logger = logging.getLogger('lightning.pytorch.utilities.rank_zero')
    filters = list(logger.filters)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        be_quiet()
        warnings.warn("The 'x' does not have many workers", stacklevel=1)
        warnings.warn('The score is not defined', stacklevel=1)
        try:
            logger.warning('💡 Tip: For seamless cloud uploads')
            logger.warning('GPU available')
        finally:
            logger.filters = filters
    assert [str(w.message) for w in seen] == ['The score is not defined']
    assert [record.getMessage() for record in caplog.records] in (
        ['GPU available'],
        [],  # Where Lightning hands nothing on.
    )


def test_warnings_of_gmoe_are_one_line(capsys, monkeypatch):
    others = []
    monkeypatch.setattr(warnings, 'showwarning', lambda *a: others.append(a))
    path = gmoe.training.metrics.per_graph.__file__
    with plain_warnings():
        warnings.simplefilter('always')
        warnings.warn_explicit('It is\nno score', UserWarning, path, 1)
        warnings.warn_explicit('Of others', UserWarning, 'other.py', 7)
    warnings.showwarning('After it', UserWarning, path, 1)
    assert capsys.readouterr().err == 'gmoe: warning: It is no score\n'
    assert [str(message) for message, *_ in others] == [
        'Of others',
        'After it',
    ]
    assert others[0][2:4] == ('other.py', 7)
