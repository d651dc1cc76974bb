"""btcli on a subnet's rules: its owner sets them, everybody reads them."""

import unittest

from common import STILL, URL, ChainTest, btcli

NETWORK = ("--network", URL)


def set_rule(wallet, netuid, name, value):
    """Has a wallet ask for a value of a hyperparameter; gives what btcli says."""
    return btcli(
        "sudo", "set", *NETWORK, "--wallet-name", wallet.name, "--hotkey", wallet.hotkey_str, "--no-prompt",
        "--netuid", netuid, "--param", name, "--value", value,
    )  # fmt: skip


class BtcliRules(ChainTest):
    def test_an_owner_sets_hyperparameters(self):
        chain, owner, netuid = self.chain, self.bob, self.found(self.bob, STILL)
        wanted = {"immunity_period": 4321, "serving_rate_limit": 7}
        for name, value in wanted.items():
            done = set_rule(owner, netuid, name, value)
            self.assertTrue(done["success"], done)
        rules = btcli("sudo", "get", *NETWORK, "--netuid", netuid)
        shown = {each["hyperparameter"]: each["value"] for each in rules}
        self.assertEqual({name: shown[name] for name in wanted}, wanted)
        read = chain.get_subnet_hyperparameters(netuid)
        self.assertEqual({name: read[name] for name in wanted}, wanted)

        again = set_rule(owner, netuid, "immunity_period", 5)
        self.assertFalse(again["success"], again)
        self.assertIn("TxRateLimitExceeded", str(again))
        stranger = set_rule(self.charlie, netuid, "serving_rate_limit", 5)
        self.assertFalse(stranger["success"], stranger)
        self.assertEqual(chain.immunity_period(netuid), 4321)
        self.assertEqual(self.storage("ServingRateLimit", netuid), 7)


if __name__ == "__main__":
    unittest.main()
