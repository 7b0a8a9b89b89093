"""How a trained model uses its experts, and what it costs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from transformers import DataCollatorForSeq2Seq, T5ForConditionalGeneration

from gmoe.text import Summarizer, SwitchMoeConfig
from gmoe.text.summaries.encoding import Encoder
from gmoe.text.switch.convert import switch_config, t5_config
from gmoe.text.switch.flops import switch_flops
from gmoe.text.switch.report import ExpertUse, find_model, routing_report

_BATCH_SIZE = 32


def use_of_experts(
    summarizer: Summarizer, dialogues: Sequence[str], summaries: Sequence[str]
) -> dict[str, Any] | None:
    """How experts are used on dialogues and their summaries; :obj:`None` for
    models without a router of this package.

    Args:
        summarizer: The model.
        dialogues: The dialogues.
        summaries: The summaries, which the decoder reads.
    """
    try:
        find_model(summarizer.model)
    except ValueError:
        return None
    rows = _rows(summarizer, dialogues, summaries)
    collate = DataCollatorForSeq2Seq(summarizer.tokenizer)
    report = routing_report(
        summarizer.model,
        (
            dict(collate(rows[start : start + _BATCH_SIZE]))
            for start in range(0, len(rows), _BATCH_SIZE)
        ),
    )
    uses = {'encoder': report.encoder, 'decoder': report.decoder}
    layers = report.layers.values()
    return {
        **{stack: _per_token(use) for stack, use in uses.items() if use},
        'busiest_share': round(max(use.busiest_share for use in layers), 4),
        'idle_experts': sum(use.idle_experts for use in layers),
    }


def flops(
    summarizer: Summarizer,
    use: dict[str, Any] | None,
    dialogues: Sequence[str],
    summaries: Sequence[str],
) -> dict[str, float]:
    """The mean operations of a dialogue and its summary, in the encoder and
    in the decoder.

    Args:
        summarizer: The model.
        use: How it uses its experts on these, if it has a router of this
            package.
        dialogues: The dialogues.
        summaries: The summaries.
    """
    config = _config(summarizer.model.get_base_model())
    experts = {
        f'{stack}_experts': use[stack]['experts_per_token']
        for stack in ('encoder', 'decoder')
        if use is not None and stack in use
    }
    rows = _rows(summarizer, dialogues, summaries)
    each = [
        switch_flops(
            config, len(row['input_ids']), len(row['labels']), **experts
        )
        for row in rows
    ]
    return {
        'encoder': fmean(one.encoder.total for one in each),
        'decoder': fmean(one.decoder.total for one in each),
    }


def _rows(
    summarizer: Summarizer, dialogues: Sequence[str], summaries: Sequence[str]
) -> list[dict[str, Any]]:
    encoder = Encoder(summarizer.tokenizer, summarizer.settings)
    with warnings.catch_warnings():
        # What is cut has been said.
        warnings.simplefilter('ignore')
        return encoder.rows(dialogues, summaries)


def _per_token(use: ExpertUse) -> dict[str, float]:
    return {
        'experts_per_token': round(use.experts_per_token, 4),
        'experts_per_token_p95': use.experts_per_token_p95,
    }


def _config(model: Any) -> SwitchMoeConfig:
    if isinstance(model.config, SwitchMoeConfig):
        return model.config
    if isinstance(model, T5ForConditionalGeneration):
        none: dict[str, list[int]] = {
            'encoder_moe_layers': [],
            'decoder_moe_layers': [],
        }
        return t5_config(model, 1, **none)
    return switch_config(model, experts_per_token=1)
