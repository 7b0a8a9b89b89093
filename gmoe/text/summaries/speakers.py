"""Speakers' names as tokens: a small model cannot learn to copy names that it
sees once, and a name in a summary is always one of the dialogue's."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The tokens that stand for the speakers of a dialogue; further ones keep
#: their names.
SPEAKER_TOKENS = tuple(f'<speaker{number}>' for number in range(1, 17))

_TURN = re.compile(r'([^:\n]{1,40}?)\s*:')
_TOKEN = re.compile('|'.join(map(re.escape, SPEAKER_TOKENS)))


@dataclass(frozen=True)
class Speakers:
    """The names of those who speak in a dialogue, and a token for each.

    Args:
        tokens: The token of each name.
    """

    tokens: dict[str, str]

    @classmethod
    def of(cls, dialogue: str) -> Speakers:
        """Finds the speakers: what stands before the first colon of a line.
        The first to speak has the first token.

        Args:
            dialogue: One turn a line, as ``Amanda: I baked cookies.``
        """
        lines = dialogue.split('\n')
        turns = (_TURN.match(line.strip()) for line in lines)
        names = dict.fromkeys(turn[1] for turn in turns if turn)
        return cls(dict(zip(names, SPEAKER_TOKENS, strict=False)))

    def hide(self, text: str) -> str:
        """Puts the tokens in place of the names, where they are whole words
        of the same case: ``will`` is no name.

        Args:
            text: The dialogue, or its summary.
        """
        if not self.tokens:
            return text
        # The longest first: 'Anna' is a part of 'Anna Maria'.
        names = sorted(self.tokens, key=len, reverse=True)
        pattern = '|'.join(map(re.escape, names))
        return re.sub(
            rf'(?<!\w)(?:{pattern})(?!\w)',
            lambda found: self.tokens[found[0]],
            text,
        )

    def restore(self, text: str) -> str:
        """Puts the names in place of the tokens; a token of nobody goes.

        Args:
            text: What a model has written.
        """
        names = {token: name for name, token in self.tokens.items()}
        return _TOKEN.sub(lambda found: names.get(found[0], ''), text)
