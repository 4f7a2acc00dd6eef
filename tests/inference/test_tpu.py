"""A machine with a TPU is told by what Google puts there, and by nothing that others have too."""

from pathlib import Path

import pytest

from inference import tpu


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, Path]:
    return {"devices": tmp_path / "dev", "pci": tmp_path / "pci"}


def card(pci: Path, name: str, *, vendor: str, device: str) -> None:
    (pci / name).mkdir(parents=True)
    (pci / name / "vendor").write_text(f"{vendor}\n")
    (pci / name / "device").write_text(f"{device}\n")


def test_where_there_is_none_nothing_tells_of_one(nowhere):
    assert tpu.signs({"TPU_NAME": "", "PJRT_DEVICE": "CPU"}, **nowhere) == []


@pytest.mark.parametrize(
    "environment", [{"TPU_NAME": "local"}, {"TPU_ACCELERATOR_TYPE": "v5litepod-8"}, {"PJRT_DEVICE": "tpu"}]
)
def test_variables_tell_of_one(environment, nowhere):
    assert tpu.signs(environment, **nowhere) == list(environment)


def test_the_first_driver_s_devices_tell_of_one_and_other_makers_accelerators_do_not(nowhere):
    (nowhere["devices"] / "accel").mkdir(parents=True)
    (nowhere["devices"] / "accel" / "accel0").touch()  # an NPU's
    (nowhere["devices"] / "vfio").mkdir()
    assert tpu.signs({}, **nowhere) == []
    (nowhere["devices"] / "accel0").touch()
    assert tpu.signs({}, **nowhere) == [str(nowhere["devices"] / "accel0")]


def test_chips_on_pci_tell_of_one_and_google_s_network_cards_and_others_chips_do_not(nowhere):
    card(nowhere["pci"], "0000:00:04.0", vendor="0x1ae0", device="0x0042")
    card(nowhere["pci"], "0000:00:05.0", vendor="0x10de", device="0x0063")
    (nowhere["pci"] / "0000:00:06.0").mkdir()
    assert tpu.signs({}, **nowhere) == []
    for number in range(4):
        card(nowhere["pci"], f"0000:01:0{number}.0", vendor="0x1ae0", device="0x0063")
    assert tpu.signs({}, **nowhere) == ["4 on PCI"]


@pytest.mark.parametrize(
    ("written", "asked"),
    [("tpu", True), ("TPU:0", True), ("tpu-9", True), ("0, xla:1", True), ("cpu", False), ("", False)],
)
def test_a_tpu_is_asked_for_in_several_ways(written, asked):
    assert tpu.is_asked_for(written) is asked
