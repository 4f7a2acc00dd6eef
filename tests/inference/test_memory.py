"""What attention states cost, and how many fit: read from real model folders."""

import pytest

from inference import memory, sizes
from inference.library import BUNDLED
from inference.memory import Memory
from inference.sizes import Sizes

QWEN = Sizes(layers=24, heads=14, kv_heads=2, head_size=64)  # Qwen2.5-0.5B


def test_a_models_shape_is_read_from_its_file(folder):
    assert sizes.read(folder) == Sizes(layers=2, heads=4, kv_heads=2, head_size=16)
    assert sizes.read(BUNDLED).layers == 4


def test_states_are_kept_for_every_query_head_but_for_a_single_shared_one():
    """86 KB a token in half precision, as measured with CTranslate2; seven times what its two KV heads need."""
    assert QWEN.state_bytes("float16") == 86_016
    assert QWEN.state_bytes("int8_float32") == 172_032
    assert Sizes(layers=24, heads=14, kv_heads=1, head_size=64).state_bytes("float16") == 86_016 // 14


def test_a_file_that_is_no_decoder_is_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"\x06\x00\x00\x00\x01")
    with pytest.raises(ValueError, match="ends too early"):
        sizes.read(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"\x06\0\0\0\x02\0x\0\x01\0\0\0\0\0\0\0")
    with pytest.raises(ValueError, match="no decoder"):
        sizes.read(tmp_path)


def test_a_budget_holds_so_many_tokens_less_what_is_kept():
    budget = Memory(QWEN, "int8_float32", size=172_032 * 100)
    assert budget.tokens == 100
    budget.kept = 30
    assert budget.tokens == 70


def test_long_prompts_are_not_read_by_many_rows_in_one_go():
    budget = Memory(QWEN, "float16", size=1 << 30)
    assert budget.reads(rows=1, tokens=1000)
    assert not budget.reads(rows=16, tokens=1000)


def test_a_full_device_lowers_the_budget_for_good():
    budget = Memory(QWEN, "int8_float32", size=172_032 * 100)
    budget.shrink(used=60)
    assert budget.tokens == 48
    budget.shrink(used=90)
    assert budget.tokens == 48


def test_part_of_the_free_memory_is_taken_and_a_containers_limit_counts(tmp_path, monkeypatch):
    everything = memory.free("cpu")
    assert everything > 0
    (tmp_path / "memory.max").write_text("2000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000\ninactive_file 500000\nactive_file 0\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.free("cpu") == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free("cpu") > 500_000


def test_a_gpu_nobody_can_ask_gets_a_careful_guess():
    """No GPU here, so the library that asks is missing or finds no driver."""
    assert memory.free("cuda") == memory.UNKNOWN
