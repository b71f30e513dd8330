"""What the break-even needs to know of a model: the size of its KV cache, and its work in a prefill."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelGeometry:
    """A model as it is served: its KV cache in keys of LMCache, and its size.

    Attributes:
        name: Its name in ``conf/model``.
        layers: Number of layers.
        attention_width: Mean width of what attention multiplies: heads x (width of a query + width of a
            value) / 2. It is d_model of the literature where all heads together are as wide as the model.
        active_parameters: Parameters that each token of a prompt is multiplied with: those of all layers, of
            a mixture of experts only the experts that a token uses. Not the embedding, which is looked up,
            and not the output head, which sees only the last token.
        chunk_tokens: Tokens in a chunk: LMCache's chunk_size.
        key_bytes: Bytes that one rank stores of a chunk: the size of a key.
        keys_per_chunk: Ranks that store a part of a chunk of their own.
    """

    name: str
    layers: int
    attention_width: int
    active_parameters: int
    chunk_tokens: int
    key_bytes: int
    keys_per_chunk: int

    @property
    def token_bytes(self) -> float:
        """Bytes of KV cache a token, of all ranks: kappa."""
        return self.key_bytes * self.keys_per_chunk / self.chunk_tokens

    def chunks(self, tokens: int) -> int:
        """Return the chunks of a prompt. LMCache moves whole chunks.

        Args:
            tokens: Length of the prompt.
        """
        return math.ceil(tokens / self.chunk_tokens)

    def keys(self, tokens: int) -> int:
        """Return the keys of a prompt, of all ranks.

        Args:
            tokens: Length of the prompt.
        """
        return self.chunks(tokens) * self.keys_per_chunk

    def loaded_bytes(self, tokens: int) -> int:
        """Return the bytes that are loaded for a prompt, of all ranks.

        Args:
            tokens: Length of the prompt.
        """
        return self.keys(tokens) * self.key_bytes
