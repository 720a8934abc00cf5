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

# 32 texts of 256 tokens at a time take 1 GiB and 4.0 s, and the runner has half of that memory. In groups of this size they take
# 280 MiB and 2.4 s, because a group stays in the processor's cache. Ordinary tickets (some 16 tokens) are still 32 in a group.
TOKENS_AT_ONCE = 512


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
        self._tokenizer.no_padding()  # the file says to pad to a fixed length; groups are padded below

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Any number of texts; memory stays within what TOKENS_AT_ONCE need, however many and long they are."""
        encodings = self._tokenizer.encode_batch(texts)
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for places in groups([len(encoding.ids) for encoding in encodings]):
            vectors[places] = self._encode_group([encodings[place] for place in places])
        return vectors

    def _encode_group(self, encodings: list[Any]) -> NDArray[np.float32]:
        longest = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), longest), dtype=np.int64)  # 0 is the id of [PAD]
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (output, *_) = self._session.run(None, {name: value for name, value in feed.items() if name in self._inputs})
        vectors = np.asarray(output, dtype=np.float32)
        if vectors.ndim == 3:  # one vector a token: padding must not count in the mean
            weights = mask[:, :, None].astype(np.float32)
            vectors = (vectors * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)


def groups(lengths: list[int]) -> list[list[int]]:
    """Places of texts that are encoded together: of similar length, at most TOKENS_AT_ONCE with their padding."""
    found: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: (lengths[place], place)):  # the longest of a group comes last
        if found and (len(found[-1]) + 1) * lengths[place] <= TOKENS_AT_ONCE:
            found[-1].append(place)
        else:
            found.append([place])
    return found
