"""A training from its configuration to a bot: base and data found, rows made, the trainer run, the way back into service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from practicum.backends import model_path
from practicum.core import digest_of
from practicum.errors import ConfigError, TrainingError
from practicum.training import (
    DEV,
    IGNORED,
    TRAIN,
    Learnt,
    Pairs,
    Rows,
    TrainConfig,
    Watch,
    describe,
    encode_rows,
    find_gguf,
    find_systems,
    fine_tune,
    hold_out,
    is_first_process,
    prefer,
    prepare_base,
    read_adapter,
    read_messages,
    read_pairs,
    windows,
    write_bot,
    write_lora,
    write_record,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training has made."""

    out: Path
    record: dict[str, Any]
    bot: Path | None
    """The bot file, where the model can be served at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """A training that can begin: base and data are there, and every row fits."""

    config: TrainConfig
    learn: Callable[[Watch], Learnt]
    """The training itself, by one method or another."""
    train: Rows | None
    dev: Rows | None
    pairs: Pairs | None
    dev_pairs: Pairs | None
    """Pairs of other profiles; None: there are none."""

    @property
    def notes(self) -> list[str]:
        """What the user should know before it begins."""
        found = []
        if self.train is not None and self.train.split:
            found.append(f"{self.train.split:,} sessions are longer than {self.config.context:,} tokens and were split at turn borders")
        if self.train is not None and self.dev is None:
            found.append(f"there is no {DEV}: no loss on unseen profiles, and no early stop")
        if self.pairs is not None:
            pairs, back = self.pairs, len(self.dev_pairs.rows) if self.dev_pairs else 0
            found.append(
                f"{len(pairs.rows):,} of {pairs.read:,} pairs are learnt from, {back:,} held out; the chosen reply is the longer one in "
                f"{pairs.longer_chosen:.0%}, by {pairs.difference:+.0f} characters on average"
            )
        return found


def check_libraries() -> None:
    """Look for what training needs, without loading it.

    Raises:
        ConfigError: Something is missing; the message says how to install it.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise ConfigError("training needs torch; install the build that fits this machine (`pip install torch` is the usual one)")
    if missing := [name for name in ("transformers", "trl", "peft") if find_spec(name) is None]:
        raise ConfigError(f"training needs {', '.join(missing)}; `pip install 'practicum[train]'` installs it")


def plan_training(config: TrainConfig) -> TrainingPlan:
    """Find base and data, and encode the rows.

    Raises:
        ConfigError: A library, file or name cannot be had.
        TrainingError: Rows cannot be used, or the base's template cannot.
    """
    check_libraries()
    base, tokenizer = load_tokenizer(config.base)
    data = Path(config.data)
    if config.method == "dpo":
        file = data / "preferences.jsonl" if data.is_dir() else data
        pairs = read_pairs(file, matched=config.dpo.length_matched, ratio=config.dpo.length_ratio)
        pairs, dev_pairs = hold_out(pairs, config.dpo.held_out)
        learn = partial(prefer, config, base, tokenizer, pairs, dev_pairs)
        return TrainingPlan(config=config, learn=learn, train=None, dev=None, pairs=pairs, dev_pairs=dev_pairs)
    train = encode_rows(tokenizer, data / TRAIN, config.context)
    there = (data / DEV).exists() and (data / DEV).stat().st_size > 1
    dev = encode_rows(tokenizer, data / DEV, config.context) if there else None
    learn = partial(fine_tune, config, base, tokenizer, train, dev)
    return TrainingPlan(config=config, learn=learn, train=train, dev=dev, pairs=None, dev_pairs=None)


def load_tokenizer(base: str) -> tuple[str, Any]:
    """Return what `from_pretrained` takes for a base, and its tokenizer."""
    from transformers import AutoTokenizer

    where = base_folder(base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
    except (OSError, ValueError, KeyError) as problem:
        raise TrainingError(f"base {base}: its tokenizer cannot be loaded: {str(problem).splitlines()[0]}") from None
    if not tokenizer.is_fast:
        raise TrainingError(f"base {base}: its tokenizer is a slow one, which does not know where its tokens stand; masks cannot be made")
    if not tokenizer.chat_template:
        raise TrainingError(f"base {base}: it has no chat template; take an instruct or chat model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return where, tokenizer


def _cache() -> Path:
    from practicum.backends import CATALOG

    return model_path(CATALOG[0]).parent.with_name("bases")


def base_folder(base: str) -> str:
    """Return what `from_pretrained` takes for a base."""
    return prepare_base(base, _cache())


def hold_training(plan: TrainingPlan, watch: Watch) -> Trained:
    """Train, or go on where an earlier command was stopped, and put the result into service where that is possible at once.

    Raises:
        ConfigError: The folder holds a training of another configuration.
        TrainingError: See `fine_tune`.
    """
    config, out = plan.config, Path(plan.config.out)
    _own(out, config)
    begun = time.monotonic()
    learnt = plan.learn(watch)
    record = describe(config, plan.train, plan.dev, learnt, seconds=time.monotonic() - begun)
    if not is_first_process():
        return Trained(out=out, record=record, bot=None)
    write_record(out, record)
    return Trained(out=out, record=record, bot=_serve(config, out, learnt.folder))


def _own(out: Path, config: TrainConfig) -> None:
    """Refuse to go on with somebody else's checkpoints: a resumed training must be the same training."""
    import orjson

    wanted = config.model_dump(mode="json", exclude={"minutes", "out"})
    note = out / "training.json"
    if note.exists():
        there = orjson.loads(note.read_bytes())
        changed = sorted(key for key in wanted if there.get(key) != wanted[key])
        if changed:
            raise ConfigError(
                f"out {out}: holds a training with another {', '.join(changed)}; give another --out, or what it was begun with"
            )
    elif is_first_process():
        out.mkdir(parents=True, exist_ok=True)
        note.write_bytes(orjson.dumps(wanted, option=orjson.OPT_INDENT_2))


def _serve(config: TrainConfig, out: Path, folder: Path) -> Path | None:
    """Write adapter and bot for a base that llama.cpp serves; for others the docs say how."""
    file = find_gguf(config.base)
    systems = {} if config.method == "dpo" else find_systems(Path(config.data) / TRAIN)
    name = f"{out.name.lower().replace('_', '-')}-{digest_of(config.model_dump(mode='json'))[:6]}"
    if file is None:
        return write_bot(out, name=name, model=f"hf:{folder.name}", lora=None, systems=systems) if config.method == "full" else None
    if config.method == "full":
        return None
    lora = write_lora(read_adapter(folder), file, out / "adapter.gguf")
    return write_bot(out, name=name, model=f"local:{config.base}", lora=lora, systems=systems)


def show_mask(config: TrainConfig, sessions: int) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    """Yield the first windows of a data set: name, then pieces of text with whether they are learnt."""
    _, tokenizer = load_tokenizer(config.base)
    for count, (name, messages) in enumerate(read_messages(Path(config.data) / TRAIN)):
        if count == sessions:
            return
        for window in windows(tokenizer, messages, id=name, context=config.context):
            pieces: list[tuple[list[int], bool]] = []
            for token, label in zip(window.encoded.input_ids, window.encoded.labels, strict=True):
                learnt = label != IGNORED
                if not pieces or pieces[-1][1] != learnt:
                    pieces.append(([], learnt))
                pieces[-1][0].append(token)
            yield window.id, [(str(tokenizer.decode(tokens, skip_special_tokens=False)), learnt) for tokens, learnt in pieces]
