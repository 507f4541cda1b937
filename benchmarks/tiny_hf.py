"""A tiny model of the Qwen2 family, made on the spot: random weights, a tokenizer trained on a few lines, a template of the family's kind.

What it says is gibberish; how it is batched, cached and cut is the same as with a large one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

LINES = [
    "你好，请坐。最近怎么样？",
    "我最近总是睡不着，一躺下就想工作上的事。",
    "听起来你承受了很多压力，这种感觉持续多久了？",
    "我不知道该怎么办，心里很乱。",
    "来访者：我很累。咨询师：嗯，我在听。",
    "Hello, please sit down. How have you been?",
    "I cannot sleep, I keep thinking about work.",
    "That sounds heavy. How long have you felt this way?",
    "Client: I am tired. Counselor: I am listening.",
]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def make_tokenizer(template: str | None = TEMPLATE) -> Any:
    """Return a byte-level BPE tokenizer of some hundred tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=MARKS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=MARKS[2], pad_token=MARKS[0], chat_template=template, model_max_length=4096
    )


def make_tiny(folder: Path, *, seed: int = 0, layers: int = 2, template: str | None = TEMPLATE, **config: Any) -> Path:
    """Write a model and its tokenizer into a folder; return it.

    Args:
        folder: Made if it is not there.
        seed: Of the weights.
        layers: How deep.
        template: The chat template.
        config: More fields of `Qwen2Config`.
    """
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer = make_tokenizer(template)
    sizes = {
        "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": layers,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 1024,
        # Wide enough that two tokens are never as likely as each other to the last digit.
        "initializer_range": 0.2, "tie_word_embeddings": False,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(Qwen2Config(**{**sizes, **config}))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
