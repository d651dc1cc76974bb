"""Commitments: texts set and read in every form, time-locked ones kept closed."""

import unittest

from common import ChainTest, hot, tao


class Commitments(ChainTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.netuid = cls.found(cls.bob)
        cls.register(cls.netuid, cls.charlie, cls.dave, cls.eve)

    def test_a_commitment_is_read_back(self):
        chain, netuid = self.chain, self.netuid
        first = self.succeeds(chain.set_commitment(self.charlie, netuid, "first"))
        self.succeeds(chain.set_commitment(self.dave, netuid, "the other's"))
        self.assertEqual(chain.get_commitment(netuid, 1), "first")
        self.assertEqual(self.event(first, "Commitment"), {"netuid": netuid, "who": hot(self.charlie)})
        everything = chain.get_all_commitments(netuid)
        self.assertEqual(everything[hot(self.charlie)], "first")
        self.assertEqual(everything[hot(self.dave)], "the other's")

        longer = "x" * 120
        second = self.succeeds(chain.set_commitment(self.charlie, netuid, longer))
        self.assertEqual(chain.get_commitment(netuid, 1), longer)
        metadata = chain.get_commitment_metadata(netuid, hot(self.charlie))
        self.assertEqual(metadata["block"], self.block_of(second))
        block = self.block_of(second)
        self.assertEqual(chain.get_commitment(netuid, 1, block=block - 1), "first")

        info = chain.get_metagraph_info(netuid)
        self.assertEqual(dict(info.commitments)[hot(self.dave)], "the other's")

    def test_a_time_locked_commitment_stays_closed(self):
        chain, netuid = self.chain, self.netuid
        response = self.succeeds(
            chain.set_reveal_commitment(
                self.eve, netuid, "later", blocks_until_reveal=1_000_000, block_time=12
            )
        )
        metadata = chain.get_commitment_metadata(netuid, hot(self.eve))
        (field,) = metadata["info"]["fields"]
        locked = field["TimelockEncrypted"]
        rounds = response.data["reveal_round"]
        self.assertEqual(locked["reveal_round"], rounds)
        self.assertNotIn("later".encode().hex(), str(locked["encrypted"]))
        told = self.event(response, "TimelockCommitment")
        self.assertEqual((told["who"], told["reveal_round"]), (hot(self.eve), rounds))
        self.assertIsNone(chain.get_revealed_commitment(netuid, 3))

    def test_only_neurons_commit(self):
        # An account that does not exist could not even say who it is.
        self.succeeds(self.chain.transfer(self.alice, hot(self.alice), tao(1)))
        refused = self.chain.set_commitment(self.alice, self.netuid, "stranger")
        self.fails(refused, "AccountNotAllowedCommit")


if __name__ == "__main__":
    unittest.main()
