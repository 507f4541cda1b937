"""What a run is asked to be: one frozen tree, validated at the border, from flags, a TOML file and `--set`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from practicum.core import EndingPolicy, Form, Language
from practicum.errors import ConfigError

T = TypeVar("T", str, Path)
M = TypeVar("M", bound=BaseModel)


def _printable(value: T) -> T:
    """Refuse what no file's name, no JSON and no terminal takes: control characters, bytes that are not UTF-8."""
    if not str(value).isprintable():
        raise ValueError("it holds a character that cannot be printed")
    return value


Text = Annotated[str, AfterValidator(_printable)]
# Numbers have an upper bound each: they go into digests as JSON, which ends at 64 bits.
Positive = Annotated[int, Field(ge=1, le=1_000_000_000)]
Exchanges = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Section(BaseModel):
    """A frozen part of a configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ChairConfig(Section):
    """One side of the table. All but `key`, the model's address and, in chat form, `template` is part of the run's identity."""

    model: Text
    """`BACKEND:NAME[@ADDRESS[,ADDRESS…]]`."""
    prompt: Annotated[Path, AfterValidator(_printable)] | None = None
    """Your own prompt file, or `bundled:NAME`; none: the bundled one of the role."""
    form: Form | None = None
    """chat or transcript; none: what the catalog says of a local model, chat for every other."""
    template: Text = ""
    """Marks around raw text in the transcript form: chatml, llama3 or plain; "": what fits the model."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    key: Text | None = None
    """Name of the environment variable that holds the key, never the key."""


class EndingConfig(Section):
    """When a session is over before its turn limit."""

    policy: EndingPolicy = EndingPolicy.MUTUAL
    min_exchanges: Exchanges = 3
    """Goodbyes before this exchange do not count (policy mutual)."""


class CheckConfig(Section):
    """The reply check."""

    limit_zh: Positive = 200
    """Most Chinese characters of a counselor's reply."""
    limit_en: Positive = 120
    """Most words of a counselor's English reply."""
    early_exchanges: Exchanges = 3
    """So many exchanges in which a client neither thanks nor says goodbye."""
    ask_again: Annotated[int, Field(ge=0, le=20)] = 3
    """How often a failing reply is asked for anew."""


class CallConfig(Section):
    """How long a call may take. Free to change from one command to the next."""

    timeout: Seconds = 300.0
    """One attempt."""
    budget: Seconds = 900.0
    """All attempts of a call together; the wait for an endpoint that is away does not count."""


class LimitConfig(Section):
    """What an endpoint may be asked. Free to change from one command to the next."""

    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    patience: Seconds = 1800.0
    """How long to wait for an endpoint that has answered before."""


class LocalConfig(Section):
    """Models in this process. Free to change from one command to the next."""

    slots: Annotated[int, Field(ge=2, le=64)] | None = None
    """Conversations kept at once, one for each local side of a session; none: room for two sessions, or for `at_once`."""
    context: Annotated[int, Field(ge=512, le=1_000_000_000)] = 8192
    """Tokens a slot; never more than the model was trained on."""
    threads: Positive | None = None
    """None: the cores that are free."""


class HfConfig(Section):
    """Models by transformers in this process (`hf:`). Free to change from one command to the next."""

    device: Text = "auto"
    """cpu, cuda, cuda:1, mps …; auto: the first GPU if there is one."""
    dtype: Text = "auto"
    """float32, bfloat16, float16; auto: the bot's, else what the weights are stored in (float32 on a CPU)."""
    batch: Annotated[int, Field(ge=1, le=1024)] = 16
    """Requests that are run together at most."""
    caches: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Conversations whose computed prompts are kept."""
    trust_remote_code: bool = False
    """Run Python code that comes with a model, where its bot file says so too."""


class PriceConfig(Section):
    """What tokens cost, to be shown; per million."""

    prompt: Annotated[float, Field(ge=0)] = 0.0
    completion: Annotated[float, Field(ge=0)] = 0.0
    currency: Text = "USD"


class CallsConfig(Section):
    """How models are asked, whatever for. Free to change from one command to the next."""

    at_once: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Calls in flight; none: what the endpoints take, from 8 up to 256, or what the local slots allow."""
    call: CallConfig = CallConfig()
    endpoint: LimitConfig = LimitConfig()
    local: LocalConfig = LocalConfig()
    hf: HfConfig = HfConfig()


