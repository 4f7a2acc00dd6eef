"""The wired pair of attention layers, in a model that has learned nothing yet."""

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from inference.training.copying import wire  # noqa: E402
from inference.training.recipe import Shape  # noqa: E402


@pytest.fixture(scope="module")
def attention():
    """Both layers' attention to a row of 24 tokens said twice: (heads, 48, 48) each."""
    from transformers import Qwen2ForCausalLM

    torch.manual_seed(1)
    config = Shape(layers=2).config(2, vocabulary=500, pad=0, end=1)
    config._attn_implementation = "eager"  # the one that tells its weights
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_(0, 0.12)
        wire(model)
        row = torch.randperm(490)[:24] + 5
        seen = model.model(torch.cat([row, row])[None], output_attentions=True).attentions
    return [layer[0] for layer in seen]


def test_the_first_layer_looks_one_back_wherever_it_is(attention):
    back = attention[0][:2].diagonal(-1, dim1=1, dim2=2)
    assert back.mean() > 0.9


def test_the_second_layer_finds_what_followed_the_last_time(attention):
    followed = [attention[1][head, at, at - 23] for head in range(2) for at in range(24, 47)]
    assert torch.stack(followed).mean() > 0.5
