"""The Python SDK's axon, doing what the bench's own does. Prints its port and serves until it is killed."""

import pathlib
import socket
import tempfile
import time
from typing import ClassVar, Optional

from bittensor import Axon, Synapse
from bittensor_wallet import Keypair, Wallet


class Dummy(Synapse):
    dummy_input: int
    padding: str = ""
    dummy_output: Optional[int] = None
    required_hash_fields: ClassVar[tuple[str, ...]] = ("dummy_input",)


def double(synapse: Dummy) -> Dummy:
    synapse.dummy_output = 2 * synapse.dummy_input
    return synapse


with tempfile.TemporaryDirectory() as home, socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    wallet = Wallet(name="alice", hotkey="alice", path=str(pathlib.Path(home)))
    wallet.set_hotkey(Keypair.create_from_uri("//Alice"), encrypt=False, overwrite=True)
    axon = Axon(wallet=wallet, port=port, ip="127.0.0.1", external_ip="127.0.0.1", external_port=port)
    axon.attach(forward_fn=double)
    axon.start()
    print(port, flush=True)
    while True:
        time.sleep(60)
