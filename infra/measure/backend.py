"""DynamoDB and Popin as the measured programs meet them: a stand-in over TLS, and the environment that points at it."""

import functools
import json
import os
import subprocess

from events import API_KEY, SELLERS, UNCACHED, availability, snapshot
from programs import BUILT


def certificates(folder):
    """Writes a certificate authority (`ca.pem`) and a certificate of localhost (`cert.pem`, `key.pem`)."""
    run = lambda *words: subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)  # noqa: E731
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=measure", "-days", "2",
        "-addext", "basicConstraints=critical,CA:TRUE")  # fmt: skip
    run("req", *curve, "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    run("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "cert.pem", "-days", "2", "-extfile", "ext")


@functools.cache
def backend(folder, cached):
    """Starts a stand-in and returns its process and port; `cached` says whether its table has a snapshot of slots. It ends with its
    standard input, so when this program ends."""
    files = folder / f"cached-{cached}"
    files.mkdir()
    items = [snapshot()] if cached else []
    (files / "query.json").write_text(json.dumps({"Items": items, "Count": len(items), "ScannedCount": len(items)}))
    (files / "get.json").write_text(json.dumps(availability()))
    command = [BUILT / "standin/bootstrap", folder / "cert.pem", folder / "key.pem", files / "query.json", files / "get.json"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def environment(folder, name):
    """The variables a program is started with, and no others."""
    _, port = backend(folder, name in ("slots-api", UNCACHED))
    ca, endpoint, sellers = str(folder / "ca.pem"), f"https://localhost:{port}", folder / f"{name}.json"
    seller = {
        "name": "Acme Jewels", "default_country": "IN", "origins": ["https://shop.example.com"], "api_keys": [API_KEY],
        "popin": {"base_url": f"{endpoint}/api/v1", "api_key": "popin-key-0123456789", "token": "12159"},
        # The snapshot stays fresh enough, however long the run takes.
        "slots": {"refresh_seconds": 1, "stale_after_seconds": 86400, "unusable_after_seconds": 86400},
    }  # fmt: skip
    sellers.write_text(json.dumps({id_: seller for id_ in ([f"s{n}" for n in range(SELLERS)] if name == UNCACHED else ["acme"])}))
    return {
        "PATH": os.environ["PATH"], "LOG_LEVEL": "warn", "SELLERS_FILE": str(sellers),
        "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "measure", "AWS_SECRET_ACCESS_KEY": "measure",
        "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_CA_BUNDLE": ca, "NODE_EXTRA_CA_CERTS": ca,
        "TABLE_NAME": "t", "EVENTS_TABLE": "e", "SLOTS_TABLE": "s", "BOOKINGS_TABLE": "b", "_HANDLER": "handler",
        "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g", "AWS_LAMBDA_LOG_STREAM_NAME": "s",
    }  # fmt: skip
