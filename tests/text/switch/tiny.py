"""Small Switch Transformers and T5 with random weights, and a batch."""

import torch
from transformers import (
    SwitchTransformersConfig,
    SwitchTransformersForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

from gmoe.text import SwitchMoeConfig, SwitchMoeForConditionalGeneration
from gmoe.text.switch.config import SWITCH_ROUTERS

ROUTERS = sorted(SWITCH_ROUTERS)

SIZES = {
    'vocab_size': 40,
    'd_model': 16,
    'd_kv': 4,
    'd_ff': 24,
    'num_layers': 2,
    'num_decoder_layers': 4,
    'num_heads': 4,
    'decoder_start_token_id': 0,
}
SPARSE = {
    'num_experts': 4,
    'num_sparse_encoder_layers': 1,
    'num_sparse_decoder_layers': 2,
}

IDS = torch.tensor(
    [[5, 6, 7, 8, 9, 1], [7, 9, 1, 0, 0, 0], [3, 4, 8, 1, 0, 0]]
)
MASK = (IDS != 0).long()
LABELS = torch.tensor(
    [[4, 5, 6, 7, 1], [8, 1, -100, -100, -100], [9, 3, 2, 1, -100]]
)
BATCH = {'input_ids': IDS, 'attention_mask': MASK, 'labels': LABELS}

#: The routers of the models below.
LAYERS = [
    'encoder.block.1.layer.1.mlp.router',
    'decoder.block.1.layer.2.mlp.router',
    'decoder.block.3.layer.2.mlp.router',
]


def switch_model(seed=0, **settings):
    """As of transformers, without a bound to the tokens of an expert."""
    torch.manual_seed(seed)
    settings = {**SIZES, **SPARSE, 'expert_capacity': 1000, **settings}
    config = SwitchTransformersConfig(**settings)
    return SwitchTransformersForConditionalGeneration(config).eval()


def t5_model(seed=0, **settings):
    torch.manual_seed(seed)
    config = T5Config(**{**SIZES, **settings})
    return T5ForConditionalGeneration(config).eval()


def moe_model(seed=0, **settings):
    """With scores large enough to tell tokens apart."""
    torch.manual_seed(seed)
    config = SwitchMoeConfig(**{**SIZES, **SPARSE, **settings})
    model = SwitchMoeForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if '.router.' in name:
                parameter.add_(torch.randn_like(parameter))
    return model.eval()
