"""Fine-tuning itself: TRL's trainer on rows that we have masked and cut, watched, resumable, and recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from practicum.errors import TrainingError
from practicum.training.config import TrainConfig
from practicum.training.cpu import EAGER_CONTEXT, PLAIN_HEADS, has_fast_bfloat16, make_cpu_trainer
from practicum.training.preferences import Pairs
from practicum.training.processes import processes
from practicum.training.quiet import quiet
from practicum.training.rows import Rows

CHECKPOINTS = "checkpoints"
KEPT = 2
"""Checkpoints kept: the best and the last."""


@dataclass(slots=True)
class Course:
    """How a training goes; written to by the trainer, read by whoever shows it."""

    steps: int = 0
    """Steps that there will be."""
    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    held_out: list[tuple[int, float]] = field(default_factory=list)
    """(step, loss on unseen profiles), the first at step 0."""
    seconds: float = 0.0
    tokens: int = 0
    """Trained on in this process, padding left out."""
    notes: list[str] = field(default_factory=list)
    stopped: str = ""
    """Why it ended before its steps were done."""

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the steps so far; None before the second one."""
        return None if self.step < 2 else self.seconds / self.step * (self.steps - self.step)


Watch = Callable[[Course], None]
"""Called after each step and evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What came of a training."""

    folder: Path
    """Holds the adapter, or the whole model (method full)."""
    course: Course
    resumed_from: int
    """The step that it went on after; 0: it began anew."""


@quiet()
def fine_tune(config: TrainConfig, base: str, tokenizer: Any, train: Rows, dev: Rows | None, watch: Watch) -> Learnt:
    """Train on sessions.

    Args:
        config: See there.
        base: What `from_pretrained` takes.
        tokenizer: The base's.
        train: What is learnt from.
        dev: Sessions of other profiles, whose loss is taken on the way; None: it is not.
        watch: Told of the course.

    Raises:
        TrainingError: The base cannot be loaded, or memory does not suffice; the message says what to change.
    """
    from datasets import Dataset
    from trl import SFTConfig

    course = Course()
    arguments = SFTConfig(
        **_arguments(config, rows=len(train.windows), evaluated=dev is not None),
        max_length=None,  # cut at turn borders already: nothing may be cut again
        packing=False,  # on a CPU packed sessions cost more, and without FlashAttention they can see each other
        eval_packing=False,
        train_sampling_strategy="sequential",  # in the order of `Rows.arranged`
    )
    model = _load(config, base)  # after the arguments: ZeRO-3 learns from them how weights are to be loaded
    trainer = _trainer_for(model)(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(train.arranged(_rows_a_step(config), config.seed).columns()),
        eval_dataset=None if dev is None else Dataset.from_dict(dev.columns()),
        processing_class=tokenizer,
        peft_config=_lora(config),
        callbacks=_callbacks(config, course, watch, train.tokens, evaluated=dev is not None),
    )
    return _run(config, trainer, tokenizer, course)


