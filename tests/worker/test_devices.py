"""What the operator writes, and the devices that get a worker each."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from worker.devices import chosen
from worker.settings import SettingsError, WorkerSettings


def names(devices: str, *, gpus: int = 0, **environment: str) -> list[str]:
    return [device.name for device in chosen(devices, environment=environment, count=lambda _: gpus)]


def test_auto_is_every_gpu_that_may_be_seen_or_else_the_cpu() -> None:
    assert names("auto", gpus=3) == ["0", "1", "2"]
    assert names("auto", gpus=2, CUDA_VISIBLE_DEVICES="4, GPU-8f6a") == ["4", "GPU-8f6a"]
    assert names("auto", gpus=0) == ["cpu"]


def test_the_devices_named_are_taken_at_their_word() -> None:
    assert names("1,3", gpus=0) == ["1", "3"]
    assert names("cpu,cpu") == ["cpu", "cpu"]


def test_a_worker_sees_its_own_device_and_no_other() -> None:
    first, second = chosen("cpu,5", environment={})
    assert first.environment() == {"FRONTDESK_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    assert second.environment()["CUDA_VISIBLE_DEVICES"] == "5"
    assert second.environment()["FRONTDESK_DEVICE"] == "cuda"
    assert (first.index, second.index) == (0, 1)


def test_the_driver_is_asked_with_the_surroundings_of_the_workers() -> None:
    seen: list[Mapping[str, str]] = []

    def count(environment: Mapping[str, str]) -> int:
        seen.append(environment)
        return 1

    chosen("auto", environment={"PATH": "/bin"}, count=count)
    assert seen == [{"PATH": "/bin", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}]


def test_a_machine_without_a_gpu_is_asked_in_a_process_of_its_own() -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    assert [device.name for device in chosen("auto", environment=hidden)] == ["cpu"]


@pytest.mark.parametrize("devices", ["gpu", "0;1", "cpu,", "-1", "0,auto", "GPU-"])
def test_what_is_no_device_is_refused(devices: str) -> None:
    with pytest.raises(SettingsError, match="FRONTDESK_DEVICES"):
        WorkerSettings.read(redis_url="redis://host", devices=devices)


def test_spaces_between_devices_do_no_harm() -> None:
    assert WorkerSettings.read(redis_url="redis://host", devices=" 0, 1 ").devices == "0,1"
