"""What the tests of backends share: a real model."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicum.backends.catalog import find_model, is_present, model_path


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The smallest model of the catalog; `make test` fetches it."""
    model = find_model("smollm2-135m")
    if not is_present(model):
        pytest.fail(f"{model_path(model)} is missing: run `make test`, which pulls it, or `practicum models pull {model.name}`")
    return model_path(model)
