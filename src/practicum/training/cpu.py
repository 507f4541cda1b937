"""Training on a CPU: the same losses as TRL's trainer, sooner (`python -m benchmarks 27`)."""

from __future__ import annotations

from typing import Any

from practicum.training.masking import IGNORED

AT_ONCE = 256
"""Positions whose logits exist at a time: all of them, in 32 bits and with their gradient, would be gigabytes."""
PLAIN_HEADS = ("llama", "qwen2")
"""Kinds of model whose logits are what the output layer gives, neither scaled nor capped."""
EAGER_CONTEXT = 1024
"""Up to so many tokens plain matrix products are faster than torch's fused attention; their memory grows with the square."""


def has_fast_bfloat16() -> bool:
    """Tell whether this CPU has matrix units for bfloat16 (AMX): ten times as fast as float32 there, emulated and slow elsewhere."""
    import torch

    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # older releases have not
    return bool(known.get("amx_bf16"))


def make_cpu_trainer() -> Any:
    """Return TRL's trainer with a loss that suits a CPU; its class derives from TRL's, and so is made where that is loaded.

    TRL's own computes logits in tiles, by a kernel for GPUs; what stands in for it elsewhere took three fifths of a step.
    """
    import torch
    from peft.helpers import disable_input_dtype_casting
    from torch.utils.checkpoint import checkpoint
    from trl import SFTTrainer

    class CpuTrainer(SFTTrainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            whole = self.accelerator.unwrap_model(model)
            whole = whole.get_base_model() if hasattr(whole, "get_base_model") else whole
            head = whole.get_output_embeddings()

            def sum_up(states: Any, wanted: Any) -> Any:
                return torch.nn.functional.cross_entropy(head(states).float(), wanted, reduction="sum")

            # The adapter computes in the base's precision, as on a GPU: peft would turn every input into 32 bits and back.
            with self.accelerator.autocast(), disable_input_dtype_casting(whole, active=torch.is_autocast_enabled("cpu")):
                states = whole.base_model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)[0]
                labels = inputs["labels"][:, 1:]
                learnt = labels != IGNORED
                parts = zip(states[:, :-1][learnt].split(AT_ONCE), labels[learnt].split(AT_ONCE), strict=True)
                loss = torch.stack([checkpoint(sum_up, *part, use_reentrant=False) for part in parts]).sum()
            return loss / (learnt.sum() if num_items_in_batch is None else num_items_in_batch)

    return CpuTrainer
