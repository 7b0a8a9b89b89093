"""Switch Transformers with a router of gmoe against those of transformers."""

import inspect

import pytest
import torch

reason = "the extra 'text' is not installed"
transformers = pytest.importorskip('transformers', reason=reason)

from transformers.modeling_outputs import BaseModelOutput  # noqa: E402

from gmoe.routing import collect_routing, router_z_loss, switch_loss  # noqa: E402
from gmoe.text import SwitchMoeForConditionalGeneration  # noqa: E402
from tests.text.switch.tiny import (  # noqa: E402
    BATCH,
    IDS,
    LABELS,
    LAYERS,
    MASK,
    ROUTERS,
    moe_model,
    switch_model,
)


def like_switch(**settings):
    """A model of transformers, and the same with one expert per token."""
    switch = switch_model(**settings)
    moe = SwitchMoeForConditionalGeneration.from_switch(
        switch, experts_per_token=1, router_noise=False, topk_first=False
    )
    return switch, moe


def gradients(model):
    grads = {}
    for name, parameter in model.named_parameters():
        grad = parameter.grad
        if name.endswith('router.classifier.weight'):
            name = name.replace('classifier', 'score_gate')
            grad = grad.t()
        grads[name] = torch.zeros_like(parameter) if grad is None else grad
    return grads


