"""What stands for weights in an identity, and what is refused before or while they are loaded."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from practicum.backends.fingerprint import file_identity
from practicum.backends.hf_load import check_libraries, source_identity
from practicum.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "咨询师-7b"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(bytes(3 << 20))
    return made


def test_a_hub_id_stands_for_itself() -> None:
    assert source_identity("Qwen/Qwen2-7B-Instruct") == "Qwen/Qwen2-7B-Instruct"
    assert source_identity("gpt2") == "gpt2"


@pytest.mark.parametrize("source", ["/nowhere/model", "a/b/c", "../model", "好/模型"])
def test_what_is_neither_there_nor_an_id_is_refused(source: str) -> None:
    with pytest.raises(ConfigError, match=r"no such folder; expected a folder with a config\.json"):
        source_identity(source)


def test_a_folder_is_its_name_and_its_content_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    name, _, digest = source_identity(str(folder)).partition("#")
    assert name == "咨询师-7b"
    assert len(digest) == 12
    moved = tmp_path / "elsewhere" / folder.name
    moved.parent.mkdir()
    folder.rename(moved)
    assert source_identity(str(moved)) == f"{name}#{digest}"


@pytest.mark.parametrize("changed", ["config.json", "modeling.py", "model.safetensors"])
def test_another_configuration_code_or_weight_is_another_model(folder: Path, changed: str) -> None:
    before = source_identity(str(folder))
    size = (folder / changed).stat().st_size if (folder / changed).exists() else 2
    (folder / changed).write_bytes(b"\1" * size)  # a fine-tune's weights have their base's size
    assert source_identity(str(folder)) != before


def test_a_readme_is_not_the_model(folder: Path) -> None:
    before = source_identity(str(folder))
    (folder / "README.md").write_text("About")
    (folder / "runs.json").mkdir()
    assert source_identity(str(folder)) == before


def test_a_folder_without_a_configuration_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        source_identity(str(folder))


def test_a_gguf_file_is_named_as_for_llama_cpp(smollm2: Path, tmp_path: Path) -> None:
    assert source_identity(str(smollm2)) == file_identity(smollm2)
    with pytest.raises(ConfigError, match="No such file"):
        source_identity(str(tmp_path / "missing.gguf"))


@pytest.mark.parametrize(("library", "advice"), [("torch", "pip install torch"), ("transformers", "pip install 'practicum[hf]'")])
def test_a_missing_library_is_named_with_how_to_install_it(
    library: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "transformers"):  # whatever this machine has: both are there …
        (tmp_path / f"{name}.py").touch()
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    check_libraries()
    (tmp_path / f"{library}.py").unlink()  # … but one
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match=re.escape(advice)):
        check_libraries()


def test_the_backend_is_imported_without_its_libraries() -> None:
    script = "import sys, practicum.backends.hf; print(sorted({'torch', 'transformers', 'gguf'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"
