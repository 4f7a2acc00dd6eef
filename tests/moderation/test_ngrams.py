"""The scorer of Chinese: its arithmetic against scikit-learn's, its file, and what the shipped weights say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import ngrams
from moderation.ngrams import Grams, WeightsDamaged, characters, codes
from moderation.normalise import classifier_copy

TEXTS = [
    "我的包裹在哪里",
    "你这个垃圾",
    "我的的的包裹",
    "垃圾垃圾垃圾桶",
    "今天天气好",
    "x 一 y",
    "𠮷野家很好吃",
]

# Written for this test. One of them, about prejudice, led to a grammar of such questions; the others led to nothing.
CALM = [
    "麻烦帮我看看上个月的账单",
    "我想把收货地址改成公司",
    "这家店的咖啡真不错，下次再来",
    "周五下班以后要不要一起打羽毛球",
    "会议推迟到下周二上午十点",
    "孩子发烧了，今天请一天假",
    "请用一百字介绍一下敦煌",
    "怎样用电饭煲做蛋糕",
    "笑死我了，这个视频太有意思",
    "累得要命，终于写完论文了",
    "服务器的进程怎么杀掉",
    "上海的朋友推荐我去外滩",
    "东北的冬天真冷，多穿点",
    "我同事是非洲来的，中文说得特别好",
    "她是一名女工程师，经验丰富",
    "为什么人们会有地域偏见？我们应该怎样避免",
    "学校反对任何歧视，欢迎各地同学",
    "谢谢你的耐心解答",
    "打开浏览器以后页面是空白的",
    "奶奶做的粽子是甜的",
]
NASTY = [
    "你就是个没用的废物，赶紧滚",
    "再敢来我就弄死你",
    "你全家都去死吧",
    "这种垃圾人就该被打死",
    "黑人又懒又脏，滚回非洲去",
    "女人就是蠢，不配开车",
    "河南人都是骗子和小偷",
    "闭嘴吧脑残",
    "那些贱女人活该",
    "东北人没一个好东西，全是土匪",
]


def of(texts: list[str], seed: int = 0) -> Grams:
    """Weights of chance for every gram of the texts."""
    grams = np.unique(np.concatenate([codes(text) for text in texts]))
    draw = np.random.default_rng(seed)
    rarity = draw.uniform(1, 9, len(grams)).astype(np.float16).astype(np.float32)
    return Grams(grams, rarity, draw.standard_normal(len(grams)).astype(np.float32), bias=0.3, slope=1.2)


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_a_gram_is_one_to_three_characters_in_a_row(text):
    letters = "".join(text.split())
    wanted = [letters[at : at + size] for size in (1, 2, 3) for at in range(len(letters) - size + 1)]
    assert [characters(int(code)) for code in codes(letters)] == wanted


def test_scores_are_those_of_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    rows = text.TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, lowercase=False)
    plain = ["".join(each.split()) for each in TEXTS]
    matrix = rows.fit_transform(plain)
    names = rows.get_feature_names_out()
    made = [int(codes(name)[-1]) for name in names]
    order = np.argsort(np.array(made, np.uint64))
    weight = np.random.default_rng(1).standard_normal(len(names)).astype(np.float32)
    grams = Grams(
        np.array(made, np.uint64)[order],
        rows.idf_.astype(np.float32)[order],
        weight[order],
        bias=-0.2,
        slope=1.5,
    )
    wanted = 1 / (1 + np.exp(-(1.5 * (matrix @ weight) - 0.2)))
    assert [grams.score(each) for each in TEXTS] == pytest.approx(wanted.tolist(), abs=1e-5)


def test_what_is_saved_scores_the_same_and_needs_no_pickle(tmp_path):
    grams = of(TEXTS)
    grams.save(tmp_path / "weights.npz")
    kept = Grams.load(tmp_path / "weights.npz")
    assert np.array_equal(kept.grams, grams.grams)
    for text in TEXTS:
        assert kept.score(text) == pytest.approx(grams.score(text), abs=1e-3)


@pytest.mark.parametrize("text", ["", " \n", "🔪", "hello", "\ud83d", "\x00"])
def test_a_text_of_unknown_grams_scores_as_the_bias_says(text):
    assert of(["垃圾"]).score(text) == pytest.approx(1 / (1 + math.exp(-0.3)))


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_score_from_0_to_1(text):
    assert 0 <= of(TEXTS).score(text) <= 1


@pytest.mark.parametrize("harm", ["gone", "cut", "other", "nan", "lengths", "format"])
def test_a_damaged_file_is_told(tmp_path, harm):
    file = tmp_path / "weights.npz"
    of(TEXTS).save(file)
    with np.load(file) as opened:
        arrays = dict(opened)
    if harm == "gone":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    elif harm == "other":
        np.savez(file, weights=np.zeros(3))
    else:
        changed = {
            "nan": {"rarity": np.full_like(arrays["rarity"], np.nan)},
            "lengths": {"weight": arrays["weight"][:-1]},
            "format": {"about": arrays["about"] * [9, 1, 1, 1]},
        }[harm]
        np.savez(file, **{**arrays, **changed})
    with pytest.raises(WeightsDamaged, match="install it again"):
        Grams.load(file)


def test_the_shipped_weights_are_small():
    assert ngrams.FILE.stat().st_size <= 1_000_000


def test_the_shipped_weights_tell_insults_from_everyday_sentences():
    grams = Grams.load()
    calm, nasty = ([grams.score(classifier_copy(text).text) for text in texts] for texts in (CALM, NASTY))
    assert sum(score >= 0.5 for score in calm) <= 1, dict(zip(CALM, calm, strict=True))
    assert sum(score >= 0.5 for score in nasty) >= 9, dict(zip(NASTY, nasty, strict=True))
