"""The tokenizer of the seed model: byte-level BPE after Qwen2's own pre-tokenizer.

transformers and vLLM use Qwen2's pre-tokenizer for every model of type qwen2, so the training must use it too. It also
keeps the last newline of a prompt from merging with the first spaces of the completion.
"""

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

END = "<|endoftext|>"
VOCABULARY = 1024
_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def train_tokenizer(texts: Iterable[str]) -> Qwen2Tokenizer:
    """Returns a tokenizer of 1,024 tokens, whose end-of-text token is also the padding."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_QWEN2_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    bpe.train_from_iterator(texts, trainer)
    learned = json.loads(bpe.to_str())["model"]
    parts: dict[str, Any] = {
        "merges": [tuple(pair) for pair in learned["merges"]],
        "eos_token": AddedToken(END, special=True), "pad_token": END, "unk_token": None, "bos_token": None,
    }  # fmt: skip
    return Qwen2Tokenizer(vocab=learned["vocab"], clean_up_tokenization_spaces=False, model_max_length=512, **parts)
