"""A model from a data set: masks, windows, the trainer, and the way back into service. torch and its kin are loaded where they are used."""

from practicum.training.adapter_gguf import Adapter, merge, read_adapter, write_lora
from practicum.training.bases import find_gguf, merge_folder, prepare_base
from practicum.training.config import TrainConfig, presets
from practicum.training.factory import write_factory
from practicum.training.masking import IGNORED, Encoded, encode
from practicum.training.preferences import Pairs, hold_out, read_pairs
from practicum.training.processes import is_first_process
from practicum.training.record import describe, find_systems, write_bot, write_record
from practicum.training.rows import DEV, TRAIN, Rows, encode_rows, read_messages
from practicum.training.trainer import Course, Learnt, Watch, fine_tune, prefer
from practicum.training.windows import Window, windows

__all__ = [
    "DEV",
    "IGNORED",
    "TRAIN",
    "Adapter",
    "Course",
    "Encoded",
    "Learnt",
    "Pairs",
    "Rows",
    "TrainConfig",
    "Watch",
    "Window",
    "describe",
    "encode",
    "encode_rows",
    "find_gguf",
    "find_systems",
    "fine_tune",
    "hold_out",
    "is_first_process",
    "merge",
    "merge_folder",
    "prefer",
    "prepare_base",
    "presets",
    "read_adapter",
    "read_messages",
    "read_pairs",
    "windows",
    "write_bot",
    "write_factory",
    "write_lora",
    "write_record",
]
