"""The errors that are no mistakes of gmoe, as a line for its user."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from gmoe.common.shown import one_line

#: What the system says of a folder or disk that cannot be written.
_REFUSED = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


def refusal(error: BaseException | None) -> str | None:
    """The message of what gmoe itself has raised, behind what wraps it, or of
    what Lightning and the system refuse; :obj:`None` for any other error.

    Args:
        error: The error that ended the command.
    """
    package = Path(__file__).parents[1]
    while error is not None:
        for frame in traceback.extract_tb(error.__traceback__)[-1:]:
            # A mistake in a line of gmoe is no refusal.
            raised = (frame.line or '').startswith('raise ')
            if raised and Path(frame.filename).is_relative_to(package):
                return one_line(error, 1000)
        if isinstance(error, MisconfigurationException):
            return one_line(error, 300)
        if isinstance(error, OSError) and error.errno in _REFUSED:
            return one_line(error, 300)
        error = error.__cause__ or error.__context__
    return None
