"""`agon axon echo` and `agon query` for the scripts of this directory, with the well-known keys as hotkeys."""

import contextlib
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path.home() / "hotkeys"


def agon(*arguments, status=0):
    """Runs agon and gives the JSON document it prints."""
    ran = subprocess.run(
        [os.environ["AGON"], *arguments, "--json"],
        env={**os.environ, "BT_WALLET_PATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == status, f"agon {arguments}: {ran.stdout}\n{ran.stderr}"
    return json.loads(ran.stdout) if ran.stdout else None


def hotkey(name):
    """The flags of a wallet whose hotkey is the well-known key of this name."""
    flags = "--wallet.name", name, "--wallet.hotkey", name
    if not (ROOT / name).exists():
        agon("wallet", "regen-hotkey", *flags, "--uri", f"//{name}", "--no-password")
    return flags


@contextlib.contextmanager
def serving(name, *arguments):
    """A server of the key with this name, which everybody may ask: its host and port."""
    command = [os.environ["AGON"], "axon", "echo", *hotkey(name), "--axon.port", "0", "--json", *arguments]
    server = subprocess.Popen(
        command,
        env={**os.environ, "BT_WALLET_PATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = json.loads(server.stdout.readline())
        host, port = said["address"].rsplit(":", 1)
        yield host, int(port)
    finally:
        server.terminate()
        assert server.wait(timeout=30) == 0
        server.stdout.close()


def query(caller, receiver, host, port, name, data, *arguments, status=0):
    """Asks one server and gives what became of it."""
    target = f"{receiver}@{host}:{port}"
    told = agon(
        "query", *hotkey(caller), "--to", target, "--name", name, "--data", json.dumps(data), *arguments,
        status=status,
    )
    (outcome,) = told["outcomes"]
    return outcome
