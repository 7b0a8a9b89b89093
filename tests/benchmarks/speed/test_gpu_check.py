"""The check of a GPU: it ends, whatever its parts do, and says so."""

import json
import sys
import time

import pytest
import torch

from benchmarks.speed import gpu_check, gpu_parts
from benchmarks.speed.gpu_check import PARTS, Part, main, run_part
from benchmarks.speed.gpu_parts import Ended, Setting, call, read_tests


@pytest.fixture
def setting(tmp_path):
    return Setting(tmp_path, 'cpu', 'molhiv', 1, 2, tmp_path)


@pytest.fixture(autouse=True)
def without_provenance(monkeypatch):
    """It takes seconds."""
    monkeypatch.setattr(gpu_check, 'provenance', dict)


def test_all_parts_end_in_ten_minutes():
    assert sum(part.seconds for part in PARTS.values()) <= 600


def test_one_end_does_not_stop_the_others(monkeypatch, tmp_path):
    def fails(setting):
        setting.call('-c', 'print("why"); raise SystemExit(3)')

    def hangs(setting):
        setting.call('-c', 'import time; time.sleep(600)')

    def breaks(setting):
        raise KeyError('lost')

    written = []

    def holds(setting):
        path = tmp_path / 'gpu_check.json'
        written.extend(json.loads(path.read_text())['parts'])
        return {'rows': [1]}

    parts = {
        'build': Part(9, fails, needs_gpu=True),
        'fails': Part(200, fails),
        'hangs': Part(1, hangs),
        'breaks': Part(9, breaks),
        'holds': Part(9, holds),
    }
    monkeypatch.setattr(gpu_check, 'PARTS', parts)
    main(device='cpu', results=tmp_path)
    record = json.loads((tmp_path / 'gpu_check.json').read_text())
    assert record['device'] == 'cpu'
    assert record['card'] is None
    found = record['parts']
    assert {name: part['state'] for name, part in found.items()} == {
        'build': 'left out',
        'fails': 'failed',
        'hangs': 'timed out',
        'breaks': 'failed',
        'holds': 'holds',
    }
    assert found['build']['reason'] == 'there is no GPU here'
    assert found['fails']['reason'] == 'why\n'
    assert 'lost' in found['breaks']['reason']
    assert found['holds']['rows'] == [1]
    assert written == ['build', 'fails', 'hangs', 'breaks']


def test_only_some_parts_in_their_order(monkeypatch, tmp_path):
    seen = []
    parts = {
        name: Part(9, lambda setting, name=name: seen.append(name) or {})
        for name in 'abc'
    }
    monkeypatch.setattr(gpu_check, 'PARTS', parts)
    main(parts=['c', 'a'], device='cpu', results=tmp_path)
    assert seen == ['a', 'c']
    with pytest.raises(SystemExit, match="'d'"):
        main(parts='d', device='cpu', results=tmp_path)


def test_call_ends_what_was_started(tmp_path):
    mark = tmp_path / 'late'
    child = f'import time; time.sleep(2); open({str(mark)!r}, "w")'
    program = (
        'import subprocess, sys, time;'
        f'subprocess.Popen([sys.executable, "-c", {child!r}]);'
        'time.sleep(60)'
    )
    with pytest.raises(Ended) as error:
        call([sys.executable, '-c', program], 1.0)
    assert error.value.state == 'timed out'
    time.sleep(2.5)
    assert not mark.exists()


def test_read_tests(tmp_path):
    report = tmp_path / 'tests.xml'
    report.write_text(
        '<testsuites><testsuite tests="3" failures="1" errors="0" '
        'skipped="1"><testcase classname="a.b" name="c[cuda]"><failure '
        'message="boom">long</failure></testcase><testcase classname="a.b" '
        'name="d"/></testsuite></testsuites>'
    )
    found = read_tests(report)
    assert (found['tests'], found['failures'], found['skipped']) == (3, 1, 1)
    assert found['failed'] == ['a.b.c[cuda]: boom']


def test_sanitizer_reads_each_tool(monkeypatch, setting):
    said = '========= ERROR SUMMARY: 0 errors\n'

    def fake(command, limit, **environment):
        assert environment == {'PYTORCH_NO_CUDA_MEMORY_CACHING': '1'}
        if 'racecheck' in command:
            raise Ended('failed', reason='a race')
        return said

    monkeypatch.setattr(gpu_parts, 'find_sanitizer', lambda: 'program')
    monkeypatch.setattr(gpu_parts, 'call', fake)
    found = run_part(Part(9, gpu_parts.sanitizer), setting)
    assert found['state'] == 'failed'
    assert found['memcheck'] == {
        'state': 'holds',
        'said': 'ERROR SUMMARY: 0 errors',
    }
    assert found['racecheck'] == {'state': 'failed', 'reason': 'a race'}
    monkeypatch.setattr(gpu_parts, 'find_sanitizer', lambda: None)
    assert run_part(Part(9, gpu_parts.sanitizer), setting)['state'] == (
        'left out'
    )


def test_times_are_kept(monkeypatch, data_root, tmp_path):
    """One real benchmark, as it is started on the CPU."""
    setting = Setting(data_root / 'ogb', 'cpu', 'molhiv', 1, 2, tmp_path)
    commands = []

    def fake(command, limit, **environment):
        commands.append(command)
        (tmp_path / 'step_time.json').write_text('{"rows": [{"name": "a"}]}')
        return ''

    monkeypatch.setattr(gpu_parts, 'call', fake)
    assert gpu_parts.step_time(setting) == {'rows': [{'name': 'a'}]}
    assert commands[0][1:3] == ['-m', 'benchmarks.speed.step_time']
    assert '--device=cpu' in commands[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU here')
def test_card():
    assert gpu_check.card('cuda')['memory'] > 0