@pytest.mark.parametrize('seed', [0, 1])
def test_logits_and_gradients_of_transformers(seed):
    models = like_switch(seed=seed)
    outs = [model(**BATCH) for model in models]
    kept = LABELS != -100
    for out in outs:
        out.loss.backward()
    logits = [out.logits[kept] for out in outs]
    torch.testing.assert_close(*logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(outs[0].loss, outs[1].loss, rtol=0, atol=1e-6)
    grads = [gradients(model) for model in models]
    torch.testing.assert_close(*grads, rtol=0, atol=1e-5)
    assert all(grads[1][f'{name}.score_gate.weight'].any() for name in LAYERS)


@pytest.mark.parametrize('num_beams', [1, 3])
def test_generates_what_transformers_does(num_beams):
    texts = [
        model.generate(
            input_ids=IDS,
            attention_mask=MASK,
            num_beams=num_beams,
            max_new_tokens=7,
            min_new_tokens=5,
        )
        for model in like_switch(
            num_decoder_layers=2, tie_word_embeddings=False
        )
    ]
    assert torch.equal(*texts)
    assert len(texts[0].unique()) > 2


@pytest.mark.parametrize('router', ROUTERS)
def test_save_and_load(router, tmp_path):
    model = moe_model(router=router)
    model.save_pretrained(tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert 'model.safetensors' in files
    load = transformers.AutoModelForSeq2SeqLM
    other, info = load.from_pretrained(tmp_path, output_loading_info=True)
    assert type(other) is SwitchMoeForConditionalGeneration
    assert not info['missing_keys']
    assert not info['unexpected_keys']
    before, after = model.state_dict(), other.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(model(**BATCH).logits, other(**BATCH).logits)


@pytest.mark.parametrize('router', ROUTERS)
def test_cached_logits_are_those_of_the_whole_text(router):
    model = moe_model(router=router)
    with torch.no_grad():
        out = model.generate(
            input_ids=IDS,
            attention_mask=MASK,
            max_new_tokens=6,
            min_new_tokens=6,
            output_logits=True,
            return_dict_in_generate=True,
        )
        whole = model(
            input_ids=IDS,
            attention_mask=MASK,
            decoder_input_ids=out.sequences[:, :-1],
        )
    cached = torch.stack(out.logits, dim=1)
    torch.testing.assert_close(cached, whole.logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize('router', ['linear_softmax_topk', 'linear_sparsemax'])
def test_a_batch_is_its_texts(router):
    model = moe_model(router=router)
    together = model(**BATCH)
    for row, (ids, labels) in enumerate(zip(IDS, LABELS)):
        ids, labels = ids[ids != 0], labels[labels != -100]
        alone = model(input_ids=ids[None], labels=labels[None])
        logits = together.logits[row, : len(labels)]
        torch.testing.assert_close(alone.logits[0], logits)


def test_positions_without_a_loss_do_not_matter():
    """The loss and its gradient are those with all of them routed."""
    model = moe_model(balance='none')
    results = []
    for decoder_mask in (None, torch.ones_like(LABELS)):
        model.zero_grad()
        if decoder_mask is None:
            loss = model(**BATCH).loss
        else:
            ids = model.prepare_decoder_input_ids_from_labels(LABELS)
            out = model(
                input_ids=IDS,
                attention_mask=MASK,
                decoder_input_ids=ids,
                decoder_attention_mask=decoder_mask,
            )
            loss = torch.nn.functional.cross_entropy(
                out.logits.flatten(0, 1), LABELS.flatten()
            )
        loss.backward()
        results.append((loss, gradients(model)))
    torch.testing.assert_close(*results)


def test_routings_of_generated_texts():
    model = moe_model()
    with collect_routing(model) as routings:
        model.generate(
            input_ids=IDS,
            attention_mask=MASK,
            num_beams=2,
            max_new_tokens=3,
            min_new_tokens=3,
        )
    names = [LAYERS[0], *LAYERS[1:] * 3]
    assert routings.names == names
    # Texts times beams, token by token.
    nodes = [int(MASK.sum()), *[6] * 6]
    assert [r.num_nodes for r in routings] == nodes


def checkpoint(model, use_reentrant=False):
    arguments = {'use_reentrant': use_reentrant}
    if hasattr(model, 'activation_checkpointing_enable'):
        model.activation_checkpointing_enable(arguments)
    else:  # Its earlier name.
        model.gradient_checkpointing_enable(arguments)


@pytest.mark.parametrize('checkpointing', [False, True])
def test_balance_is_added_in_training(checkpointing):
    settings = {'balance_weight': 0.5, 'z_loss_weight': 0.25}
    model = moe_model(dropout_rate=0.0, router_noise=False, **settings)
    if checkpointing:
        checkpoint(model)
    model.train()
    with collect_routing(model) as routings:
        out = model(**BATCH)
    plain = torch.nn.functional.cross_entropy(
        out.logits.flatten(0, 1), LABELS.flatten()
    )
    balance = torch.stack([switch_loss(routing) for routing in routings])
    z_loss = torch.stack([router_z_loss(routing) for routing in routings])
    expected = plain + 0.5 * balance.mean() + 0.25 * z_loss.mean()
    torch.testing.assert_close(out.loss, expected)
    torch.testing.assert_close(out.encoder_aux_loss, balance[0])
    torch.testing.assert_close(out.decoder_aux_loss, balance[1:].mean())
    torch.testing.assert_close(out.encoder_z_loss, z_loss[0])
    torch.testing.assert_close(out.decoder_z_loss, z_loss[1:].mean())
    model.eval()
    torch.testing.assert_close(model(**BATCH).loss, plain)


@pytest.mark.parametrize('balance', ['switch', 'importance_load', 'none'])
def test_checkpointing_changes_nothing(balance):
    results = []
    for checkpointing in (False, True):
        model = moe_model(
            balance=balance, balance_weight=0.5, dropout_rate=0.0
        ).train()
        if checkpointing:
            checkpoint(model)
        torch.manual_seed(1)
        loss = model(**BATCH, use_cache=False).loss
        loss.backward()
        results.append((loss, gradients(model)))
    torch.testing.assert_close(*results)
    assert all(results[0][1][f'{n}.score_noise.weight'].any() for n in LAYERS)


def test_checkpointing_without_autograd():
    model = moe_model().train()
    checkpoint(model, use_reentrant=True)
    with pytest.raises(ValueError, match="'use_reentrant' must be False"):
        model(**BATCH, use_cache=False)
    with torch.no_grad():
        assert model(**BATCH, use_cache=False).loss.isfinite()


def test_router_logits_are_refused():
    with pytest.raises(ValueError, match='routing.collect_routing'):
        moe_model()(**BATCH, output_router_logits=True)


@pytest.mark.parametrize('labels', [LABELS.tolist(), LABELS[0], 'text'])
def test_labels_of_another_shape(labels):
    with pytest.raises(ValueError, match="'labels' must be a tensor of shape"):
        moe_model()(input_ids=IDS, labels=labels)


@pytest.mark.parametrize('kind', [BaseModelOutput, tuple])
def test_what_another_encoder_has_read(kind):
    model = moe_model()
    wanted = model(**BATCH)
    read = model.encoder(IDS, MASK).last_hidden_state
    given = read if kind is BaseModelOutput else [read]
    out = model(
        encoder_outputs=kind(given), attention_mask=MASK, labels=LABELS
    )
    assert torch.equal(out.logits, wanted.logits)
    assert torch.equal(out.loss, wanted.loss)


def test_arguments_by_position_and_tuples():
    model = moe_model()
    parameters = inspect.signature(model.forward).parameters
    assert {'input_ids', 'attention_mask', 'labels'} < set(parameters)
    named = model(**BATCH, decoder_input_ids=IDS[:, :5])
    out = model(
        IDS,
        MASK,
        IDS[:, :5],
        labels=LABELS,
        return_dict=False,
        use_cache=False,
    )
    assert torch.equal(out[0], named.loss)
    assert torch.equal(out[1], named.logits)


def test_more_tokens(tmp_path):
    model = moe_model()
    before = model(**BATCH).logits
    model.resize_token_embeddings(44)
    assert model.lm_head.weight is model.shared.weight
    assert model.encoder.embed_tokens.weight is model.shared.weight
    torch.testing.assert_close(model(**BATCH).logits[..., :40], before)
    new = {**BATCH, 'input_ids': IDS.where(IDS != 5, 43)}
    assert model(**new).logits.shape == (3, 5, 44)
    model.generate(input_ids=new['input_ids'], max_new_tokens=2)
    model.save_pretrained(tmp_path)
    load = SwitchMoeForConditionalGeneration.from_pretrained
    other = load(tmp_path)
    assert torch.equal(other(**new).logits, model(**new).logits)


def test_routers_stay_wide(tmp_path):
    model = moe_model()
    model.save_pretrained(tmp_path)
    load = SwitchMoeForConditionalGeneration.from_pretrained
    other = load(tmp_path, dtype=torch.bfloat16)
    types = {n: p.dtype for n, p in other.named_parameters()}
    assert types.pop('shared.weight') == torch.bfloat16
    wide = {name for name, dtype in types.items() if dtype == torch.float32}
    assert wide == {name for name in types if '.router.' in name}
    out = other(**BATCH)
    assert out.logits.dtype == torch.bfloat16
    assert out.loss.isfinite()


def test_of_the_trainer(tmp_path):
    trainer = transformers.Seq2SeqTrainer(
        moe_model(),
        transformers.Seq2SeqTrainingArguments(tmp_path, use_cpu=True),
    )
    # The mean of a batch is divided among the batches of a step.
    assert not trainer.model_accepts_loss_kwargs
    columns = {'input_ids', 'attention_mask', 'labels'}
    trainer._set_signature_columns_if_needed()
    assert columns < set(trainer._signature_columns)
