"""What a run leaves out of what Lightning prints."""

import logging
import warnings

from gmoe.cli.quiet import be_quiet


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
