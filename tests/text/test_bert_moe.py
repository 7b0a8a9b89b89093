"""BERT-MoE as a model of transformers."""

import pytest
import torch

from gmoe.routing import ROUTER_PRESETS, balance_loss, collect_routing

reason = "the extra 'text' is not installed"
transformers = pytest.importorskip('transformers', reason=reason)

from gmoe.text import (  # noqa: E402
    BertMoeConfig,
    BertMoeForSequenceClassification,
    add_special_tokens,
)
from tests.text.tiny import tiny_config, write_tiny_bert  # noqa: E402

IDS = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
LABELS = torch.tensor([0, 2])


def tiny(**kwargs):
    torch.manual_seed(0)
    settings = {'hidden_channels': 8, 'num_labels': 3, **kwargs}
    return BertMoeForSequenceClassification(
        BertMoeConfig(tiny_config(), **settings)
    )


@pytest.mark.parametrize('pooling', ['cls', 'mean', 'max'])
@pytest.mark.parametrize('preset', sorted(ROUTER_PRESETS))
def test_forward_and_backward(preset, pooling):
    model = tiny(router=preset, pooling=pooling)
    out = model(IDS, MASK, labels=LABELS)
    assert out.logits.shape == (2, 3)
    assert out.router_weights.shape == (2, 4)
    torch.testing.assert_close(out.router_weights.sum(1), torch.ones(2))
    out.loss.backward()
    without = {n for n, p in model.named_parameters() if p.grad is None}
    assert without <= {'head.router.score_noise.weight'}


def test_padding_has_no_influence():
    model = tiny().eval()
    padded = model(IDS, MASK).logits[1]
    alone = model(IDS[1:, :3], MASK[1:, :3]).logits[0]
    torch.testing.assert_close(padded, alone)


def test_output_without_labels():
    out = tiny()(IDS, MASK)
    assert out.loss is None
    assert out.balance_loss is None
    assert set(out.keys()) == {'logits', 'router_weights'}
    logits, weights = tiny()(IDS, MASK, return_dict=False)
    assert logits.shape == (2, 3)
    assert weights.shape == (2, 4)


def test_hidden_states():
    out = tiny()(IDS, MASK, output_hidden_states=True)
    assert len(out.hidden_states) == 2


def test_balance_loss_is_added_in_training():
    model = tiny(balance_weight=0.5, dropout=0.0)
    with collect_routing(model) as routings:
        out = model(IDS, MASK, labels=LABELS)
    plain = torch.nn.functional.cross_entropy(out.logits, LABELS)
    torch.testing.assert_close(out.balance_loss, balance_loss(routings))
    torch.testing.assert_close(out.loss, plain + 0.5 * out.balance_loss)
    model.eval()
    out = model(IDS, MASK, labels=LABELS)
    plain = torch.nn.functional.cross_entropy(out.logits, LABELS)
    torch.testing.assert_close(out.loss, plain)


def test_save_and_load(tmp_path):
    model = tiny(router='attention_sparsemax', pooling='max').eval()
    model.save_pretrained(tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {'config.json', 'model.safetensors'}
    for load in (
        BertMoeForSequenceClassification,
        transformers.AutoModelForSequenceClassification,
    ):
        other, info = load.from_pretrained(tmp_path, output_loading_info=True)
        assert not info['missing_keys']
        assert not info['unexpected_keys']
        assert isinstance(other, BertMoeForSequenceClassification)
        torch.testing.assert_close(
            other.eval()(IDS, MASK).logits, model(IDS, MASK).logits
        )
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, BertMoeConfig)
    assert config.encoder_config.hidden_size == 16
    assert config.router == 'attention_sparsemax'
    assert config.experts_per_token is None


def test_other_encoders():
    config = transformers.DistilBertConfig(
        vocab_size=11, dim=16, n_layers=1, n_heads=2, hidden_dim=16
    )
    model = BertMoeForSequenceClassification(
        BertMoeConfig(config, num_labels=3)
    )
    assert model(IDS, MASK).logits.shape == (2, 3)


