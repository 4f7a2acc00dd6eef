"""cuBLAS is found where its wheel keeps it, or asked for in a sentence; kernels are kept. All without a GPU."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from inference import cuda
from inference.cuda import CublasMissing
from inference.request import EngineError


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel's folder with files that are no libraries."""
    folder = tmp_path / "nvidia" / "cublas" / "lib"
    folder.mkdir(parents=True)
    for name in cuda.LIBRARIES:
        (folder / name).touch()
    return folder


def missing(name: str) -> object:
    raise OSError(f"{name}: cannot open shared object file")


def test_the_wheel_s_libraries_are_loaded_each_after_what_it_needs(wheel: Path) -> None:
    loaded: list[str] = []
    cuda.load_cublas(load=loaded.append, folders=[wheel])
    assert loaded == [str(wheel / "libcublasLt.so.12"), str(wheel / "libcublas.so.12")]


def test_without_the_wheel_the_system_s_are_asked_for_by_name() -> None:
    loaded: list[str] = []
    cuda.load_cublas(load=loaded.append, folders=[])
    assert loaded == ["libcublasLt.so.12", "libcublas.so.12"]


def test_the_wheel_is_found_where_it_is_installed(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (wheel.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(wheel.parents[2])
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    assert wheel in cuda.wheel_folders()
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)  # found there by our look


def test_a_missing_library_is_a_sentence_that_names_the_command() -> None:
    with pytest.raises(CublasMissing, match=r"libcublasLt\.so\.12.*pip install 'frontdesk\[cuda\]'"):
        cuda.choose("cuda", environment={}, count=lambda: 1, load=missing, folders=[])


def test_auto_takes_the_gpu_only_where_it_works(wheel: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert (
        cuda.choose("auto", environment={}, count=lambda: 1, load=lambda _: None, folders=[wheel]) == "cuda"
    )
    assert cuda.choose("auto", environment={}, count=lambda: 0, load=missing, folders=[]) == "cpu"
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert cuda.choose("auto", environment={}, count=lambda: 1, load=missing, folders=[]) == "cpu"
    assert "frontdesk[cuda]" in caplog.text


def test_cuda_without_a_device_is_a_sentence() -> None:
    with pytest.raises(EngineError, match="no CUDA device"):
        cuda.choose("cuda", environment={}, count=lambda: 0, load=missing, folders=[])


def test_the_cpu_asks_for_nothing() -> None:
    def never() -> int:
        raise AssertionError("the driver is asked")

    assert cuda.choose("cpu", count=never, load=missing) == "cpu"


def test_looking_loads_no_ctranslate2() -> None:
    program = (
        "import sys; from inference import cuda; cuda.wheel_folders(); print('ctranslate2' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_kernels_are_kept_in_the_folder_unless_the_operator_chose_another(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    seen: list[str | None] = []

    def devices() -> int:
        seen.append(environment.get("CUDA_CACHE_PATH"))
        return 1

    def chosen(kernels: Path) -> str:
        return cuda.choose(
            "cuda", kernels=kernels, environment=environment, count=devices, load=lambda _: None, folders=[]
        )

    assert chosen(tmp_path / "kernels") == "cuda"
    assert seen == [str(tmp_path / "kernels")], "the driver is asked only then"
    assert (tmp_path / "kernels").is_dir()
    assert int(environment["CUDA_CACHE_MAXSIZE"]) > 2**30
    environment.update(CUDA_CACHE_PATH="/elsewhere", CUDA_CACHE_MAXSIZE="5")
    chosen(tmp_path / "unused")
    assert environment == {"CUDA_CACHE_PATH": "/elsewhere", "CUDA_CACHE_MAXSIZE": "5"}
    assert not (tmp_path / "unused").exists()


def test_no_folder_is_made_where_there_is_no_gpu(tmp_path: Path) -> None:
    assert cuda.choose("auto", kernels=tmp_path / "kernels", environment={}, count=lambda: 0) == "cpu"
    assert not (tmp_path / "kernels").exists()


def test_the_driver_is_named_where_there_is_one(tmp_path: Path) -> None:
    version = tmp_path / "version"
    assert cuda.driver_version(version) == ""
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1\nGCC version: 12\n")
    assert cuda.driver_version(version) == "NVIDIA UNIX x86_64 Kernel Module  570.1"
