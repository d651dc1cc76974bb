"""btcli on stake: add, list, remove, with its default limits."""

import unittest

from common import STILL, URL, ChainTest, btcli, hot, tao

NETWORK = ("--network", URL)


class BtcliStake(ChainTest):
    def test_stake_is_added_listed_and_removed(self):
        chain, netuid, staker = self.chain, self.found(self.bob, STILL), self.charlie
        self.register(netuid, staker)
        asked = (
            *NETWORK, "--wallet-name", staker.name, "--hotkey", staker.hotkey_str, "--netuid", netuid,
            "--no-prompt", "--no-mev-protection", "--safe-staking", "--tolerance", 0.05, "--no-allow-partial-stake",
        )  # fmt: skip
        added = btcli("stake", "add", *asked, "--amount", 10)
        self.assertTrue(added["staking_success"][str(netuid)][hot(staker)], added)
        stake = chain.get_stake_for_hotkey(hot(staker), netuid)
        self.close_to(stake, tao(10) / chain.get_subnet_price(netuid).tao, part=0.05)

        listed = btcli("stake", "list", *NETWORK, "--wallet-name", staker.name, "--no-prompt")
        (row,) = [each for each in listed["stake_info"][hot(staker)] if each["netuid"] == netuid]
        self.close_to(row["stake_value"], stake)
        self.assertTrue(row["registered"])

        (removed,) = btcli("stake", "remove", *asked, "--amount", 4)
        self.assertTrue(removed["success"], removed)
        self.close_to(chain.get_stake_for_hotkey(hot(staker), netuid), stake.tao - 4)


if __name__ == "__main__":
    unittest.main()