def test_from_encoder_and_special_tokens(tmp_path):
    folder = write_tiny_bert(tmp_path / 'bert')
    model = BertMoeForSequenceClassification.from_encoder(
        folder, num_labels=3, num_experts=2
    ).eval()
    encoder = transformers.AutoModel.from_pretrained(folder)
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[name])

    before = model(IDS, MASK).logits
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = len(tokenizer)
    assert add_special_tokens(tokenizer, model) == 3
    assert add_special_tokens(tokenizer, model) == 0
    assert tokenizer.tokenize('[S] moon [P] of [O] water') == (
        ['[S]', 'moon', '[P]', 'of', '[O]', 'water']
    )
    assert model.get_input_embeddings().num_embeddings == rows + 3
    torch.testing.assert_close(model(IDS, MASK).logits, before)

    model.save_pretrained(tmp_path / 'moe')
    other = BertMoeForSequenceClassification.from_pretrained(tmp_path / 'moe')
    ids = torch.tensor([[2, rows + 2, 5, 3]])
    torch.testing.assert_close(other.eval()(ids).logits, model(ids).logits)


def test_published_gate():
    model = tiny(router_noise=False, topk_first=False)
    assert model.head.router.noise is False
    assert model.head.router.topk_first is False


DTYPES = [torch.float16, torch.bfloat16, torch.float64]


def same_type(model, dtype):
    types = {
        t.dtype for t in model.state_dict().values() if t.is_floating_point()
    }
    out = model.eval()(IDS, MASK, labels=LABELS)
    out.loss.backward()
    assert torch.isfinite(out.loss)
    return types == {dtype} and out.logits.dtype == dtype == model.dtype


@pytest.mark.parametrize('dtype', DTYPES)
def test_one_type(tmp_path, dtype):
    folder = write_tiny_bert(tmp_path / 'bert')
    bert = transformers.AutoModel.from_pretrained(folder).to(dtype)
    bert.save_pretrained(tmp_path / 'stored')
    settings = {'num_labels': 3, 'hidden_channels': 8}
    load = BertMoeForSequenceClassification
    torch.manual_seed(0)
    model = load.from_encoder(str(tmp_path / 'stored'), **settings)
    assert same_type(model, dtype)
    assert model.config.dtype == model.config.encoder_config.dtype == dtype

    # As it was stored, and as it is asked for.
    model.save_pretrained(tmp_path / 'moe')
    again = load.from_pretrained(tmp_path / 'moe')
    assert same_type(again, dtype)
    assert torch.equal(again(IDS, MASK).logits, model(IDS, MASK).logits)
    auto = transformers.AutoModelForSequenceClassification
    for other in (torch.float32, torch.bfloat16):
        for name in ('dtype', 'torch_dtype'):
            asked = {name: other}
            assert same_type(
                auto.from_pretrained(tmp_path / 'moe', **asked), other
            )
            assert same_type(
                load.from_encoder(
                    str(tmp_path / 'stored'), **asked, **settings
                ),
                other,
            )
    assert same_type(
        load.from_encoder(
            str(tmp_path / 'stored'), {'dtype': 'float32'}, **settings
        ),
        torch.float32,
    )
    # A configuration that says how its encoder was stored.
    config = transformers.AutoConfig.from_pretrained(tmp_path / 'stored')
    assert same_type(load(BertMoeConfig(config, **settings)), torch.float32)
    config = BertMoeConfig(config, **settings)
    assert same_type(auto.from_config(config, dtype=dtype), dtype)


@pytest.mark.parametrize('dtype', DTYPES[:2])
def test_type_changed_later(tmp_path, dtype):
    model = tiny().to(dtype)
    model.save_pretrained(tmp_path)
    load = transformers.AutoModelForSequenceClassification
    assert same_type(load.from_pretrained(tmp_path), dtype)
    assert same_type(
        load.from_pretrained(tmp_path, dtype='float32'), torch.float32
    )


