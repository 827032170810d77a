"""Runs one program under a Runtime API of its own and measures that process."""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from events import SELLERS

# Invocations before the warm ones are counted.
SETTLING = 50
# Seconds that a start, or a turn, may take.
PATIENCE = 60
# Microseconds of a period in which a share of the CPU is granted.
PERIOD = 20_000


class Process:
    """A program that has settled and waits for its turns. `first_cpu` and `first_time` are in ms, up to its first answer; `warm_cpu` has the
    us an invocation of each turn; `rss` is in MB, at most."""

    def __init__(self, program, environment, memory):
        self.name, self.event = program.name, program.event
        self.invocations, self.started, self.turns, self.parked = 0, threading.Event(), threading.Semaphore(0), threading.Event()
        self.failure, self.warm_cpu, self.ended = None, [], False
        self.api = Server(("127.0.0.1", 0), type("Api", (RuntimeApi,), {"process": self}))
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        environment = environment | program.environment | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_port}"}
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.began = time.perf_counter()
        self.process = subprocess.Popen(program.command, env=environment, stdout=self.log, stderr=self.log)
        self.share = CpuShare(self.process.pid, memory) if memory else None
        self.started.set()
        self.wait()

    def turn(self, invocations):
        """Lets it have some warm invocations."""
        self.parked.clear()
        before = self.cpu()
        self.turns.release(invocations)
        self.wait()
        self.warm_cpu.append((self.cpu() - before) * 1000 / invocations)

    def wait(self):
        """Returns when it asks for an event and there is no turn left."""
        if not self.parked.wait(PATIENCE):
            self.failure = f"not done within {PATIENCE} s"
        if self.failure:
            self.end()

    def end(self):
        self.rss = self.peak_memory()
        self.ended = True
        self.process.kill()
        self.process.wait()
        if self.share:
            self.share.group.rmdir()
        self.api.shutdown()
        self.turns.release()
        if self.failure:
            self.log.seek(0)
            sys.exit(f"{self.name}: {self.failure}\n{self.log.read().decode(errors='replace')[-2000:]}")
        self.log.close()

    def cpu(self):
        """Milliseconds of the process's own CPU clock: of all its threads, those that ended too."""
        # As clock_getcpuclockid(3) makes it of a process id.
        return time.clock_gettime_ns((~self.process.pid << 3) | 2) / 1e6

    def peak_memory(self):
        try:
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
        except (OSError, StopIteration):
            self.failure = self.failure or "ended by itself"
            return 0

    def next_event(self):
        asked = time.perf_counter()
        # The process may ask before its id is known here.
        self.started.wait()
        if self.invocations == 0 and self.share:
            self.share.begin()
            # The kernel's own time to set a share does not count.
            self.began += time.perf_counter() - asked
        if self.invocations >= SETTLING and not self.turns.acquire(blocking=False):
            self.parked.set()
            self.turns.acquire()
        text = json.dumps(self.event).replace("NUMBER", f"{time.time_ns() % 10**12:012d}")
        return json.loads(text.replace("SELLER", f"s{self.invocations % SELLERS}"))

    def answered(self, body):
        if self.invocations == 0:
            self.first_cpu, self.first_time = self.cpu(), (time.perf_counter() - self.began) * 1000
            answer = json.loads(body or b"null")
            if isinstance(answer, dict) and answer.get("statusCode", 200) >= 300:
                return self.fail(f"answered {answer}")
        self.invocations += 1

    def fail(self, failure):
        self.failure = failure
        self.parked.set()


class RuntimeApi(BaseHTTPRequestHandler):
    process: Process
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # An answer leaves in one piece: each further one would wake the process again.
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: N802
        headers = {
            "lambda-runtime-aws-request-id": "018f2b6e-7c1a-7e3b-9d0a-000000000001",
            "lambda-runtime-deadline-ms": str(int(time.time() * 1000) + 30_000),
            "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        }
        event = self.process.next_event()
        if not self.process.ended:
            self.answer(200, event, headers)

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.endswith("/error"):
            self.process.fail(body.decode(errors="replace"))
        else:
            self.process.answered(body)
        self.answer(202, {"status": "OK"}, {})

    def answer(self, status, value, headers):
        body = json.dumps(value).encode()
        # The process may be killed by now.
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, text in ({"content-type": "application/json", "content-length": str(len(body))} | headers).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Ignores the connections that a killed process leaves."""


class CpuShare:
    """A control group that grants its process the share of a CPU that Lambda grants at `memory` MB: all of one until `begin`."""

    def __init__(self, pid, memory):
        # At 1769 MB a function has one whole CPU.
        root, name, quota = Path("/sys/fs/cgroup"), f"frontdesk-measure-{pid}", int(PERIOD * memory / 1769)
        if (root / "cgroup.controllers").exists():
            self.group, self.limits = root / name, {"cpu.max": f"{quota} {PERIOD}"}
        elif (root / "cpu/cgroup.procs").exists():
            self.group, self.limits = root / "cpu" / name, {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": str(quota)}
        else:
            sys.exit("--mem needs the cpu controller of cgroups in /sys/fs/cgroup")
        self.group.mkdir()
        self.write("cgroup.procs", str(pid))

    def begin(self):
        for file, value in self.limits.items():
            self.write(file, value)

    def write(self, file, value):
        # Opened for reading too, so that a file that is not there is not created.
        with (self.group / file).open("r+") as control:
            control.write(value)
