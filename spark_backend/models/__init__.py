"""Networks and head models that come as files: what they are, where they lie, how they are got."""

from .catalogue import MODELS, Model
from .resolve import adopt_model, cache_folder, find_model, resolve_model

__all__ = ["MODELS", "Model", "adopt_model", "cache_folder", "find_model", "resolve_model"]