PROBLEMS = {
    'regression': (1, torch.tensor([0.5, -2.0])),
    'regression in a column': (1, torch.tensor([[0.5], [-2.0]])),
    'regression of three': (3, torch.tensor([[0.5, 1, 2], [3, 4, 5.0]])),
    'single label': (3, LABELS),
    'single label in a column': (3, LABELS[:, None]),
    'some ignored': (3, torch.tensor([-100, 2])),
    'several labels': (3, torch.tensor([[0, 1, 1], [1, 0, 0.0]])),
}


@pytest.mark.parametrize('given', [False, True])
@pytest.mark.parametrize('name', PROBLEMS)
def test_loss_is_that_of_bert(name, given, tmp_path):
    num_labels, labels = PROBLEMS[name]
    problem = 'single_label_classification'
    if 'regression' in name:
        problem = 'regression'
    elif 'several' in name:
        problem = 'multi_label_classification'
    given = given or name == 'regression of three'
    settings = {'num_labels': num_labels}
    settings['problem_type'] = problem if given else None
    model = tiny(**settings).eval()
    bert = transformers.BertForSequenceClassification(tiny_config(**settings))
    # The same logits for both.
    fixed = model(IDS, MASK).logits.detach()
    bert.classifier = Fixed(fixed)
    model.head.classifier = Fixed(fixed)
    ours = model(IDS, MASK, labels=labels)
    theirs = bert(IDS, MASK, labels=labels)
    assert torch.equal(ours.loss, theirs.loss)
    assert ours.loss > 0
    assert model.config.problem_type == bert.config.problem_type == problem
    assert ours.logits.shape == theirs.logits.shape == (2, num_labels)
    for out, module in ((ours, model), (theirs, bert)):
        out.loss.backward()
        module.grad = module.get_submodule(
            'head.classifier' if module is model else 'classifier'
        ).logits.grad
    torch.testing.assert_close(model.grad, bert.grad)


class Fixed(torch.nn.Module):
    """Gives the same logits, whatever comes."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits.clone())

    def forward(self, x):
        return self.logits + 0


def test_problem_type_is_saved(tmp_path):
    tiny(
        num_labels=3, problem_type='multi_label_classification'
    ).save_pretrained(tmp_path)
    model = BertMoeForSequenceClassification.from_pretrained(tmp_path)
    assert model.config.problem_type == 'multi_label_classification'
    labels = torch.ones(2, 3)
    expected = torch.nn.functional.binary_cross_entropy_with_logits
    out = model.eval()(IDS, MASK, labels=labels)
    torch.testing.assert_close(out.loss, expected(out.logits, labels))


def test_loss_in_low_precision():
    for labels, num_labels in ((torch.rand(2), 1), (torch.rand(2, 3), 3)):
        model = tiny(num_labels=num_labels, balance_weight=0.1).bfloat16()
        out = model.train()(IDS, MASK, labels=labels)
        out.loss.backward()
        assert out.loss.dtype == torch.float32


def test_misspelt_settings(tmp_path):
    folder = write_tiny_bert(tmp_path / 'bert')
    with pytest.raises(ValueError, match="did you mean 'num_experts'"):
        BertMoeForSequenceClassification.from_encoder(folder, num_expert=8)


@pytest.mark.filterwarnings('ignore:While compiling.*side effects')
@pytest.mark.parametrize('strict', [False, True])
def test_exported(strict):
    model = tiny().eval()
    torch.nn.init.normal_(model.head.router.score_gate.weight)
    expected = model(IDS, MASK)
    program = torch.export.export(model, (IDS, MASK), strict=strict)
    out = program.module()(IDS.flip(0), MASK.flip(0))
    torch.testing.assert_close(out.logits.flip(0), expected.logits)
    torch.testing.assert_close(
        out.router_weights.flip(0), expected.router_weights
    )
