"""The page of the table on links."""

from benchmarks.report import links
from benchmarks.report.summary import summarise
from benchmarks.reproduce.tables import load_table
from tests.benchmarks.report.test_main import result


def test_what_is_there_and_what_is_not():
    table = load_table('table5')
    gcn, gmoe, *_ = table.cells
    page = links.content(table, *summarise(table, []))
    assert 'Not run yet: `python -m benchmarks.reproduce table5' in page
    for paper in ('37.07 ± 5.10', '37.96 ± 8.20', '18.67', '19.25'):
        assert paper in page
    found = [
        result(cell, seed, 0.3 + gain + seed / 100)
        for cell, gain in ((gcn, 0), (gmoe, 0.02))
        for seed in range(3)
    ]
    for each in found:
        each['metric'] = 'hits@20'
    page = links.content(table, *summarise(table, found))
    assert 'ogbl-ddi (hits@20 ↑) | GCN | 31.00 ± 1.00' in page
    assert 'GMoE-GCN over GCN | +2.00' in page
    assert '37.07 ± 5.10' in page
    assert 'Without results here' in page
    assert 'ogbl-ppa | GCN | 18.67 ± 1.32' in page


def test_written(tmp_path):
    (tmp_path / 'reproduction').mkdir()
    links.main(results=tmp_path)
    page = tmp_path / 'reproduction' / 'table5.md'
    assert 'Not run yet' in page.read_text()
