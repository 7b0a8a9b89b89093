"""``python -m gmoe.cli`` is the command ``gmoe``."""

from gmoe.cli import main

main()
