"""The tables: which cells there are, and with which settings."""

from benchmarks.reproduce.tables.cell import Cell, Table
from benchmarks.reproduce.tables.load import (
    chosen_path,
    load_table,
    read_chosen,
    table_names,
)

__all__ = [
    'Cell',
    'Table',
    'chosen_path',
    'load_table',
    'read_chosen',
    'table_names',
]
