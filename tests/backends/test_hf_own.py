"""Models with a `.chat()` of their own: a folder with its code, as the ChatGLM and InternLM2 families come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tiny_hf import make_tiny, make_tokenizer
from practicum.backends.base import Request
from practicum.backends.hf import HfBackend
from practicum.core import Form, Message, Sampling
from practicum.errors import BackendError, ConfigError, ModelFileError

pytest.importorskip("torch")
pytest.importorskip("transformers")

CODE = """
import json
import torch
from transformers import PretrainedConfig, PreTrainedModel

class TinyConfig(PretrainedConfig):
    model_type = "tiny_own"

class TinyModel(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(2, 2)
        self.post_init()

    def forward(self, input_ids=None, past_key_values=None):
        raise NotImplementedError

    def chat(self, tokenizer, query, history=None, max_length=8192, do_sample=True, top_p=0.8, temperature=0.8, style="plain"):
        if style == "wrong":
            raise ValueError("no such style")
        told = {"history": history, "max_length": max_length, "do_sample": do_sample, "top_p": top_p, "temperature": temperature}
        return f" 嗯，{query[-2:]} {json.dumps(told)} {style} {torch.randint(10**6, (1,)).item()}\\n", []
"""
STREAMING = """
class StreamingModel(TinyModel):
    def chat(self, tokenizer, query, history=[], **kwargs):
        *_, (text, history) = self.stream_chat(tokenizer, query, history, **kwargs)
        return text, history

    def stream_chat(self, tokenizer, query, history=[], **kwargs):
        asked = json.dumps(kwargs)
        said = "我听到了，你很累"
        for text in ("我听到", "我听到了", "我听到了,", said[:6], said + "\\ufffd", said + "。", f"{said}。{asked}"):
            self.steps = getattr(self, "steps", 0) + 1
            yield text, history
        yield f"{said}。{asked} {torch.randint(10**6, (1,)).item()}", history
"""


@pytest.fixture(scope="module", autouse=True)
def _modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The library copies a model's code beside its cache before it runs it: not into the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        yield


def write_own(folder: Path, auto_map: dict[str, str], code: str = CODE) -> Path:
    """Write a model that comes with code."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    make_tokenizer().save_pretrained(folder)
    (folder / "modeling_tiny.py").write_text(code)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny_own", "auto_map": auto_map, "dtype": "float32"}))
    save_file({"layer.weight": torch.zeros(2, 2), "layer.bias": torch.zeros(2)}, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HfBackend]:
    """As ChatGLM: AutoModel only, everything named, no streaming."""
    folder = write_own(
        tmp_path_factory.mktemp("own") / "glm", {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}
    )
    backend = HfBackend(str(folder), name="hf:glm", device="cpu", trust_remote_code=True)
    yield backend
    asyncio.run(backend.aclose())


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HfBackend]:
    """As InternLM2: `stream_chat`, and parameters by `**`."""
    names = {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModelForCausalLM": "modeling_tiny.StreamingModel"}
    folder = write_own(tmp_path_factory.mktemp("own") / "intern", {**names, "AutoModel": "modeling_tiny.TinyModel"}, CODE + STREAMING)
    backend = HfBackend(str(folder), name="hf:intern", device="cpu", trust_remote_code=True)
    yield backend
    asyncio.run(backend.aclose())


def ask(text: str = "来访者：我很累", *, seed: int = 7, own: dict[str, Any] | None = None, **sampling: Any) -> Request:
    limits = {"temperature": None, "top_p": None, "max_tokens": None, **sampling}
    messages = [Message("system", ""), Message("user", text)]
    return Request(thread="a", form=Form.CHAT, messages=messages, sampling=Sampling(**limits), seed=seed, own=own or {})


def told(text: str) -> Any:
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


async def test_what_is_not_asked_is_left_to_the_model(own: HfBackend) -> None:
    reply = await own.reply(ask())
    assert reply.text.startswith("嗯，很累 {")
    assert told(reply.text) == {"history": [], "max_length": 8192, "do_sample": True, "top_p": 0.8, "temperature": 0.8}
    assert (reply.call.model, reply.call.finish, reply.call.seed) == ("hf:glm", "", 7)
    assert reply.call.prompt_tokens > 0
    assert reply.call.completion_tokens > 0


async def test_sampling_and_the_bot_s_own_parameters_are_passed_as_the_signature_names_them(own: HfBackend) -> None:
    reply = await own.reply(ask(temperature=0.5, top_p=0.75, max_tokens=100, own={"style": "warm", "history": None}))
    passed = told(reply.text)
    assert (passed["temperature"], passed["top_p"], passed["history"]) == (0.5, 0.75, None)
    assert passed["max_length"] == reply.call.prompt_tokens + 100  # this family counts the prompt too
    assert " warm " in reply.text
    greedy = told((await own.reply(ask(temperature=0.0))).text)
    assert (greedy["do_sample"], greedy["temperature"]) == (False, 0.8)


async def test_the_global_generator_is_seeded_for_each_request_and_put_back(own: HfBackend) -> None:
    import torch

    state = torch.get_rng_state()
    first, second, other = [await own.reply(ask(seed=seed)) for seed in (3, 3, 4)]
    assert first.text == second.text != other.text
    assert torch.equal(torch.get_rng_state(), state)
    both = await asyncio.gather(own.reply(ask(seed=3)), own.reply(ask(seed=4)))
    assert [reply.text for reply in both] == [first.text, other.text]


async def test_a_stop_cuts_what_the_model_says(own: HfBackend) -> None:
    reply = await own.reply(replace(ask(), stop=("很",)))
    assert (reply.text, reply.call.finish) == ("嗯，", "stop")


async def test_a_model_that_cannot_stream_comes_in_one_piece(own: HfBackend) -> None:
    chunks = [chunk async for chunk in own.stream(ask())]
    assert len(chunks) == 2
    assert chunks[1].reply is not None
    assert chunks[0].text == chunks[1].reply.text == (await own.reply(ask())).text


async def test_a_stream_is_said_as_far_as_it_is_settled(streaming: HfBackend) -> None:
    chunks = [chunk async for chunk in streaming.stream(ask(max_tokens=9, temperature=0.7))]
    texts = [chunk.text for chunk in chunks]
    assert texts[:3] == ["我听到", "了", "，你"]  # the comma only when it is mended, half a character never
    assert chunks[-1].reply is not None
    assert "".join(texts) == chunks[-1].reply.text == (await streaming.reply(ask(max_tokens=9, temperature=0.7))).text
    assert told(chunks[-1].reply.text) == {"temperature": 0.7, "max_new_tokens": 9}


async def test_a_stop_ends_a_stream(streaming: HfBackend) -> None:
    chunks = [chunk async for chunk in streaming.stream(replace(ask(), stop=("很累",)))]
    assert "".join(chunk.text for chunk in chunks) == "我听到了，你"
    assert chunks[-1].reply is not None
    assert chunks[-1].reply.call.finish == "stop"


async def test_a_stream_that_is_closed_ends_at_the_model(streaming: HfBackend) -> None:
    stream = streaming.stream(ask())
    await anext(stream)
    await stream.aclose()
    assert streaming.under_way == 0
    assert (await streaming.reply(ask())).text  # the model is free again


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([Message("system", "你是咨询师。"), Message("user", "我很累")], "takes no system message"),
        ([Message("user", "I am tired"), Message("assistant", "Yes"), Message("user", "So")], "is asked one message, got 3"),
    ],
)
async def test_what_dot_chat_cannot_be_asked_is_refused(own: HfBackend, messages: list[Message], complaint: str) -> None:
    with pytest.raises(BackendError, match=complaint) as refused:
        await own.reply(replace(ask(), messages=messages))
    assert refused.value.kind == "model"


