"""A tiny encoder for the whole session."""

from pathlib import Path

import pytest

from tests.inference.training import toy


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.base(tmp_path_factory.mktemp("encoder") / "bert")
