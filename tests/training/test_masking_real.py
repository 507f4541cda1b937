"""Masks on the tokenizers that the catalog's weights carry."""

from __future__ import annotations

import pytest

from practicum.backends import find_model, is_present, model_path
from practicum.training.masking import IGNORED, encode
from tests.training.test_masking import EN, SYSTEM, ZH

transformers = pytest.importorskip("transformers")
pytest.importorskip("torch")


@pytest.mark.parametrize("name", ["smollm2-135m", "qwen2.5-coder-0.5b"])
def test_what_is_learnt_on_a_real_tokenizer_is_the_counselors_turns(name: str) -> None:
    model = find_model(name)
    if not is_present(model):
        pytest.skip(f"practicum models pull {name} fetches it")
    path = model_path(model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    for turns in (ZH, EN, [SYSTEM, *ZH, *EN]):
        encoded = encode(tokenizer, turns)
        learnt = tokenizer.decode([label for label in encoded.labels if label != IGNORED], skip_special_tokens=False)
        assert learnt == "".join(f"{turn['content']}<|im_end|>" for turn in turns if turn["role"] == "assistant")
        assert encoded.input_ids == tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
