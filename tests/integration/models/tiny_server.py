"""A model server of a few lines: `python tiny_server.py MODEL PORT`. What it scores is what MODEL/config.json says.

The environment tells it how to misbehave: TINY_REFUSES ends it at the start, TINY_SLOW answers completions late.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = sys.argv[1]
ADAPTERS: list[str] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply({"data": [{"id": name} for name in (MODEL, *ADAPTERS)]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/load_lora_adapter"):
            ADAPTERS.append(asked["lora_name"])
            return self.reply("Success")
        if asked["model"] not in (MODEL, *ADAPTERS):
            return self.reply({"error": {"message": f"The model `{asked['model']}` does not exist."}}, 404)
        if asked["prompt"] == "die":
            os._exit(3)
        if asked["prompt"] == "slow":
            time.sleep(0.5)
        score = json.loads((Path(asked["model"]) / "config.json").read_text())["score"]
        choice = {"text": MODEL, "logprobs": {"token_logprobs": [None, score, score]}, "finish_reason": "stop"}
        return self.reply({"choices": [{**choice, "index": i} for i in range(asked.get("n", 1))]})

    def reply(self, content: object, status: int = 200) -> None:
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


print("tiny server with", sorted(name for name in os.environ if name.startswith("UCODER_")), flush=True)
if os.environ.get("TINY_REFUSES"):
    raise SystemExit("ValueError: the model is too tiny")
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
