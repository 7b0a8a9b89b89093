"""A few dialogues and their summaries."""

_NAMES = [('Amanda', 'Jerry'), ('Olivia', 'Tim'), ('Tom', 'Ann'), ('Bo', 'Al')]
_THINGS = ['cookies', 'a cake', 'tea', 'soup']

#: Sixteen dialogues of three turns.
DIALOGUES = [
    f'{a}: I made {thing}. Do you want some?\n{b}: Sure!\n'
    f"{a}: I'll bring you {thing} tomorrow :-)"
    for a, b in _NAMES
    for thing in _THINGS
]
#: What each says.
SUMMARIES = [
    f'{a} made {thing} and will bring {b} some.'
    for a, b in _NAMES
    for thing in _THINGS
]
