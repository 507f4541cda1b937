"""How text is asked of a model: over HTTP, in this process, or by a script."""

from practicum.backends.base import ChatBackend, Chunk, Constraint, Notify, Reply, Request, TokenChances
from practicum.backends.catalog import CATALOG, CatalogModel, find_model, is_present, model_path, verify
from practicum.backends.cores import free_cores
from practicum.backends.download import SOURCES, describe, pull
from practicum.backends.endpoint import Endpoint
from practicum.backends.fingerprint import file_identity
from practicum.backends.gguf import read_gguf
from practicum.backends.hf import HfBackend
from practicum.backends.hf_load import source_identity, tie_again
from practicum.backends.local import LOCAL_SAMPLERS, LocalBackend, local_samplers
from practicum.backends.names import BACKENDS, PRESETS, ModelName, find_key, read_model_name
from practicum.backends.openai import CallBudget, OpenAIBackend
from practicum.backends.partfile import Progress
from practicum.backends.scripted import ScriptedBackend, always, echo, lines, read_rule, rule_identity, seeded
from practicum.backends.templates import TEMPLATES, template_for
from practicum.backends.transport import Answer, TransportError, open_transport

__all__ = [
    "BACKENDS",
    "CATALOG",
    "LOCAL_SAMPLERS",
    "PRESETS",
    "SOURCES",
    "TEMPLATES",
    "Answer",
    "CallBudget",
    "CatalogModel",
    "ChatBackend",
    "Chunk",
    "Constraint",
    "Endpoint",
    "HfBackend",
    "LocalBackend",
    "ModelName",
    "Notify",
    "OpenAIBackend",
    "Progress",
    "Reply",
    "Request",
    "ScriptedBackend",
    "TokenChances",
    "TransportError",
    "always",
    "describe",
    "echo",
    "file_identity",
    "find_key",
    "find_model",
    "free_cores",
    "is_present",
    "lines",
    "local_samplers",
    "model_path",
    "open_transport",
    "pull",
    "read_gguf",
    "read_model_name",
    "read_rule",
    "rule_identity",
    "seeded",
    "source_identity",
    "template_for",
    "tie_again",
    "verify",
]
