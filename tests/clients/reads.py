"""Connecting, and reading what every chain has: blocks, accounts, constants, hyperparameters."""

import unittest

from bittensor.utils.balance import Balance
from common import ChainTest, cold, tao


class Reads(ChainTest):
    def test_blocks_are_linked_and_keep_their_hashes(self):
        chain = self.chain
        first = chain.get_current_block()
        chain.wait_for_block(first + 3)
        self.assertGreaterEqual(chain.block, first + 3)
        child = chain.get_block_info(first + 1)
        self.assertEqual(child.number, first + 1)
        self.assertEqual(child.hash, chain.get_block_hash(first + 1))
        self.assertEqual(child.header["parentHash"], chain.get_block_hash(first))
        later, earlier = (chain.get_timestamp(block) for block in (first + 2, first + 1))
        self.assertGreater(later, earlier)

    def test_development_accounts_own_what_the_first_state_says(self):
        rich, poor = cold(self.bob), cold(self.eve)
        balances = self.chain.get_balances(rich, poor)
        self.assertEqual(balances[rich], tao(1_000_000))
        self.assertEqual(balances[poor], tao(2_000))
        self.assertEqual(self.chain.get_balance(poor), tao(2_000))

    def test_constants(self):
        self.assertEqual(self.chain.get_existential_deposit(), Balance.from_rao(500))

    def test_a_past_block_keeps_its_state(self):
        block = self.chain.get_current_block()
        receiver = cold(self.dave)
        before = self.chain.get_balance(receiver)
        self.succeeds(self.chain.transfer(self.charlie, receiver, tao(7)))
        self.assertEqual(self.chain.get_balance(receiver), before + tao(7))
        self.assertEqual(self.chain.get_balance(receiver, block=block), before)

    def test_what_does_not_exist_is_absent(self):
        chain = self.chain
        self.assertTrue(chain.subnet_exists(0))
        self.assertFalse(chain.subnet_exists(77))
        self.assertIsNone(chain.tempo(77))
        self.assertIsNone(chain.subnet(77))
        self.assertIsNone(chain.query_identity(cold(self.dave)))
        self.assertFalse(chain.is_hotkey_registered_any(cold(self.dave)))


if __name__ == "__main__":
    unittest.main()
