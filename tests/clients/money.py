"""Transfers: amounts, fees, refusals, nonces."""

import unittest

from common import ChainTest, cold, hot, tao


class Money(ChainTest):
    def test_a_transfer_moves_the_amount_and_costs_the_announced_fee(self):
        chain, sender, receiver = self.chain, self.bob, cold(self.dave)
        before = chain.get_balance(cold(sender)), chain.get_balance(receiver)
        announced = chain.get_transfer_fee(sender, receiver, tao(12.5))
        response = self.succeeds(chain.transfer(sender, receiver, tao(12.5)))
        paid = response.extrinsic_fee
        # The client announces the fee of a transaction that does not expire, which is a little simpler.
        self.assertGreater(announced.rao, 0)
        self.close_to(paid, announced)
        self.assertEqual(chain.get_balance(receiver), before[1] + tao(12.5))
        self.assertEqual(
            chain.get_balance(cold(sender)), before[0] - tao(12.5) - paid
        )
        told = self.event(response, "Transfer")
        self.assertEqual(
            (told["from"], told["to"], told["amount"]),
            (cold(sender), receiver, tao(12.5).rao),
        )

    def test_nobody_spends_more_than_they_own(self):
        before = self.chain.get_balance(cold(self.eve))
        response = self.chain.transfer(self.eve, cold(self.bob), tao(5_000))
        self.assertFalse(response.success)
        self.assertEqual(self.chain.get_balance(cold(self.eve)), before)

    def test_everything_can_be_sent(self):
        chain, emptied = self.chain, self.dave
        before = chain.get_balance(cold(emptied)), chain.get_balance(hot(self.charlie))
        response = self.succeeds(
            chain.transfer(
                emptied, hot(self.charlie), None, transfer_all=True, keep_alive=False
            )
        )
        self.assertEqual(chain.get_balance(cold(emptied)).rao, 0)
        self.assertEqual(
            chain.get_balance(hot(self.charlie)),
            before[1] + before[0] - response.extrinsic_fee,
        )

    def test_transfers_without_waiting_keep_their_order(self):
        chain, receiver = self.chain, hot(self.alice)
        before = chain.get_balance(receiver)
        for amount in (1, 2, 3):
            self.succeeds(
                chain.transfer(self.bob, receiver, tao(amount), wait_for_inclusion=False)
            )
        chain.wait_for_block(chain.get_current_block() + 3)
        self.assertEqual(chain.get_balance(receiver), before + tao(6))


if __name__ == "__main__":
    unittest.main()
