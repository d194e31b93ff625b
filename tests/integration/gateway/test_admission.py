"""The checks around every request of the gateway: tokens, limits, clients that leave, and a graceful end."""

import json
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ucoder.runtime.settings import Settings

from .conftest import gateway_here, gateway_process

WAITS = "import time; time.sleep(3); print('done')"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory, served: str) -> Iterator[str]:
    """A gateway with tokens, a quota and a small limit of the body."""
    folder = tmp_path_factory.mktemp("limited")
    tokens = folder / "tokens"
    tokens.write_text("alice:token-of-alice-1\nbob:token-of-bob-000\n")
    with gateway_here(
        Settings(
            peers=f"consensus={served},sandbox_runner={served}",
            tokens_file=tokens,
            gateway_requests_per_minute=20,
            max_message_mb=1,
            gateway_origins="https://page.example",
        )
    ) as url:
        yield url


def test_tokens_quotas_and_sizes(limited: str) -> None:
    body = {"code": "print(1)", "language": "python"}
    with httpx.Client(base_url=limited, timeout=60) as http:
        assert http.get("/health").status_code == 200
        refused = http.post("/v1/run", json={"program": "print(1)"})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        wrong = http.post("/v1/chat/completions", json={}, headers={"authorization": "Bearer nobody"})
        assert wrong.status_code == 401
        assert wrong.json()["error"]["type"] == "authentication_error"
        alice, bob = ({"authorization": f"Bearer {token}"} for token in ("token-of-alice-1", "token-of-bob-000"))
        assert http.post("/run_code", json=body, headers=alice).json()["run_result"]["stdout"] == "1\n"
        assert http.post("/run_code", json=body, headers={"x-api-key": "token-of-bob-000"}).status_code == 200
        large = http.post("/run_code", json={**body, "stdin": "x" * (2 << 20)}, headers=alice)
        assert large.status_code == 413
        assert "2.0 MB, and the limit is 1 MB" in large.json()["detail"]
        answers = [http.get("/v1/models", headers=alice).status_code for _ in range(25)]
        assert 429 in answers
        assert http.post("/run_code", json=body, headers=alice).status_code in (429, 504)
        assert http.post("/run_code", json=body, headers=bob).status_code == 200
        asked = {"origin": "https://page.example", "access-control-request-method": "POST"}
        allowed = http.options("/v1/run", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://page.example"
        other = http.options("/v1/run", headers={**asked, "origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers


def test_a_client_that_leaves_frees_its_work(gateway_url: str) -> None:
    host, _, port = gateway_url.removeprefix("http://").partition(":")
    body = json.dumps({"code": "while True: pass", "language": "python", "run_timeout": 60}).encode()
    head = f"POST /run_code HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    for _ in range(6):  # more than there are cells, so that the next program would wait for one
        with socket.create_connection((host, int(port))) as leaving:
            leaving.sendall(head + body)
            time.sleep(0.15)
    started = time.monotonic()
    answer = httpx.post(f"{gateway_url}/run_code", json={"code": "print(7)", "language": "python"}, timeout=60)
    assert answer.json()["run_result"]["stdout"] == "7\n"
    assert time.monotonic() - started < 30  # each of the programs left behind would hold a cell for a minute


def test_a_drain_finishes_what_was_begun(tmp_path: Path) -> None:
    with gateway_process(tmp_path, "--standalone", cells="1", log_level="warning") as (url, process):
        answers: list[httpx.Response] = []

        def call() -> None:
            answers.append(httpx.post(f"{url}/run_code", json={"code": WAITS, "language": "python"}, timeout=60))

        calling = threading.Thread(target=call)
        calling.start()
        time.sleep(1.2)
        process.send_signal(signal.SIGTERM)
        calling.join(30)
        assert answers[0].json()["run_result"]["stdout"] == "done\n"
        assert process.wait(30) == 0


def test_a_platform_that_is_away_is_504_and_never_a_wrong_program() -> None:
    away = Settings(peers="consensus=127.0.0.1:9,sandbox_runner=127.0.0.1:9")
    with gateway_here(away) as url, httpx.Client(base_url=url, timeout=60) as http:
        body = {"code": "print(1)", "language": "python", "run_timeout": 0.1}
        answer = http.post("/run_code", json=body)
        assert answer.status_code == 504
        assert answer.json()["status"] == "SandboxError"
        assert answer.json()["run_result"] is None
        assert http.get("/ready").status_code == 503
        selected = http.post("/v1/select", json={"programs": ["def f(x: int): return x"]})
        assert selected.status_code == 503
        assert selected.headers["retry-after"]


def test_nearly_right_requests_are_answered_without_500(http: httpx.Client) -> None:
    """Sends a few hundred damaged bodies to each path. tests/fuzz sends many more."""
    bodies = {
        "/run_code": {"code": "print(1)", "language": "python", "stdin": "x", "files": {"a": "YQ=="}, "run_timeout": 1},
        "/submit": {"dataset": "x", "id": 1, "completion": "print(1)", "config": {"language": "python",
                    "provided_data": {"test": [{"input": {"stdin": ""}, "output": {"stdout": "1"}}]}}},
        "/common_evaluate_batch": {"completion": "print(1)", "config": {"language": "python", "provided_data":
                    {"test_cases": {"type": "stdin_stdout", "input": [""], "output": ["1"], "fn_name": None}}}},
        "/test_program": {"program": "x = 1", "tests": ["assert x == 1"], "max_execution_time": 1.0},
        "/v1/select": {"programs": ["def f(x: int): return x"], "inputs": 3},
        "/v1/run": {"program": "print(1)", "files": {"a": "b"}},
        "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "hi"}], "n": 1},
    }  # fmt: skip
    drawn = random.Random(7)
    for path, body in bodies.items():
        for _ in range(25):
            answer = http.post(path, content=damaged(json.dumps(body), drawn))
            assert answer.status_code not in (500, 502), (path, answer.request.content, answer.text)


def damaged(text: str, drawn: random.Random) -> bytes:
    """Returns a JSON text with one value replaced by another kind of value, or with a byte changed."""
    value = json.loads(text)
    place, key = value, ""
    while isinstance(place, dict | list) and place:
        parent, keys = place, list(place) if isinstance(place, dict) else list(range(len(place)))
        key = drawn.choice(keys)
        place = place[key]
        if drawn.random() < 0.4:
            break
    parent[key] = drawn.choice([None, -1, 1e308, "", "\ud800", [], {}, [[[]]], True, "x" * 1000, 2**70, {"a": None}])
    data = bytearray(json.dumps(value).encode())
    if drawn.random() < 0.2:
        data[drawn.randrange(len(data))] = drawn.randrange(256)
    return bytes(data)
