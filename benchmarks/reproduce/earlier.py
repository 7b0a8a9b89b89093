"""Records of WebNLG as earlier versions wrote them.

A run had a line for each protocol that it was tested with, and one of the
search a line with all its settings side by side.
"""

from __future__ import annotations

from benchmarks.common.json_lines import Record
from benchmarks.reproduce.run import digest

#: The settings of a run of the search that are those of its data.
_DATA = ('features', 'mask_entities', 'mask_properties', 'batch_size')

#: What settings of text models were called.
_NAMES = {
    'experts_per_text': 'experts_per_token',
    'expert_hidden': 'hidden_channels',
}

_SECONDS = ('train_seconds', 'train_seconds_per_epoch', 'infer_seconds')


def upgraded(record: Record) -> Record:
    """A record in today's form.

    Args:
        record: A record, of an earlier version or of this one.
    """
    if 'protocol' in record:
        return _upgraded_model(record)
    return _upgraded_search(record) if 'setting' in record else record


def _upgraded_model(record: Record) -> Record:
    settings = {
        _NAMES.get(name, name): value
        for name, value in record['settings'].items()
    }
    kind = f'webnlg_{record["kind"]}'
    return {
        **_head(kind, 'webnlg', record['model'], settings),
        'seed': record['seed'],
        'num_parameters': record['num_parameters'],
        'measured': {
            'seconds': record['train_seconds'],
            **{key: record[key] for key in _SECONDS},
        },
        'environment': record['environment'],
        'protocols': {record['protocol']: record},
    }


def _upgraded_search(record: Record) -> Record:
    model = dict(record['setting'])
    epochs = model.pop('max_epochs')
    data = {key: model.pop(key) for key in _DATA}
    has_hop_2 = model['num_experts_1hop'] < model['num_experts']
    data |= {
        'encoder': 'offline',
        'two_hop': 'exact' if has_hop_2 else None,
        'holdout': record['holdout'],
    }
    settings = {'model': model, 'data': data, 'epochs': epochs}
    dataset = f'holdout{record["holdout"]}'
    return {
        **_head('webnlg_graph', dataset, record['name'], settings),
        'seed': record['seed'],
        'metric': 'weighted_f1',
        'valid': record['weighted_f1'],
        'num_parameters': record['num_parameters'],
        'measured': {'seconds': record['seconds_per_epoch'] * epochs},
    }


def _head(kind: str, dataset: str, row: str, settings: Record) -> Record:
    return {
        'kind': kind,
        'dataset': dataset,
        'row': row,
        'digest': digest(dataset, settings),
        'settings': settings,
    }
