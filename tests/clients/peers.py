"""SDK 10's dendrite asks an Agon axon, and an Agon dendrite asks SDK 10's axon."""

import asyncio
import base64
import socket
import time
import unittest
from typing import ClassVar, Optional, Tuple

import msgpack
import msgpack_numpy
import numpy
from bittensor import Axon, AxonInfo, Dendrite, Synapse
from bittensor.utils import networking
from bittensor_wallet import Keypair, Wallet
from echo import ROOT, hotkey, query, serving


# The SDK asks services on the internet for it.
networking.get_external_ip = lambda: "192.0.2.1"


class Dummy(Synapse):
    dummy_input: int
    dummy_output: Optional[int] = None
    required_hash_fields: ClassVar[tuple[str, ...]] = ("dummy_input",)


class Listed(Synapse):
    """Fields whose text Python writes in its own way."""

    dummy_input: list
    dummy_output: Optional[list] = None
    required_hash_fields: ClassVar[tuple[str, ...]] = ("dummy_input",)


class Sleepy(Synapse):
    sleep: float = 3.0


class Failing(Synapse):
    fail: str = "the secret reason"


class Tensors(Synapse):
    tensor: dict


def key(name):
    return Keypair.create_from_uri(f"//{name}")


class Forger:
    """Says that it is somebody else."""

    def __init__(self, claimed, real):
        self.ss58_address = key(claimed).ss58_address
        self.real = key(real)

    def sign(self, message):
        return self.real.sign(message)


def ask(address, synapse, caller="Bob", receiver="Alice", timeout=10.0):
    """One request of SDK 10's dendrite."""

    async def asking():
        dendrite = Dendrite(wallet=key("Bob"))
        dendrite.keypair = caller if isinstance(caller, Forger) else key(caller)
        async with dendrite:
            host, port = address
            there = key(receiver).ss58_address
            axon = AxonInfo(version=1, ip=host, port=port, ip_type=4, hotkey=there, coldkey=there)
            return await dendrite(axon, synapse, timeout=timeout, deserialize=False)

    return asyncio.run(asking())


class TheirDendrite(unittest.TestCase):
    def test_it_is_answered(self):
        with serving("Alice", "--name", "Dummy,Listed", "--hashed", "dummy_input") as address:
            for number in (7, 0, -3, 2**40):
                answer = ask(address, Dummy(dummy_input=number))
                self.assertEqual((answer.dendrite.status_code, answer.dummy_output), (200, 2 * number))
                self.assertEqual(answer.axon.status_message, "Success")
            # The hash is over Python's own text of each of these.
            for value in (
                [1.0, 1e-5, 1e16, 0.1, -0.0],
                ["it's", 'a "quote"', "é\n\t\x00\u200b", "漢 😀"],
                [{"b": None, "a": [True, False, []]}, {}, [[1]]],
            ):
                answer = ask(address, Listed(dummy_input=value))
                self.assertEqual(answer.dendrite.status_code, 200, answer.dendrite.status_message)
                self.assertEqual(answer.dummy_output, value)
            ping = ask(address, Synapse())
            self.assertEqual(ping.dendrite.status_code, 200)

    def test_it_is_refused_with_the_status_it_knows(self):
        denied = ROOT / "denied"
        hotkey("Alice")
        denied.write_text(f"# nobody else\n{key('Mallory').ss58_address}\n")
        arguments = "--name", "Dummy,Sleepy,Failing", "--blacklist.deny", str(denied)
        with serving("Alice", *arguments) as address:
            answer = ask(address, Dummy(dummy_input=7), caller="Mallory")
            self.assertEqual(answer.dendrite.status_code, 403)
            self.assertEqual(answer.dendrite.status_message, "Forbidden. Key is blacklisted: denied.")
            answer = ask(address, Dummy(dummy_input=7), caller=Forger("Bob", "Mallory"))
            self.assertEqual(answer.dendrite.status_code, 401)
            self.assertIn("Signature mismatch", answer.dendrite.status_message)
            answer = ask(address, Dummy(dummy_input=7), receiver="Charlie")
            self.assertEqual(answer.dendrite.status_code, 403)
            answer = ask(address, Failing())
            self.assertEqual(answer.dendrite.status_code, 500)
            self.assertNotIn("secret", answer.dendrite.status_message)
            answer = ask(address, Sleepy(), timeout=0.5)
            self.assertIn(str(answer.dendrite.status_code), ("408",))
            # The list is read again while it serves.
            denied.write_text("")
            deadline = time.time() + 10
            while ask(address, Dummy(dummy_input=7), caller="Mallory").dendrite.status_code != 200:
                self.assertLess(time.time(), deadline)
                time.sleep(0.2)
            denied.write_text(key("Bob").ss58_address)
            while ask(address, Dummy(dummy_input=7)).dendrite.status_code != 403:
                self.assertLess(time.time(), deadline)
                time.sleep(0.2)

    def test_tensors_go_both_ways(self):
        with serving("Alice", "--name", "Tensors") as address:
            for array in (
                numpy.array([[1.5, 2], [3, 4]], dtype=numpy.float32),
                numpy.arange(5, dtype=numpy.int64),
                numpy.array([True, False]),
                numpy.zeros((2, 0, 3), dtype=numpy.float16),
                numpy.array(7, dtype=numpy.uint8),
            ):
                packed = msgpack.packb(array, default=msgpack_numpy.encode)
                shape = list(array.shape) or [0]
                sent = {
                    "buffer": base64.b64encode(packed).decode(),
                    "dtype": str(array.dtype),
                    "shape": shape,
                }
                answer = ask(address, Tensors(tensor=sent))
                self.assertEqual(answer.dendrite.status_code, 200, answer.dendrite.status_message)
                # It was read and written anew.
                self.assertEqual(answer.tensor, sent)
                got = base64.b64decode(answer.tensor["buffer"])
                read = msgpack.unpackb(got, object_hook=msgpack_numpy.decode)
                numpy.testing.assert_array_equal(read, array)


