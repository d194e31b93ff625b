"""The worker process of the local model: `python -m ucoder.models.local.model_worker PARENT_PID`.

It reads messages (`pipe_messages`) from stdin and writes answers to stdout. It takes in new requests between two
tokens, so it is never idle while there is work, and a dropped request costs at most one more token. It uses one torch
thread, because two threads that spin on shared cores are several times slower than one.
"""

import os
import queue
import sys
import threading
import traceback
from collections import OrderedDict
from dataclasses import asdict
from typing import Any, BinaryIO

import torch
from transformers.utils import logging

from ucoder.errors import UcoderError
from ucoder.models.local import pipe_messages
from ucoder.models.local.decoding import Decoder, DecodeRequest
from ucoder.models.local.loaded_model import load_model
from ucoder.models.protocol import SamplingParameters
from ucoder.runtime.child_process import end_with_parent

MOST_CHECKPOINTS = 3
"""Checkpoints that stay in memory: the loop uses the base, the last one and the control."""


class ModelWorker:
    """A decoder for each loaded checkpoint; the most recently used checkpoint is last."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._decoders: OrderedDict[str, Decoder] = OrderedDict()

    @property
    def busy(self) -> bool:
        """True while any row is unfinished."""
        return any(decoder.busy for decoder in self._decoders.values())

    def take(self, message: dict[str, Any]) -> None:
        """Starts or answers a request of the parent; sends an error back by its class name and text."""
        key = message["key"]
        try:
            self._do(message["do"], key, message)
        except UcoderError as error:
            self._send({"key": key, "error": type(error).__name__, "text": str(error)})
        except (MemoryError, torch.OutOfMemoryError) as error:
            line = str(error).partition("\n")[0]
            self._send({"key": key, "error": "Retry", "text": f"model {message['model']}: out of memory. {line}"})

    def step(self) -> None:
        """Generates one token for every row of every checkpoint, and sends the requests that are complete."""
        for decoder in self._decoders.values():
            if decoder.busy:
                for key, completions in decoder.step():
                    self._send({"key": key, "completions": [asdict(completion) for completion in completions]})

    def _do(self, task: str, key: int, message: dict[str, Any]) -> None:
        if task == "drop":
            for decoder in self._decoders.values():
                decoder.drop(key)
            return
        decoder = self._loaded(message["model"])
        if task == "load":
            self._send({"key": key})
        elif task == "score":
            self._send({"key": key, "score": asdict(decoder.score(message["text"]))})
        elif task == "complete":
            prompt = tuple(decoder.checkpoint.prompt_tokens(message["prompt"]))
            sampling, stop = SamplingParameters(**message["sampling"]), tuple(message["stop"])
            decoder.add(DecodeRequest(key, prompt, message["first"], message["rows"], sampling, stop, message["seed"]))
        else:
            raise ValueError(f"unknown task {task!r}")

    def _loaded(self, model: str) -> Decoder:
        """Returns a checkpoint's decoder, in place of the least recently used idle ones where there are too many."""
        if model not in self._decoders:
            idle = [name for name, decoder in self._decoders.items() if not decoder.busy]
            for name in idle[: max(0, len(self._decoders) - MOST_CHECKPOINTS + 1)]:
                del self._decoders[name]
            self._decoders[model] = Decoder(load_model(model))
        self._decoders.move_to_end(model)
        return self._decoders[model]

    def _send(self, message: dict[str, Any]) -> None:
        self._out.write(pipe_messages.pack(message))
        self._out.flush()


def main() -> None:
    """Works until stdin ends."""
    end_with_parent(int(sys.argv[1]))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the messages
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read_messages() -> None:
        while (message := pipe_messages.read(sys.stdin.buffer)) is not None:
            messages.put(message)
        os._exit(0)  # the parent closed the pipe or died, so nobody waits for unfinished requests

    threading.Thread(target=read_messages, daemon=True).start()
    worker = ModelWorker(out)
    try:
        while True:
            while not (worker.busy and messages.empty()):
                worker.take(messages.get())
            worker.step()
    finally:  # only a bug gets here; a normal exit of the interpreter would wait for the reading thread
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
