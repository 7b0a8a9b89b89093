"""What each row of the study of Switch Transformers starts from."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedTokenizerBase,
    SwitchTransformersConfig,
    SwitchTransformersForConditionalGeneration,
    T5ForConditionalGeneration,
)

from benchmarks.reproduce.kinds.switch_place import place
from gmoe.text import SwitchMoeForConditionalGeneration, lora
from gmoe.text.switch.source import load_source

#: What is adapted, besides the router, which is trained in full.
TARGETS = ('q', 'v', 'experts')
#: The same in models of transformers.
_PATTERN = r'.*(Attention\.[qv]|(DenseReluDense|expert_\d+)\.w[io])'
#: Their names of the same parameters.
_SCORE, _OWN_SCORE = 'router.score_gate.weight', 'router.classifier.weight'


def start(
    settings: dict[str, Any],
) -> tuple[PeftModel, PreTrainedTokenizerBase]:
    """The model of a row, with adapters, and its tokenizer.

    Args:
        settings: The settings of the row.

    Raises:
        ValueError: If the row does not go with the model to start from.
        OSError: If that is not there.
    """
    source: Any = place(settings['base'], settings['num_experts'])
    kind = AutoConfig.from_pretrained(source).model_type
    router, num_experts = settings['router'], settings['num_experts']
    tokenizer = AutoTokenizer.from_pretrained(source)
    if kind == 't5':
        source = T5ForConditionalGeneration.from_pretrained(
            source, dtype=torch.float32
        )
    if router == 'dense':
        if kind != 't5':
            raise ValueError(
                "'cells' must leave out 'dense' for a model that is no T5, "
                f'such as that of {settings["base"]!r}'
            )
        return _adapted(source, settings, None), tokenizer
    if kind != 't5':
        # Wide for all rows, and never of a pickle.
        own = SwitchTransformersForConditionalGeneration
        source = load_source(source, own).float()
        check_experts(source.config.num_experts, settings)
    if router == 'transformers':
        model = own_switch(source, num_experts) if kind == 't5' else source
        return _adapted(model, settings, ['router']), tokenizer
    make = SwitchMoeForConditionalGeneration
    model = (
        make.upcycle(source, num_experts, router, step=1)
        if kind == 't5'
        else make.from_switch(
            source, router, keep_scores=settings.get('keep_scores')
        )
    )
    return lora(model, settings['rank'], 2 * settings['rank'], TARGETS), (
        tokenizer
    )


def check_experts(found: int, settings: dict[str, Any]) -> None:
    """Refuses a model of another number of experts than the row's.

    Args:
        found: Its number of experts.
        settings: The settings of the row.

    Raises:
        ValueError: If it is another one.
    """
    if found != settings['num_experts']:
        raise ValueError(
            f"'model' must have {settings['num_experts']} experts for this "
            f'row, got {found} in {settings["base"]!r}: choose rows with '
            "'cells'"
        )


def own_switch(
    source: T5ForConditionalGeneration, num_experts: int
) -> SwitchTransformersForConditionalGeneration:
    """A dense T5 as a Switch Transformer of transformers, whose tokens go to
    one expert.

    Args:
        source: The T5.
        num_experts: The number of experts.
    """
    ours = SwitchMoeForConditionalGeneration.upcycle(
        source, num_experts, experts_per_token=1, topk_first=False, step=1
    )
    known = SwitchTransformersConfig().to_dict()
    found = ours.config.to_dict()
    config = SwitchTransformersConfig(
        **{key: found[key] for key in known if key in found}
        | _all_sparse(found)
    )
    model = SwitchTransformersForConditionalGeneration(config)
    weights = {}
    for name, value in ours.state_dict().items():
        if name.endswith(_SCORE):
            value = value.t().contiguous()
        elif '.router.' in name:  # The scale of a noise that it has not.
            continue
        weights[name.replace(_SCORE, _OWN_SCORE)] = value
    model.load_state_dict(weights)
    model.generation_config = ours.generation_config
    return model.eval()


def _all_sparse(found: dict[str, Any]) -> dict[str, Any]:
    return {
        'model_type': 'switch_transformers',
        'architectures': None,
        'num_sparse_encoder_layers': found['num_layers'],
        'num_sparse_decoder_layers': found['num_decoder_layers'],
        'encoder_sparse_step': 1,
        'decoder_sparse_step': 1,
        'decoder_start_token_id': found['decoder_start_token_id'],
        'tie_word_embeddings': True,
        'dtype': torch.float32,
    }


def _adapted(
    model: Any, settings: dict[str, Any], in_full: list[str] | None
) -> PeftModel:
    return get_peft_model(
        model,
        LoraConfig(
            task_type='SEQ_2_SEQ_LM',
            r=settings['rank'],
            lora_alpha=2 * settings['rank'],
            target_modules=_PATTERN,
            modules_to_save=in_full,
        ),
    )
