"""The programs that are measured: the functions, the baseline, a bare put, and a peer each in Node and Python."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from events import EVENTS, UNCACHED

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
# Where `infra/measure/build` leaves the baseline, the bare put and the stand-in.
BUILT = TARGET / "measure"
PEERS = Path(__file__).parent / "peers"


@dataclass
class Program:
    name: str
    command: list[str]
    event: dict
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def megabytes(self):
        """The size of its binary. None where the command is an interpreter's."""
        return Path(self.command[0]).stat().st_size / 1e6 if len(self.command) == 1 else None


def ours():
    event = EVENTS["event-intake"]
    yield Program("hello", [str(BUILT / "hello/bootstrap")], event)
    yield Program("put", [str(BUILT / "put/bootstrap")], event)
    for name, event in EVENTS.items():
        function = "slots-api" if name == UNCACHED else name
        yield Program(name, [str(TARGET / "lambda" / function / "bootstrap")], event)


def peers(folder):
    """Builds both peers with pinned packages, and tells how each is run."""
    event = json.loads((folder / "event.json").read_text())
    node, python = TARGET / "peers/node", TARGET / "peers/python"
    build(folder / "node", node, build_node)
    build(folder / "python", python, build_python)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    variables = {
        "PYTHONPATH": f"{python}/package:{python}/runtime", "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": f"{python}/package", "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
    }  # fmt: skip
    # The interpreters themselves: what version managers put on the path are scripts, whose start would count.
    yield Program("node", [executable("node", "-p", "process.execPath"), str(node / "bundle.mjs")], event)
    yield Program("python", [executable(sys.executable, "-c", "import sys; print(sys.executable)"), "-m", "awslambdaric", "handler.handler"], event, variables)


def executable(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def build(source, out, make):
    """Copies a peer to `out` and builds it there, unless that was done already with these very files."""
    files = sorted(file for file in source.iterdir() if file.is_file())
    digest = hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files))
    stamp, pins = out / "stamp", f"{digest.hexdigest()} {sys.version}"
    if stamp.exists() and stamp.read_text() == pins:
        return
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for file in files:
        shutil.copy(file, out)
    make(out)
    stamp.write_text(pins)


def build_node(out):
    run = lambda *command: subprocess.run(command, cwd=out, check=True, stdout=subprocess.DEVNULL)  # noqa: E731
    run("npm", "ci", "--loglevel=error")
    require = 'import{createRequire}from"module";const require=createRequire(import.meta.url);'
    run("npx", "esbuild", "bootstrap.mjs", "--bundle", "--minify", "--platform=node", "--target=node20", "--format=esm",
        "--outfile=bundle.mjs", "--log-level=error", f"--banner:js={require}")  # fmt: skip


def build_python(out):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-deps"]
    for folder, pins in (("package", "requirements.txt"), ("runtime", "runtime.txt")):
        subprocess.run([*pip, "--target", out / folder, "-r", out / pins], check=True)
    shutil.copy(out / "handler.py", out / "package")
    subprocess.run([sys.executable, "-m", "compileall", "-q", out / "package/handler.py"], check=True)