def doubled(synapse: Dummy) -> Dummy:
    synapse.dummy_output = 2 * synapse.dummy_input
    return synapse


async def slept(synapse: Sleepy) -> Sleepy:
    await asyncio.sleep(synapse.sleep)
    return synapse


def failed(synapse: Failing) -> Failing:
    raise RuntimeError(synapse.fail)


def black(synapse: Dummy) -> Tuple[bool, str]:
    return synapse.dendrite.hotkey == key("Mallory").ss58_address, "we know you"


class TheirAxon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        hotkey("Alice")
        wallet = Wallet(name="Alice", hotkey="Alice", path=str(ROOT))
        cls.axon = Axon(
            wallet=wallet, port=cls.port, ip="127.0.0.1", external_ip="127.0.0.1", external_port=cls.port
        )
        cls.axon.attach(forward_fn=doubled, blacklist_fn=black)
        cls.axon.attach(forward_fn=slept).attach(forward_fn=failed)
        cls.axon.start()
        # It serves from a thread of its own, some time after this returns.
        deadline = time.time() + 30
        while not cls.axon.fast_server.started:
            assert time.time() < deadline, "their axon does not start"
            time.sleep(0.05)

    @classmethod
    def tearDownClass(cls):
        cls.axon.stop()

    def query(self, name, data, *arguments, caller="Bob", receiver="Alice", status=0):
        there = key(receiver).ss58_address
        return query(caller, there, "127.0.0.1", self.port, name, data, *arguments, status=status)

    def test_it_answers(self):
        for number in (7, 0, -3, 2**40):
            told = self.query("Dummy", {"dummy_input": number}, "--hashed", "dummy_input")
            self.assertEqual(told["outcome"], "answer", told)
            self.assertEqual(told["answer"]["dummy_output"], 2 * number)
        self.assertEqual(self.query("Synapse", {})["outcome"], "answer")

    def test_its_refusals_are_understood(self):
        asked = "Dummy", {"dummy_input": 7}, "--hashed", "dummy_input"
        told = self.query(*asked, caller="Mallory", status=2)
        self.assertEqual((told["outcome"], told["status"]), ("refused", 403))
        self.assertIn("we know you", told["reason"])
        # Signed for somebody else.
        told = self.query(*asked, receiver="Charlie", status=2)
        self.assertEqual((told["outcome"], told["status"]), ("refused", 401))
        # The hash is over nothing, and that server wants it over the field.
        told = self.query("Dummy", {"dummy_input": 7}, status=2)
        self.assertEqual((told["outcome"], told["status"]), ("refused", 500))
        told = self.query("Failing", {"fail": "for a reason"}, status=2)
        self.assertEqual((told["outcome"], told["status"]), ("refused", 500))
        told = self.query("Nothing", {}, status=2)
        self.assertEqual((told["outcome"], told["status"]), ("refused", 404))
        told = self.query("Sleepy", {"sleep": 5.0}, "--within", "500ms", status=2)
        self.assertEqual(told["outcome"], "timeout")
        self.assertLess(told["seconds"], 2)
        told = self.query("Synapse", {}, "--signed", status=2)
        self.assertEqual(told["outcome"], "unsigned")


if __name__ == "__main__":
    unittest.main()
