"""A private Redis, the example program examples/metrics.cpp on it, and a private Prometheus that scrapes it: for as long
as the context lasts, in a folder of their own, on ports that were free."""

import contextlib
import json
import os
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

CONFIGURATION = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}
scrape_configs:
  - job_name: obol
    static_configs: [{{ targets: ["{target}"] }}]
"""


class Prometheus:
    def __init__(self, port):
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.address}{path}?{query}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"Prometheus refuses {parameters}: {error.read().decode()}") from error

    def value_of(self, expression):
        return self.ask("/api/v1/query", query=expression)["result"]

    def series_of(self, expression, start, end, step):
        return self.ask("/api/v1/query_range", query=expression, start=start, end=end, step=step)["result"]


def free_port():
    """Below those that the system gives to connections, so that none of those takes it in between."""
    while True:
        port = random.randint(10_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def await_condition(condition, what, seconds=60):
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.1)


@contextlib.contextmanager
def running(*command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(url, timeout=5).status == 200
    return False


@contextlib.contextmanager
def scraped_example(program):
    """Gives the Prometheus, once the example has its first sample in it."""
    with tempfile.TemporaryDirectory(prefix="obol-") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        redis_socket = folder / "redis.sock"
        stack.enter_context(running(os.environ["OBOL_REDIS_SERVER"], "--port", "0", "--unixsocket", str(redis_socket),
                                    "--save", "", "--dir", name, stdout=subprocess.DEVNULL))
        await_condition(redis_socket.exists, "Redis")
        example = stack.enter_context(running(program, f"unix://{redis_socket}", stdout=subprocess.PIPE, text=True))
        address = example.stdout.readline().strip()
        if not address.startswith("http://"):
            raise RuntimeError("the example gave no address")
        configuration = folder / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(target=urllib.parse.urlsplit(address).netloc))
        port = free_port()
        log = stack.enter_context(open(folder / "prometheus.log", "w", encoding="utf-8"))
        stack.enter_context(running(os.environ["OBOL_PROMETHEUS"], f"--config.file={configuration}",
                                    f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
                                    stdout=log, stderr=log))
        prometheus = Prometheus(port)
        await_condition(lambda: answers(f"{prometheus.address}/-/ready"), "Prometheus")
        await_condition(lambda: prometheus.value_of("obol_session_events_total"), "a first scrape")
        yield prometheus, address
