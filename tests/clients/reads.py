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

        self.assertFalse(self.chain.is_fast_blocks())
        loans = self.chain.get_crowdloan_constants()
        self.assertEqual((loans.MinimumDeposit, loans.AbsoluteMinimumContribution), (tao(10), tao(0.1)))
        self.assertEqual((loans.MinimumBlockDuration, loans.MaximumBlockDuration), (50_400, 432_000))
        self.assertEqual((loans.RefundContributorsLimit, loans.MaxContributors), (50, 500))

    def test_there_are_no_crowdloans(self):
        chain = self.chain
        self.assertEqual(chain.get_crowdloans(), [])
        self.assertIsNone(chain.get_crowdloan_by_id(0))
        self.assertEqual(chain.get_crowdloan_contributions(0), {})
        self.assertEqual(chain.get_crowdloan_next_id(), 0)
        asked = chain.create_crowdloan(
            self.bob, deposit=tao(10), min_contribution=tao(1), cap=tao(100),
            end=chain.get_current_block() + 60_000,
        )  # fmt: skip
        self.fails(asked, "NotOnThisChain")

    def test_kinds_of_proxies_say_what_they_may(self):
        kinds, rules = self.chain.get_proxy_types(), self.chain.get_proxy_filter()
        self.assertEqual([kind.index for kind in kinds], list(range(18)))
        self.assertEqual([rule.name for rule in rules], [kind.name for kind in kinds])
        self.assertEqual(
            [kind.name for kind in kinds if kind.deprecated],
            ["Senate", "Triumvirate", "Governance", "RootWeights"],
        )
        by_name = {rule.name: rule for rule in rules}
        self.assertEqual(by_name["Any"].filter_mode, "AllowAll")
        self.assertEqual(by_name["Senate"].filter_mode, "DenyAll")
        registration = by_name["Registration"]
        self.assertEqual(registration.filter_mode, "Allow")
        self.assertEqual(
            sorted((call["pallet_name"], call["call_name"]) for call in registration.calls),
            [("SubtensorModule", name) for name in ("burned_register", "register", "register_limit")],
        )
        self.assertEqual(by_name["NonTransfer"].filter_mode, "Deny")
        money = next(call for call in by_name["NonTransfer"].calls if call["pallet_name"] == "Balances")
        self.assertEqual((money["pallet_index"], money["call_name"]), (5, None))
        for call in by_name["SmallTransfer"].calls:
            self.assertEqual(call["condition"]["ParamLessThan"]["limit"], tao(0.5).rao)

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