async def test_an_error_of_the_model_s_code_fails_its_call(own: HfBackend) -> None:
    with pytest.raises(BackendError, match=r"\.chat\(\) failed: ValueError: no such style"):
        await own.reply(ask(own={"style": "wrong"}))
    with pytest.raises(BackendError, match=r"TypeError: .*tempo"):
        await own.reply(ask(own={"tempo": 1}))


async def test_code_is_not_run_without_both_consents(tmp_path: Path) -> None:
    folder = write_own(tmp_path / "glm", {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"})
    (folder / "modeling_tiny.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{CODE}")
    backend = HfBackend(str(folder), name="hf:glm", device="cpu")
    with pytest.raises(ConfigError, match=r"model\.trust_remote_code = true\) and you \(--trust-remote-code\)"):
        await backend.start()
    assert not (tmp_path / "ran").exists()
    await backend.aclose()


async def test_code_that_needs_a_missing_package_names_it(tmp_path: Path) -> None:
    code = f"import a_package_that_nobody_has\n{CODE}"
    folder = write_own(tmp_path / "glm", {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}, code)
    backend = HfBackend(str(folder), name="hf:glm", device="cpu", trust_remote_code=True)
    with pytest.raises(ModelFileError, match=r"needs a package that is not installed: .*a_package_that_nobody_has"):
        await backend.start()
    await backend.aclose()


async def test_an_ordinary_model_has_no_chat_of_its_own_and_takes_turns_with_those_that_do(tmp_path: Path) -> None:
    backend = HfBackend(str(make_tiny(tmp_path / "tiny")), name="hf:tiny", device="cpu")
    usual = replace(ask(temperature=1.0, max_tokens=8), own=None)
    asked = [usual, ask(), usual]
    first, refused, last = await asyncio.gather(*map(backend.reply, asked), return_exceptions=True)
    assert isinstance(refused, BackendError)
    assert "has no .chat() of its own" in str(refused)
    assert not isinstance(first, BaseException)
    assert not isinstance(last, BaseException)
    assert first.text == last.text
    await backend.aclose()
