"""Knows how a text becomes a vector with all-MiniLM-L6-v2: WordPiece tokens, the ONNX encoder, the mean of its token vectors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

DIMENSIONS = 384
MAX_TOKENS = 256  # what the model was trained with; the model's metadata calls this preprocessing "wordpiece-256"


def onnx_session(model: str | bytes) -> onnxruntime.InferenceSession:
    """A session on one model (path or bytes) with as many threads as OMP_NUM_THREADS says, else one.

    ONNX Runtime would take every core of the node, whatever the container's CPU limit is, and be throttled for it.
    """
    # Imported here: the API service and an inspection of the code never run a model, and do without its 45 MiB.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class SentenceEncoder:
    """Texts -> float32 vectors of length 1, shape (texts, 384)."""

    def __init__(self, model_path: str, tokenizer_path: str) -> None:
        from tokenizers import Tokenizer

        self._session = onnx_session(model_path)
        self._inputs = {tensor.name for tensor in self._session.get_inputs()}
        self._tokenizer: Any = Tokenizer.from_file(tokenizer_path)
        self._tokenizer.enable_truncation(max_length=MAX_TOKENS)
        self._tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch(texts)
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (output, *_) = self._session.run(None, {name: value for name, value in feed.items() if name in self._inputs})
        vectors = np.asarray(output, dtype=np.float32)
        if vectors.ndim == 3:  # one vector a token: padding must not count in the mean
            weights = mask[:, :, None].astype(np.float32)
            vectors = (vectors * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
