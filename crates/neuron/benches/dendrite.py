"""The Python SDK's dendrite asks many servers at once, as the bench's own does.

Arguments: the servers' hotkey, how often, their ports. Prints the median and the longest time in seconds.
"""

import asyncio
import sys
import time
from typing import ClassVar, Optional

from bittensor import AxonInfo, Dendrite, Synapse
from bittensor.utils import networking
from bittensor_wallet import Keypair


# The SDK asks services on the internet for it.
networking.get_external_ip = lambda: "192.0.2.1"


class Dummy(Synapse):
    dummy_input: int
    dummy_output: Optional[int] = None
    required_hash_fields: ClassVar[tuple[str, ...]] = ("dummy_input",)


async def main(hotkey, times, ports):
    axons = [
        AxonInfo(version=1, ip="127.0.0.1", port=port, ip_type=4, hotkey=hotkey, coldkey=hotkey) for port in ports
    ]
    taken = []
    async with Dendrite(wallet=Keypair.create_from_uri("//Bob")) as dendrite:
        for _ in range(times):
            begun = time.perf_counter()
            answers = await dendrite(axons, Dummy(dummy_input=7), timeout=12.0, deserialize=False)
            taken.append(time.perf_counter() - begun)
            assert all(answer.dummy_output == 14 for answer in answers)
    taken.sort()
    print(taken[len(taken) // 2], taken[-1])


asyncio.run(main(sys.argv[1], int(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
