"""Weights set openly, committed by hash and revealed, and committed under a time lock."""

import hashlib
import unittest

import numpy
from common import ChainTest, hot, tao
from scalecodec.utils.ss58 import ss58_decode

SALT = [11, 22, 33, 44, 55, 66, 77, 88]
VERSION = 7
WHOLE = 65_535


class Weights(ChainTest):
    """One subnet each: a validator (Charlie) with stake and two miners."""

    def subnet(self):
        netuid = self.found(self.bob)
        _, *miners = self.register(netuid, self.charlie, self.dave, self.eve)
        self.succeeds(
            self.chain.add_stake(self.charlie, netuid, hot(self.charlie), tao(200))
        )
        self.next_epoch(netuid)  # gives the validator its permit
        return netuid, miners

    def row(self, netuid, validator):
        """The weights of a neuron as they are stored."""
        uid = self.chain.get_uid_for_hotkey_on_subnet(hot(validator), netuid)
        return dict(self.chain.weights(netuid)).get(uid)

    def test_open_weights(self):
        chain, (netuid, miners) = self.chain, self.subnet()
        self.assertIsNone(self.row(netuid, self.charlie))
        response = self.succeeds(
            chain.set_weights(
                self.charlie, netuid, miners, numpy.array([0.25, 0.75]), version_key=VERSION
            )
        )
        # The greatest weight is stored as the whole.
        self.assertEqual(
            [tuple(each) for each in self.row(netuid, self.charlie)],
            [(miners[0], WHOLE // 3), (miners[1], WHOLE)],
        )
        block = self.block_of(response)
        uid = chain.get_uid_for_hotkey_on_subnet(hot(self.charlie), netuid)
        self.assertEqual(self.storage("LastUpdate", netuid)[uid], block)
        self.assertEqual(self.event(response, "WeightsSet"), (netuid, uid))

        chain.wait_for_block()  # the client itself waits a block between two tries
        self.fails(
            chain.set_weights(self.charlie, netuid, [99], [1.0], max_attempts=1),
            "UidVecContainInvalidOne",
        )
        self.as_root("sudo_set_weights_version_key", netuid=netuid, weights_version_key=VERSION + 1)
        self.fails(
            chain.set_weights(
                self.charlie, netuid, miners, [0.5, 0.5], version_key=VERSION, max_attempts=1
            ),
            "IncorrectWeightVersionKey",
        )

    def test_hash_commits_are_revealed_in_their_epoch(self):
        chain, (netuid, miners) = self.chain, self.subnet()
        self.as_root("sudo_set_tempo", netuid=netuid, tempo=40)
        self.as_root("sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=True)
        self.assertEqual(chain.get_subnet_reveal_period_epochs(netuid), 1)
        self.next_epoch(netuid)
        values = [WHOLE // 2, WHOLE]
        reveal = dict(
            wallet=self.charlie,
            netuid=netuid,
            uids=miners,
            weights=values,
            version_key=VERSION,
        )
        committed = self.succeeds(
            chain.commit_weights(
                **reveal, salt=SALT, wait_for_inclusion=True, wait_for_finalization=True
            )
        )
        (commit,) = self.storage("WeightCommits", netuid, hot(self.charlie))
        self.assertEqual(commit[0].removeprefix("0x"), digest(self.charlie, netuid, miners, values))
        self.assertEqual(commit[2], self.block_of(committed))
        self.assertIsNone(self.row(netuid, self.charlie))

        # Reveals cost nothing, so those that cannot succeed are refused before they stand in a block, by the public
        # numbers of a wrong epoch and of a commit that nobody made.
        self.fails(
            chain.reveal_weights(**reveal, salt=SALT, max_attempts=1), r"Custom error: 17\b"
        )
        self.next_epoch(netuid)
        self.fails(
            chain.reveal_weights(**reveal, salt=SALT[::-1], max_attempts=1),
            r"Custom error: 16\b",
        )
        self.succeeds(chain.reveal_weights(**reveal, salt=SALT, max_attempts=1))
        self.assertEqual(
            [tuple(each) for each in self.row(netuid, self.charlie)], list(zip(miners, values))
        )
        self.assertFalse(self.storage("WeightCommits", netuid, hot(self.charlie)))

    def test_timelocked_commits_are_stored_as_sent(self):
        chain, (netuid, miners) = self.chain, self.subnet()
        self.as_root("sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=True)
        response = self.succeeds(
            chain.set_weights(
                self.charlie, netuid, miners, [0.25, 0.75], version_key=VERSION
            )
        )
        sent, rounds = response.data["commit_for_reveal"], response.data["reveal_round"]
        ((sender, block, stored, round_),) = chain.get_timelocked_weight_commits(netuid)
        self.assertEqual((sender, round_), (hot(self.charlie), rounds))
        self.assertEqual(block, self.block_of(response))
        self.assertEqual(bytes.fromhex(stored.removeprefix("0x")), sent)
        account, index, commit, round_ = self.event(response, "TimelockedWeightsCommitted")
        self.assertEqual((account, index, round_), (hot(self.charlie), netuid, rounds))
        self.assertEqual(
            commit.removeprefix("0x"), hashlib.blake2b(sent, digest_size=32).hexdigest()
        )
        # What is locked is not set.
        self.assertIsNone(self.row(netuid, self.charlie))


def digest(validator, netuid, uids, values):
    """The hash of weights as the chain defines it: BLAKE2b-256 of the SCALE encoding."""

    def vector(numbers):
        return bytes([len(numbers) << 2]) + b"".join(word(each) for each in numbers)

    def word(number):
        return int(number).to_bytes(2, "little")

    encoded = (
        bytes.fromhex(ss58_decode(hot(validator)))
        + word(netuid)
        + vector(uids)
        + vector(values)
        + vector(SALT)
        + VERSION.to_bytes(8, "little")
    )
    return hashlib.blake2b(encoded, digest_size=32).hexdigest()


if __name__ == "__main__":
    unittest.main()