@quiet()
def prefer(config: TrainConfig, base: str, tokenizer: Any, train: Pairs, dev: Pairs | None, watch: Watch) -> Learnt:
    """Train on preferences between two replies (DPO); arguments and errors as for `fine_tune`."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    course = Course()
    arguments = DPOConfig(
        **_arguments(config, rows=len(train.rows), evaluated=dev is not None),
        beta=config.dpo.beta,
        max_length=None,
        remove_unused_columns=False,
    )
    trainer = DPOTrainer(
        model=_load(config, base),
        args=arguments,
        train_dataset=Dataset.from_list(list(train.rows)),
        eval_dataset=None if dev is None else Dataset.from_list(list(dev.rows)),
        processing_class=tokenizer,
        peft_config=_lora(config),
        callbacks=_callbacks(config, course, watch, 0, evaluated=dev is not None),
    )
    return _run(config, trainer, tokenizer, course)


def _rows_a_step(config: TrainConfig) -> int:
    return config.batch * config.accumulate * processes()


def _arguments(config: TrainConfig, *, rows: int, evaluated: bool) -> dict[str, Any]:
    """Return what transformers' trainers are told in common."""
    steps = min(config.steps or 1 << 30, max(1, math.ceil(rows / _rows_a_step(config) * config.epochs)))
    every = max(1, steps // config.evaluations)
    precision = _precision(config.precision)
    return {
        "output_dir": str(Path(config.out) / CHECKPOINTS),
        "max_steps": steps,
        "per_device_train_batch_size": config.batch,
        "per_device_eval_batch_size": config.batch,
        "gradient_accumulation_steps": config.accumulate,
        "learning_rate": config.rate,
        "lr_scheduler_type": config.schedule,
        "warmup_steps": math.ceil(config.warmup * steps),
        "weight_decay": config.decay,
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "use_cpu": not _has_gpu(),
        "dataloader_pin_memory": _has_gpu(),
        "activation_checkpointing": config.checkpointing,
        "gradient_checkpointing": False,
        "logging_steps": 1,
        "eval_strategy": "steps" if evaluated else "no",
        "eval_steps": every,
        "eval_on_start": evaluated,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": KEPT,
        "load_best_model_at_end": evaluated,
        "metric_for_best_model": "eval_loss" if evaluated else None,
        "greater_is_better": False if evaluated else None,
        "seed": config.seed,
        "data_seed": config.seed,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _trainer_for(model: Any) -> Any:
    """Return the class of trainer: TRL's own, but where ours is known to compute the same."""
    from trl import SFTTrainer

    ours = not _has_gpu() and processes() == 1 and model.config.model_type in PLAIN_HEADS
    return make_cpu_trainer() if ours else SFTTrainer


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _precision(wanted: str) -> str:
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if has_fast_bfloat16() else "float32"


def _load(config: TrainConfig, base: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    from practicum.backends import free_cores

    options: dict[str, Any] = {"dtype": torch.float32}
    if config.method == "qlora":
        options = _four_bits()
    elif config.method in ("lora", "dpo") and _precision(config.precision) == "bfloat16":
        options = {"dtype": torch.bfloat16}  # the frozen weights; the adapter itself stays in 32 bits
    if not _has_gpu():
        torch.set_num_threads(free_cores())
        options["attn_implementation"] = "eager" if config.context <= EAGER_CONTEXT else "sdpa"
    try:
        return AutoModelForCausalLM.from_pretrained(base, **options)
    except (OSError, ValueError, KeyError, ImportError) as problem:
        raise TrainingError(f"base {config.base}: cannot be loaded: {str(problem).splitlines()[0]}") from None


def _four_bits() -> dict[str, Any]:
    import torch
    from transformers import BitsAndBytesConfig

    if not _has_gpu():
        raise TrainingError("method qlora needs a CUDA GPU and bitsandbytes; on a CPU use --method lora")
    quantized = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16, bnb_4bit_use_double_quant=True
    )
    return {"quantization_config": quantized, "dtype": torch.bfloat16}


def _lora(config: TrainConfig) -> Any:
    if config.method == "full":
        return None
    from peft import LoraConfig

    lora = config.lora
    modules = "all-linear" if lora.modules == ("all-linear",) else list(lora.modules)
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=modules, bias="none", task_type="CAUSAL_LM"
    )


def _callbacks(config: TrainConfig, course: Course, watch: Watch, tokens: int, *, evaluated: bool) -> list[Any]:
    from transformers import EarlyStoppingCallback

    from practicum.training.callbacks import make_watcher

    watcher = make_watcher(course, watch, tokens, minutes=config.minutes)
    patient = config.patience and evaluated  # without evaluations there is nothing to be patient with
    return [watcher, EarlyStoppingCallback(early_stopping_patience=config.patience)] if patient else [watcher]


def _run(config: TrainConfig, trainer: Any, tokenizer: Any, course: Course) -> Learnt:
    import torch
    from transformers import PrinterCallback
    from transformers.trainer_utils import get_last_checkpoint

    trainer.remove_callback(PrinterCallback)  # the course says it all, to whoever wants to know
    checkpoints = Path(config.out) / CHECKPOINTS
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    if last:
        course.notes.append(f"going on after step {last.rpartition('-')[2]}")
    begun = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=last)
    except torch.OutOfMemoryError as problem:
        raise TrainingError(_too_large(config, str(problem).splitlines()[0])) from None
    except MemoryError:
        raise TrainingError(_too_large(config, "this process has no memory left")) from None
    course.seconds = time.monotonic() - begun
    folder = Path(config.out) / ("model" if config.method == "full" else "adapter")
    if trainer.is_world_process_zero():
        trainer.save_model(str(folder))
        tokenizer.save_pretrained(folder)  # with its own template, the one that it will be served with
    return Learnt(folder=folder, course=course, resumed_from=int(last.rpartition("-")[2]) if last else 0)


def _too_large(config: TrainConfig, problem: str) -> str:
    ways = []
    if config.batch > 1:
        ways.append(f"--set batch={max(1, config.batch // 2)} --set accumulate={config.accumulate * 2}")
    if not config.checkpointing:
        ways.append("--set checkpointing=true")
    ways.append(f"--set context={max(512, config.context // 2)}")
    if config.method == "full":
        ways.append("--method lora")
    elif config.method == "lora":
        ways.append("--method qlora")
    return f"out of memory ({problem}); try, in this order: {', '.join(ways)}; what was trained so far is kept in {config.out}"
