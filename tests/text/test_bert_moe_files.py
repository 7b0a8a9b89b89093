import pytest
import torch

reason = "the extra 'text' is not installed"
pytest.importorskip('transformers', reason=reason)

from safetensors.torch import load_file  # noqa: E402

from gmoe.text import BertMoeForSequenceClassification  # noqa: E402
from tests.text.test_bert_moe import IDS, MASK, tiny  # noqa: E402


@pytest.mark.parametrize('hidden', [16, 5])
def test_files_are_those_of_earlier_versions(tmp_path, hidden):
    # Those hold the experts' first weights by output, square ones too.
    model = tiny(hidden_channels=hidden).eval()
    model.save_pretrained(tmp_path / 'first')
    path = tmp_path / 'first' / 'model.safetensors'
    weight = load_file(path)['head.experts.weight1']
    assert weight.shape == (4, hidden, 16)
    assert torch.equal(weight.transpose(1, 2), model.head.experts.weight1)
    again = BertMoeForSequenceClassification.from_pretrained(path.parent)
    assert torch.equal(again.head.experts.weight1, model.head.experts.weight1)
    assert again.head.experts.weight1.transpose(1, 2).is_contiguous()
    # Nor does what was loaded change what is saved, or loaded by torch.
    again.save_pretrained(tmp_path / 'second')
    second = load_file(tmp_path / 'second' / 'model.safetensors')
    assert torch.equal(second['head.experts.weight1'], weight)
    model.load_state_dict(second)
    assert torch.equal(model(IDS, MASK).logits, again.eval()(IDS, MASK).logits)
