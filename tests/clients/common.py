"""What every script needs: the node, wallets with money, calls as root, epochs.

Each script runs against a node of its own, in a home of its own: it may name subnets and spend money as it likes.
"""

import json
import logging
import os
import pathlib
import subprocess
import sys
import unittest

import bittensor
from bittensor.core.extrinsics.utils import sudo_call_extrinsic
from bittensor.utils.balance import Balance
from bittensor_wallet import Wallet

URL = os.environ["AGON_NODE_URL"]
"""The node's WebSocket address."""

BTCLI = pathlib.Path(sys.executable).parent / "btcli"
"""The command of the same environment."""

TEMPO = 10
"""Blocks between two epochs of the subnets that `found` founds."""

STILL = 10_000
"""A tempo at which no epoch comes while a script runs, so that nobody's stake grows."""


def tao(amount):
    """An amount of TAO."""
    return Balance.from_tao(amount)


def wallet(name, hotkey="default"):
    """The wallet of a development account: coldkey `//Name`, which owns money, and a hotkey under it."""
    made = Wallet(name=name, hotkey=hotkey)
    uri = f"//{name.capitalize()}"
    if not made.coldkey_file.exists_on_device():
        made.create_coldkey_from_uri(uri, use_password=False)
    if not made.hotkey_file.exists_on_device():
        made.create_hotkey_from_uri(f"{uri}//{hotkey}", use_password=False)
    return made


def cold(owner):
    """The address of a wallet's coldkey."""
    return owner.coldkeypub.ss58_address


def hot(owner):
    """The address of a wallet's hotkey."""
    return owner.hotkey.ss58_address


def btcli_says(*arguments):
    """Runs `btcli` and gives what it prints."""
    arguments = [str(each) for each in arguments]
    ran = subprocess.run(
        [BTCLI, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, f"btcli {arguments}: {ran.stdout}\n{ran.stderr}"
    return ran.stdout


def btcli(*arguments):
    """Runs `btcli` and gives the JSON document it prints."""
    said = btcli_says(*arguments, "--json-output")
    begin = min((at for at in map(said.find, "{[") if at >= 0), default=0)
    try:
        # Some commands print a table before the document; all print it last.
        return json.loads(said[begin:])
    except json.JSONDecodeError:
        raise AssertionError(f"btcli {arguments} printed no JSON: {said}") from None


class ChainTest(unittest.TestCase):
    """A connection, and the sentences the scripts are written in."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        logging.disable(logging.DEBUG)
        cls.chain = bittensor.Subtensor(network=URL)
        cls.alice, cls.bob, cls.charlie = map(wallet, ("alice", "bob", "charlie"))
        cls.dave, cls.eve = map(wallet, ("dave", "eve"))

    @classmethod
    def tearDownClass(cls):
        cls.chain.close()

    @staticmethod
    def succeeds(response):
        """Expects a call to have been carried out."""
        assert response.success, response.message
        return response

    def fails(self, response, error):
        """Expects a call to have been refused with a public error's name (a pattern)."""
        self.assertFalse(response.success, f"accepted, expected {error}")
        self.assertRegex(response.message, error)

    @classmethod
    def as_root(cls, function, module="AdminUtils", **params):
        """Makes a call as root; Alice may. A sudo transaction succeeds even if its call fails: the event tells."""
        response = cls.succeeds(
            sudo_call_extrinsic(cls.chain, cls.alice, function, params, module)
        )
        events = response.extrinsic_receipt.triggered_events
        outcomes = [
            event["attributes"]["sudo_result"]
            for event in map(plain_event, events)
            if event["event_id"] == "Sudid"
        ]
        assert len(outcomes) == 1 and "Ok" in outcomes[0], f"{function}: {outcomes}"

    @classmethod
    def found(cls, owner, tempo=TEMPO):
        """Founds and starts a subnet with short epochs that takes weights openly and as often as one likes."""
        cls.as_root("sudo_set_network_rate_limit", rate_limit=0)
        before = set(cls.chain.get_all_subnets_netuid())
        cls.succeeds(cls.chain.register_subnet(owner))
        (netuid,) = set(cls.chain.get_all_subnets_netuid()) - before
        cls.succeeds(cls.chain.start_call(owner, netuid))
        cls.as_root("sudo_set_tempo", netuid=netuid, tempo=tempo)
        cls.as_root(
            "sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=False
        )
        cls.as_root(
            "sudo_set_weights_set_rate_limit", netuid=netuid, weights_set_rate_limit=0
        )
        return netuid

    @classmethod
    def register(cls, netuid, *newcomers):
        """Makes hotkeys neurons; gives their uids."""
        for newcomer in newcomers:
            cls.succeeds(cls.chain.burned_register(newcomer, netuid))
        return [
            cls.chain.get_uid_for_hotkey_on_subnet(hot(newcomer), netuid)
            for newcomer in newcomers
        ]

    @classmethod
    def found_and_pay(cls, owner, validator, miner):
        """Founds a subnet in which a validator weighs a miner and epochs pay both, and which then stands still."""
        netuid = cls.found(owner)
        _, uid = cls.register(netuid, validator, miner)
        cls.succeeds(cls.chain.add_stake(validator, netuid, hot(validator), tao(500)))
        cls.next_epoch(netuid)  # gives the validator its permit
        cls.succeeds(cls.chain.set_weights(validator, netuid, [uid], [1]))
        # The first epoch may have begun before the weights stood.
        cls.next_epoch(netuid)
        cls.next_epoch(netuid)
        cls.as_root("sudo_set_tempo", netuid=netuid, tempo=STILL)
        return netuid

    @classmethod
    def next_epoch(cls, netuid):
        """Waits until the next epoch of a subnet has run; gives the block after it."""
        after = cls.chain.get_next_epoch_start_block(netuid) + 1
        cls.chain.wait_for_block(after)
        return after

    def storage(self, name, *keys, module="SubtensorModule", block=None):
        """A value as it stands in storage."""
        return self.chain.query_module(module, name, params=list(keys), block=block).value

    def block_of(self, response):
        """The number of the block that took a call."""
        return self.chain.substrate.get_block_number(response.extrinsic_receipt.block_hash)

    def event(self, response, name):
        """The attributes of the one event of this name that a call caused."""
        events = map(plain_event, response.extrinsic_receipt.triggered_events)
        (attributes,) = [
            event["attributes"] for event in events if event["event_id"] == name
        ]
        return attributes

    def close_to(self, actual, expected, part=1e-3, message=None):
        """Expects two amounts to differ by no more than a part of the second."""
        actual, expected = float(actual), float(expected)
        self.assertLessEqual(
            abs(actual - expected), part * abs(expected), message or f"{actual} is not {expected}"
        )


def plain_event(event):
    """An event without what surrounds it in the list of a block's events."""
    return event.get("event", event)
