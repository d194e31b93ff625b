"""A process that computes for the local model: `python -m ucoder.models.local.model_worker PARENT_PID`.

Frames (wire.py) in on stdin, out on stdout. It takes in new requests between two tokens, so it is never idle while
there is work and a dropped request costs at most one more token. One torch thread: two that spin on shared cores
are several times slower than one.
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

KEPT = 3
"""Checkpoints in memory: the loop asks the base, the last one and the control."""


class ModelWorker:
    """Decoders by checkpoint, the last used last."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._decoders: OrderedDict[str, tuple[Any, Decoder]] = OrderedDict()

    @property
    def busy(self) -> bool:
        """Whether any row is still to be drawn."""
        return any(decoder.busy for _, decoder in self._decoders.values())

    def take(self, message: dict[str, Any]) -> None:
        """Starts, or answers at once, what the parent asks; an error goes back by name, with its line."""
        key = message["key"]
        try:
            self._do(message["do"], key, message)
        except UcoderError as error:
            self._send({"key": key, "error": type(error).__name__, "text": str(error)})
        except (MemoryError, torch.OutOfMemoryError) as error:
            line = str(error).partition("\n")[0]
            self._send({"key": key, "error": "Retry", "text": f"model {message['model']}: out of memory. {line}"})

    def step(self) -> None:
        """One token for every row of every checkpoint."""
        for _, decoder in list(self._decoders.values()):
            if decoder.busy:
                for key, completions in decoder.step():
                    self._send({"key": key, "completions": [asdict(completion) for completion in completions]})

    def _do(self, what: str, key: int, message: dict[str, Any]) -> None:
        if what == "drop":
            for _, decoder in self._decoders.values():
                decoder.drop(key)
            return
        checkpoint, decoder = self._decoder(message["model"])
        if what == "load":
            self._send({"key": key})
        elif what == "score":
            self._send({"key": key, "scored": asdict(decoder.score(message["text"]))})
        elif what == "complete":
            prompt = tuple(checkpoint.ids(message["prompt"]))
            sampling, stop = SamplingParameters(**message["sampling"]), tuple(message["stop"])
            decoder.add(DecodeRequest(key, prompt, message["first"], message["rows"], sampling, stop, message["seed"]))
        else:
            raise ValueError(f"unknown frame {what!r}")

    def _decoder(self, model: str) -> tuple[Any, Decoder]:
        if model not in self._decoders:
            idle = [name for name, (_, decoder) in self._decoders.items() if not decoder.busy]
            for name in idle[: max(0, len(self._decoders) - KEPT + 1)]:
                del self._decoders[name]
            checkpoint = load_model(model)
            self._decoders[model] = checkpoint, Decoder(checkpoint)
        self._decoders.move_to_end(model)
        return self._decoders[model]

    def _send(self, message: dict[str, Any]) -> None:
        self._out.write(pipe_messages.pack(message))
        self._out.flush()


def main() -> None:
    """Works until stdin ends."""
    end_with_parent(int(sys.argv[1]))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not land between frames
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    frames: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def listen() -> None:
        while (message := pipe_messages.read(sys.stdin.buffer)) is not None:
            frames.put(message)
        os._exit(0)  # the parent closed the pipe or died; nobody waits for what is under way

    threading.Thread(target=listen, daemon=True).start()
    worker = ModelWorker(out)
    try:
        while True:
            while not (worker.busy and frames.empty()):
                worker.take(frames.get())
            worker.step()
    finally:  # a bug; the interpreter's own way out would wait for the listening thread
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
