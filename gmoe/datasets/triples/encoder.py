"""Features of a text by an encoder of Hugging Face."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from gmoe.common.require import require

#: To be raised whenever a text gets other features.
ENCODER_VERSION = 1


def encoder_fingerprint(name: str) -> str:
    """Returns a text that changes whenever an encoder's weights do.

    Args:
        name: A local folder, or a name on the hub.

    Raises:
        ImportError: If `transformers` is not installed and :obj:`name` is
            not a folder.
        OSError: If there is no such encoder.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        hub = require('transformers.utils.hub')
        # Kept as snapshots/<commit>/config.json.
        commit = Path(hub.cached_file(name, 'config.json')).parent.name
        return f'hub {name} {commit}'
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith('.'):
            digest.update(f'{path.name} {path.stat().st_size}\n'.encode())
            with path.open('rb') as f:
                while chunk := f.read(2**20):
                    digest.update(chunk)
    return f'folder {digest.hexdigest()}'


def encoder_size(name: str) -> int:
    """Returns the number of features that an encoder gives a text.

    Args:
        name: A local folder, or a name on the hub.

    Raises:
        ImportError: If `transformers` is not installed.
        OSError: If there is no such encoder.
    """
    auto = require('transformers').AutoConfig
    return int(auto.from_pretrained(os.path.expanduser(name)).hidden_size)


@torch.no_grad()
def encoder_features(
    texts: Sequence[str],
    name: str,
    max_length: int = 64,
    batch_size: int = 64,
) -> Tensor:
    """Returns the mean of the last hidden states of each text's tokens.

    Args:
        texts: The texts.
        name: A local folder, or a name on the hub.
        max_length: How many tokens of a text are used.
        batch_size: How many texts are encoded at once.

    Shapes:
        - **output:** :math:`(N, D)`, of data type :obj:`torch.float`

    Raises:
        ImportError: If `transformers` is not installed.
        OSError: If there is no such encoder, or its weights are not in
            safetensors: pickles are not read.
        ValueError: If it has no tokenizer.
    """
    transformers = require('transformers')
    source = os.path.expanduser(name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source)
    # Where its files are missing, transformers makes one without words.
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise ValueError(
            "'encoder' must be an encoder with a tokenizer, got "
            f'{name!r}, which has none'
        )
    load = transformers.AutoModel.from_pretrained
    model = load(source, use_safetensors=True).float().eval()
    # Texts of one length go together, for little to be padded.
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    out = torch.zeros(len(texts), int(model.config.hidden_size))
    for start in range(0, len(order), batch_size):
        index = order[start : start + batch_size]
        batch = tokenizer(
            [texts[i] for i in index],
            padding=True,
            truncation=True,
            max_length=max_length,
            return_tensors='pt',
        )
        hidden = model(**batch).last_hidden_state
        mask = batch['attention_mask'].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        out[torch.tensor(index)] = mean
    return out
