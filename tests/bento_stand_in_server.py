"""The program behind `bento_stand_in`: takes the arguments of a Python that is told to start a BentoML server, and is a server.

    bento_stand_in_server.py FOLDER -m bentoml_cli._internal.start start-http-server --service-name X --host H --port P ... BENTO

FOLDER holds what it does (behaviour.json) and is told what it was started with (started/).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TRIED = 2
"""Requests that a test's payloads have: they are sent once before any load."""


class Serving:
    """A service, what it does and what it counts."""

    def __init__(self, args: list[str], behaviour: dict[str, Any]) -> None:
        self.service = args[args.index("--service-name") + 1]
        self.port = int(args[args.index("--port") + 1])
        given = [args[place + 1] for place, word in enumerate(args) if word == "--depends"]
        self.dependencies = [word.partition("=")[2] for word in given]
        self.does: dict[str, Any] = behaviour.get(self.service, {})
        self.deadline = int(os.environ.get("EMBEDDING_MAX_LATENCY_MS", "0"))
        self.requests = 0

    def sheds(self) -> bool:
        """Under load, where the deadline is below a bound."""
        self.requests += 1
        return 0 < self.deadline < self.does.get("shed_below", 50) and self.requests > TRIED


def handler(serving: Serving) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.answer(serving.does.get("ready", 200), "")
                return
            name = "bentoml_service_adaptive_batch_size"
            labels = '{method_name="encode",service_name="support_tickets"}'
            self.answer(200, f"{name}_sum{labels} {4.0 * serving.requests}\n{name}_count{labels} {1.0 * serving.requests}\n")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for address in serving.dependencies:
                from urllib.request import Request, urlopen  # most have none, and start sooner without

                urlopen(Request(address + "/encode", body, {"content-type": "application/json"})).read()
            time.sleep(serving.does.get("seconds", 0))  # how long the answer takes
            if b'"bad"' in body:
                self.answer(400, "texts: not this one")
            else:
                self.answer(503 if serving.sheds() else serving.does.get("status", 200), "[]")

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(folder: Path, args: list[str]) -> None:
    serving = Serving(args, json.loads((folder / "behaviour.json").read_text()))
    worker = subprocess.Popen(["sleep", "600"], start_new_session=True)  # until it is ended, which is what the test is about

    def end(_number: int, _frame: object) -> None:
        if not serving.does.get("deaf"):
            worker.kill()
            os._exit(0)

    signal.signal(signal.SIGTERM, end)
    config = os.environ.get("BENTOML_CONFIG")
    told = {
        "service": serving.service,
        "pid": os.getpid(),
        "worker": worker.pid,
        "args": args,
        "env": dict(os.environ),
        "config": Path(config).read_text() if config else None,
        "models": sorted(path.name for path in Path(os.environ["BENTOML_HOME"], "models").iterdir()),
    }
    part = folder / f"{os.getpid()}.part"
    part.write_text(json.dumps(told))
    part.rename(folder / "started" / f"{os.getpid():08}.json")
    print(f"this is {serving.service}", flush=True)  # noqa: T201
    if "ends" in serving.does:
        worker.kill()
        sys.exit(serving.does["ends"])
    Server(("127.0.0.1", serving.port), handler(serving)).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
