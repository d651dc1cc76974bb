"""Shielded transactions: what clients encrypt to the block's author, as the SDK is asked to and as btcli does unasked."""

import unittest

from common import STILL, URL, ChainTest, btcli, cold, hot, tao

NETWORK = ("--network", URL)


class Shield(ChainTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.netuid = cls.found(cls.bob, STILL)
        cls.register(cls.netuid, cls.charlie, cls.dave)

    def nonce(self, owner):
        return self.chain.substrate.get_account_next_index(cold(owner))

    def staked(self, owner):
        return self.chain.get_stake_for_hotkey(hot(owner), self.netuid)

    def test_the_sdk_stakes_and_unstakes_shielded(self):
        chain, netuid, staker = self.chain, self.netuid, self.dave
        self.assertEqual(chain.get_mev_shield_next_key(), chain.get_mev_shield_current_key())
        nonce, price = self.nonce(staker), chain.get_subnet_price(netuid).tao
        added = self.succeeds(
            chain.add_stake(staker, netuid, hot(staker), tao(10), mev_protection=True)
        )
        stake = self.staked(staker)
        self.close_to(stake, 10 / price, part=0.05)
        told = self.event(added, "EncryptedSubmitted")
        self.assertEqual(told["who"], cold(staker))
        # What was inside stands in the same block.
        inner = added.mev_extrinsic
        self.assertEqual(inner.block_hash, added.extrinsic_receipt.block_hash)
        self.assertEqual(inner.extrinsic_idx, added.extrinsic_receipt.extrinsic_idx + 1)
        self.assertEqual(self.nonce(staker), nonce + 2)

        self.succeeds(
            chain.unstake(staker, netuid, hot(staker), stake / 2, mev_protection=True)
        )
        self.close_to(self.staked(staker), stake.tao / 2)
        self.assertEqual(self.nonce(staker), nonce + 4)

        # What is refused before a block stands in none, shielded or not: no trade keeps the price as it is.
        failed = chain.add_stake(
            staker, netuid, hot(staker), tao(100), safe_staking=True, rate_tolerance=0.0, mev_protection=True
        )  # fmt: skip
        self.fails(failed, "outcome of the shield extrinsic")
        self.close_to(self.staked(staker), stake.tao / 2)

    def test_btcli_shields_unless_it_is_told_not_to(self):
        chain, netuid, staker = self.chain, self.netuid, self.charlie
        asked = (
            *NETWORK, "--wallet-name", staker.name, "--hotkey", staker.hotkey_str, "--netuid", netuid,
            "--no-prompt", "--safe-staking", "--tolerance", 0.05, "--no-allow-partial-stake",
        )  # fmt: skip
        nonce = self.nonce(staker)
        added = btcli("stake", "add", *asked, "--amount", 10)
        self.assertTrue(added["staking_success"][str(netuid)][hot(staker)], added)
        stake = self.staked(staker)
        self.close_to(stake, 10 / chain.get_subnet_price(netuid).tao, part=0.05)
        self.assertEqual(self.nonce(staker), nonce + 2)

        (removed,) = btcli("stake", "remove", *asked, "--amount", 4)
        self.assertTrue(removed["success"], removed)
        self.close_to(self.staked(staker), stake.tao - 4)
        self.assertEqual(self.nonce(staker), nonce + 4)


if __name__ == "__main__":
    unittest.main()
