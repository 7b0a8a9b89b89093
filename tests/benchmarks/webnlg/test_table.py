"""The tables of WebNLG are made of the committed results."""

from benchmarks.common import markdown
from benchmarks.reproduce.store import COMMITTED
from benchmarks.webnlg import table


def test_differences_are_paired_over_seeds():
    def result(model, seed, score):
        return {
            'model': model,
            'kind': 'text',
            'seed': seed,
            'protocol': 'clean',
            'weighted_f1': score,
        }

    one, other = 'bert-moe-all', 'bert-all'
    found = [result(one, 0, 0.5), result(one, 1, 0.7), result(one, 2, 0.9)]
    found += [result(other, 0, 0.4), result(other, 1, 0.5)]
    found += [{**r, 'protocol': 'published'} for r in found]
    rows = table.comparisons(found).splitlines()
    half = 0.05 * 12.7062  # Of two values, with one degree of freedom.
    interval = f'{0.15 - half:+.4f} to {0.15 + half:+.4f}'
    assert rows[2] == (
        f'| {one} - {other} | clean | 2 | +0.1500 | {interval} |'
    )


def test_the_docs_show_the_committed_results():
    found = table.read(COMMITTED / 'webnlg.jsonl')
    text = table.DOCS.read_text()
    for name in ('scores', 'subsets', 'comparisons', 'costs'):
        begin, end = markdown.markers(f'{table.NAME} {name}')
        shown = text.partition(begin)[2].partition(end)[0]
        assert shown.strip() == getattr(table, name)(found)