class SessionsConfig(CallsConfig):
    """What holds for any run of sessions, whoever speaks."""

    run: Text | None = None
    """Name of the run; none: derived from its identity."""
    language: Language | None = None
    """Language of every session; none: each profile's own."""
    limit: Positive | None = None
    """Use the first so many profiles."""
    per_profile: Positive = 1
    """Sessions a profile."""
    max_exchanges: Annotated[int, Field(ge=1, le=10_000)] = 50
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    stop_on_risk: bool = False
    """End a session at the first turn that trips the risk detector."""
    ending: EndingConfig = EndingConfig()
    check: CheckConfig = CheckConfig()
    prices: PriceConfig = PriceConfig()


class RunConfig(SessionsConfig):
    """A run. A name with a dot (`client.model`) leads into a section: as a TOML table, or by `--set client.model=…`."""

    client: ChairConfig
    counselor: ChairConfig


def read_config(flags: Mapping[str, Any], *, file: Path | None = None, settings: Sequence[str] = ()) -> RunConfig:
    """Put a run's configuration together; see `read_tree`."""
    return read_tree(RunConfig, flags, file=file, settings=settings)


def read_tree(
    model: type[M],
    flags: Mapping[str, Any],
    *,
    file: Path | None = None,
    settings: Sequence[str] = (),
    under: Mapping[str, Any] | None = None,
) -> M:
    """Put a configuration together: a TOML file first, then `--set`, then flags; the later wins.

    Args:
        model: What it is to be.
        flags: Dotted names to values; None means not given.
        file: A TOML file.
        settings: `key=value` each, with a dotted key; the value is read as TOML where it is some, else as text.
        under: What all of these override: a preset.

    Raises:
        ConfigError: One line for every mistake.
    """
    tree: dict[str, Any] = deepcopy(dict(under or {}))
    for key, value in (read_toml(file) if file else {}).items():
        _merge(tree, key, value)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")):
            raise ConfigError(f"--set {setting!r}: expected key=value, e.g. --set client.temperature=0.7")
        _put(tree, key.strip(), _read_value(value), f"--set {setting!r}")
    for key, value in flags.items():
        if value is not None:
            _put(tree, key, deepcopy(value) if isinstance(value, dict) else value, f"--{key}")
    try:
        return model.model_validate(tree)
    except ValidationError as problem:
        raise ConfigError("\n".join(dict.fromkeys(explain(error, model) for error in problem.errors()))) from None


def read_toml(file: Path, what: str = "configuration") -> dict[str, Any]:
    """Read a TOML file; `what` it is begins every complaint.

    Raises:
        ConfigError: It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as problem:
        raise ConfigError(f"{what} {file}: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(f"{what} {file} is not TOML: {problem}") from None


def _read_value(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text.strip()
    return text.strip() if isinstance(value, date | time) else value  # no key takes a date, but 2026-11-24 is a good name for a run


def _put(tree: dict[str, Any], key: str, value: Any, where: str) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = tree.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{where}: {section!r} is a value, not a section")
        tree = inner
    _merge(tree, last, value)


def _merge(tree: dict[str, Any], name: str, value: Any) -> None:
    """Put a value at a name; a section only adds to one that is there: a counselor's model by an option, its temperature by --set."""
    before = tree.get(name)
    if isinstance(before, dict) and isinstance(value, dict):
        for inner, part in value.items():
            _merge(before, inner, part)
    else:
        tree[name] = value


def explain(error: Any, model: type[BaseModel]) -> str:
    """Return one mistake of pydantic's as a line: the key, the value, what was expected."""
    key = ".".join(str(part) for part in error["loc"]) or "configuration"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; known: {', '.join(known_keys(key.rpartition('.')[0], model))}"
    if error["type"] == "missing":
        chair = key.partition(".")[0]
        option = f"--{chair.removesuffix('s')}"
        name = "NAME=" if chair == "members" else ""  # of a counselor in an arena
        return f"{key} is missing; give {option} {name}MODEL, e.g. {option} {name.lower()}local:qwen2.5-coder-1.5b"
    value, told = repr(error["input"]), error["msg"].removeprefix("Value error, ")
    return f"{key}: {value if len(value) <= 80 else value[:77] + '…'} will not do: {told[:1].lower()}{told[1:]}"


def known_keys(section: str = "", model: type[BaseModel] = RunConfig) -> list[str]:
    """Return the dotted keys that a section takes, sorted; "" for the top. Of chairs by name, any name leads on."""
    top = model
    names = iter(section.split(".") if section else ())
    for name in names:
        field = model.model_fields.get(name)
        inner = field.annotation if field else None
        if get_origin(inner) is dict:
            inner = get_args(inner)[1]
            next(names, None)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return known_keys("", top)
        model = inner
    return sorted(f"{section}.{name}" if section else name for name in model.model_fields)
