"""The same training for LLaMA-Factory: a configuration beside the data that it reads as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from practicum.errors import TrainingError
from practicum.training.config import TrainConfig

TEMPLATES = {"qwen": "qwen", "deepseek-llm": "deepseek", "llama-3": "llama3", "internlm2": "intern2", "smollm2": "smollm2"}
"""Parts of a base's name to LLaMA-Factory's names of chat templates."""


def write_factory(config: TrainConfig, out: Path) -> Path:
    """Write `llamafactory.yaml` for a data set of `practicum curate`.

    Raises:
        TrainingError: The method has no counterpart, or the data set has no `dataset_info.json`.
    """
    data = Path(config.data).resolve()
    if config.method == "dpo":
        raise TrainingError("method dpo: `practicum export --format preferences` writes LLaMA-Factory's preference data by itself")
    if not (data / "dataset_info.json").exists():
        raise TrainingError(f"{data}: no dataset_info.json; expected the folder that `practicum curate --out` has written")
    import orjson

    names = list(orjson.loads((data / "dataset_info.json").read_bytes()))
    dev = next((name for name in names if "dev" in name), None)
    lines: dict[str, Any] = {
        "model_name_or_path": config.base,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full" if config.method == "full" else "lora",
        "dataset_dir": str(data),
        "dataset": next(name for name in names if name != dev),
        "template": next((name for part, name in TEMPLATES.items() if part in config.base.lower()), "default"),
        "cutoff_len": config.context,
        "output_dir": config.out,
        "per_device_train_batch_size": config.batch,
        "gradient_accumulation_steps": config.accumulate,
        "learning_rate": config.rate,
        "lr_scheduler_type": config.schedule,
        "num_train_epochs": config.epochs,
        "warmup_ratio": config.warmup,
        "seed": config.seed,
        "packing": False,
        "train_on_prompt": False,
        "mask_history": False,
    }
    if dev:
        lines |= {"eval_dataset": dev, "eval_strategy": "steps", "per_device_eval_batch_size": config.batch}
    if config.method != "full":
        lines |= {"lora_rank": config.lora.rank, "lora_alpha": int(config.lora.alpha), "lora_target": ",".join(config.lora.modules)}
    if config.method == "qlora":
        lines["quantization_bit"] = 4
    if config.precision in ("bfloat16", "float16"):
        lines["bf16" if config.precision == "bfloat16" else "fp16"] = True
    out.mkdir(parents=True, exist_ok=True)
    path = out / "llamafactory.yaml"
    # JSON is YAML: strings quoted, numbers and booleans as they are. LLaMA-Factory cuts longer sessions; see docs.
    path.write_text("".join(f"{key}: {orjson.dumps(value).decode()}\n" for key, value in lines.items()), "utf-8")
    return path
