"""Low-rank adaptation, as it is trained, saved and merged."""

import pytest
import torch

reason = "the extra 'text' is not installed"
transformers = pytest.importorskip('transformers', reason=reason)
peft = pytest.importorskip('peft', reason=reason)

from gmoe.routing import collect_routing  # noqa: E402
from gmoe.text import (  # noqa: E402
    SwitchMoeForConditionalGeneration,
    lora,
    routing_report,
)
from tests.text.switch.tiny import BATCH, IDS, MASK, moe_model  # noqa: E402

TEXTS = [
    {name: value[row] for name, value in BATCH.items()} for row in range(3)
]


def train(model, folder, steps=4, resume=False, **arguments):
    settings = {
        'output_dir': str(folder),
        'use_cpu': True,
        'max_steps': steps,
        'per_device_train_batch_size': 3,
        'learning_rate': 0.05,
        'save_steps': 2,
        'report_to': 'none',
        'disable_tqdm': True,
        'seed': 0,
        **arguments,
    }
    trainer = transformers.Seq2SeqTrainer(
        model,
        transformers.Seq2SeqTrainingArguments(**settings),
        train_dataset=TEXTS,
    )
    checkpoint = str(folder / 'checkpoint-2') if resume else None
    return trainer.train(resume_from_checkpoint=checkpoint)


def logits(model):
    with torch.no_grad():
        return model.eval()(**BATCH).logits


def values(model):
    return {n: p.detach().clone() for n, p in model.named_parameters()}


def kind(name):
    if 'lora_' in name:
        return 'adapter'
    return 'router' if 'router.modules_to_save' in name else 'frozen'


@pytest.mark.parametrize(
    'router', ['linear_softmax_topk', 'attention_entmax15']
)
def test_training(router, tmp_path):
    base = moe_model(router=router)
    start = logits(base)
    model = lora(base, rank=2, targets=['q', 'v', 'o', 'experts'])
    torch.testing.assert_close(logits(model), start)
    before = values(model)
    train(model, tmp_path)
    moved = {
        name: not torch.equal(before[name], value)
        for name, value in values(model).items()
    }
    assert not any(m for name, m in moved.items() if kind(name) == 'frozen')
    for role in ('adapter', 'router'):
        assert any(m for name, m in moved.items() if kind(name) == role), role
    routers = [n for n in moved if n.endswith('score_gate.weight')]
    assert all(moved[n] for n in routers if kind(n) == 'router')

    trained = logits(model)
    assert (trained - start).abs().max() > 0.1
    files = {path.name for path in (tmp_path / 'checkpoint-4').iterdir()}
    assert 'adapter_model.safetensors' in files
    assert not {'model.safetensors', 'pytorch_model.bin'} & files
    other = peft.PeftModel.from_pretrained(
        moe_model(router=router), str(tmp_path / 'checkpoint-4')
    )
    assert torch.equal(logits(other), trained)

    merged = other.merge_and_unload()
    assert type(merged) is SwitchMoeForConditionalGeneration
    assert (
        merged.state_dict().keys()
        == moe_model(router=router).state_dict().keys()
    )
    torch.testing.assert_close(logits(merged), trained, rtol=0, atol=1e-5)
    merged.save_pretrained(tmp_path / 'merged')
    load = transformers.AutoModelForSeq2SeqLM.from_pretrained
    loaded = load(tmp_path / 'merged')
    assert torch.equal(logits(loaded), logits(merged))


@pytest.mark.parametrize('checkpointing', [False, True])
def test_resume(checkpointing, tmp_path):
    arguments = {
        'gradient_checkpointing': checkpointing,
        'gradient_checkpointing_kwargs': {'use_reentrant': False},
    }
    whole = lora(moe_model())
    train(whole, tmp_path, **arguments)
    again = lora(moe_model())
    train(again, tmp_path, resume=True, **arguments)
    expected, found = values(whole), values(again)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_generates_and_collects():
    model = lora(moe_model(), targets=['experts', 'feed_forward'])
    with collect_routing(model) as routings:
        text = model.generate(
            input_ids=IDS, attention_mask=MASK, max_new_tokens=3
        )
    plain = moe_model().generate(
        input_ids=IDS, attention_mask=MASK, max_new_tokens=3
    )
    assert torch.equal(text, plain)
    assert routings.names[0].endswith(
        'encoder.block.1.layer.1.mlp.router.modules_to_save.default'
    )
    report = routing_report(model, [BATCH])
    assert report.encoder.tokens == MASK.sum()


@pytest.mark.parametrize(
    ('targets', 'adapted'),
    [
        (['q'], {'q'}),
        (['k', 'o'], {'k', 'o'}),
        (['experts'], {'expert.wi', 'expert.wo'}),
        (['feed_forward'], {'wi', 'wo'}),
    ],
)
def test_targets(targets, adapted):
    model = lora(moe_model(), targets=targets)
    found = set()
    for name, _ in model.named_parameters():
        if '.lora_A.' in name:
            parts = name.split('.lora_A.')[0].split('.')
            prefix = 'expert.' if 'experts' in parts else ''
            found.add(prefix + parts[-1])
    assert found == adapted


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'rank': 0}, "'rank' must be an integer >= 1"),
        ({'alpha': 0}, "'alpha' must be a number > 0"),
        ({'dropout': 1}, "'dropout' must be in"),
        ({'targets': 'q'}, "'targets' must be some of"),
        ({'targets': []}, "'targets' must be some of"),
        ({'targets': ['q', 'wi']}, "'targets' must be some of"),
        ({'targets': [['q']]}, "'targets' must be some of"),
        ({'targets': None}, "'targets' must be some of"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        lora(moe_model(), **arguments)


def test_other_models():
    model = moe_model()
    adapted = lora(model)
    with pytest.raises(ValueError, match="'model' must have no adapters yet"):
        lora(model)
    assert lora(adapted.merge_and_unload()).peft_config
    with pytest.raises(ValueError, match="'model' must be a SwitchMoe"):
        lora(lora(moe_model()))
    dense = moe_model(encoder_moe_layers=[], decoder_moe_layers=[])
    with pytest.raises(ValueError, match="'targets' must be parts of the mo"):
        lora(dense, targets=['experts'])
