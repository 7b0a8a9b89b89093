"""A tokenizer of one's own texts, for models that are trained from nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gmoe.common.arguments import check_integer
from gmoe.common.require import require
from gmoe.common.shown import shown
from gmoe.text.checks import check_texts

require('transformers')

from tokenizers import (  # noqa: E402
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast  # noqa: E402

#: Padding, the end of a text, and what is unknown, as T5 numbers them.
SPECIAL = ('<pad>', '</s>', '<unk>')
#: The least size: the special tokens and one for each byte.
MIN_VOCAB_SIZE = len(SPECIAL) + 256


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int = 8000,
    added_tokens: Sequence[str] = (),
    lowercase: bool = False,
) -> PreTrainedTokenizerFast:
    """Trains a tokenizer on texts: byte pairs on the level of bytes, so that
    any text is read and comes back letter by letter, as from `"Language Models
    are Unsupervised Multitask Learners"
    <https://openai.com/index/better-language-models/>`_.

    The tokens for padding, the end and what is unknown have the numbers 0, 1
    and 2, as those of T5. A text ends with the one for the end.

    Args:
        texts: The texts, of the training split only.
        vocab_size: The most tokens, of all kinds.
        added_tokens: Tokens that are never parted, such as those that stand
            for speakers. They stay in what is decoded, even where special
            tokens are left out.
        lowercase: Whether capital letters become small ones: a small model
            then sees more of each word.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If there is no text, or one is no text, the size does not
            suffice for each byte and the added tokens, or one of these is
            empty, special or given twice.
    """
    texts = check_texts(texts)
    if not any(texts):
        raise ValueError(
            "'texts' must hold at least one text that is not empty, got none "
            f'in {len(texts)}'
        )
    added = _check_added(added_tokens)
    check_integer(MIN_VOCAB_SIZE + len(added), vocab_size=vocab_size)
    pad, end, unknown = SPECIAL
    core = Tokenizer(models.BPE(unk_token=unknown))
    if lowercase:
        core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(added),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f'$A {end}',
        pair=f'$A {end} $B {end}',
        special_tokens=[(end, core.token_to_id(end))],
    )
    core.add_tokens([AddedToken(text, normalized=False) for text in added])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=pad,
        eos_token=end,
        unk_token=unknown,
        clean_up_tokenization_spaces=False,
    )


def _check_added(added_tokens: Sequence[str]) -> list[str]:
    added = check_texts(added_tokens, 'added_tokens')
    for index, text in enumerate(added):
        if not text.strip() or text in (*SPECIAL, *added[:index]):
            raise ValueError(
                "'added_tokens' must be tokens with letters, each once, and "
                f'none of {list(SPECIAL)}, got {shown(text)} at position '
                f'{index}'
            )
    return added
