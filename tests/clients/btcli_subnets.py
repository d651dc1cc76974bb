"""btcli on subnets: create, list, show, register, hyperparameters."""

import unittest

from common import TEMPO, URL, ChainTest, btcli, btcli_says, cold, hot

NETWORK = ("--network", URL)


def asked_of(wallet):
    """How btcli is told a wallet."""
    return ("--wallet-name", wallet.name, "--hotkey", wallet.hotkey_str, "--no-prompt")


class BtcliSubnets(ChainTest):
    def test_a_subnet_is_created_listed_shown_and_joined(self):
        chain, owner = self.chain, self.bob
        self.as_root("sudo_set_network_rate_limit", rate_limit=0)
        price = btcli("subnets", "burn-cost", *NETWORK)["burn_cost"]
        self.assertEqual(price["rao"], chain.get_subnet_burn_cost().rao)
        created = btcli(
            "subnets", "create", *NETWORK, *asked_of(owner), "--no-mev-protection",
            "--subnet-name", "clients", "--github-repo", "https://github.com/a/b",
            "--subnet-contact", "a@b.example", "--subnet-url", "https://b.example",
            "--discord-handle", "ab", "--description", "made by btcli",
            "--logo-url", "https://b.example/logo.png", "--additional-info", "none",
        )  # fmt: skip
        self.assertTrue(created["success"], created)
        netuid = created["netuid"]
        self.assertEqual(chain.get_subnet_owner_hotkey(netuid), hot(owner))
        identity = chain.subnet(netuid).subnet_identity
        self.assertEqual((identity.subnet_name, identity.description), ("clients", "made by btcli"))
        btcli_says("subnets", "start", *NETWORK, *asked_of(owner), "--netuid", netuid)
        self.assertTrue(chain.is_subnet_active(netuid))

        # btcli gives the call until the epoch: the long tempo of a new subnet.
        joined = btcli("subnets", "register", *NETWORK, *asked_of(self.charlie), "--netuid", netuid)
        self.assertTrue(joined["success"], joined)
        self.assertTrue(chain.is_hotkey_registered(hot(self.charlie), netuid))
        self.as_root("sudo_set_tempo", netuid=netuid, tempo=TEMPO)

        listed = btcli("subnets", "list", *NETWORK)
        self.assertEqual(listed["total_netuids"], len(chain.get_all_subnets_netuid()))
        row = listed["subnets"][str(netuid)]
        self.assertEqual(row["subnet_name"], "clients")
        self.assertEqual(row["tempo"]["sn_tempo"], TEMPO)
        self.close_to(row["price"], chain.get_subnet_price(netuid).tao)

        shown = btcli("subnets", "show", *NETWORK, "--netuid", netuid, "--no-prompt")
        self.assertEqual(
            [(each["hotkey"], each["coldkey"]) for each in sorted(shown["uids"], key=lambda each: each["uid"])],
            [(hot(each), cold(each)) for each in (owner, self.charlie)],
        )

        rules = btcli("subnets", "hyperparameters", *NETWORK, "--netuid", netuid)
        values = {each["hyperparameter"]: each["value"] for each in rules}
        self.assertEqual(values["tempo"], TEMPO)

    def test_what_an_epoch_paid_is_shown(self):
        netuid = self.found_and_pay(self.charlie, self.dave, self.eve)
        shown = btcli("subnets", "show", *NETWORK, "--netuid", netuid, "--no-prompt")
        paid = self.storage("Emission", netuid)
        rows = sorted(shown["uids"], key=lambda each: each["uid"])
        self.assertEqual(len(rows), 3)
        for row, person, rao in zip(rows, (self.charlie, self.dave, self.eve), paid, strict=True):
            self.close_to(row["emissions"], rao / 1e9)
            stake = self.chain.get_stake_for_hotkey(hot(person), netuid)
            self.close_to(row["alpha_stake"], stake)
            self.close_to(row["stake"], stake)
        self.assertEqual(paid[0], 0)
        self.assertGreater(min(paid[1:]), 0)
        self.assertGreater(rows[1]["stake"], 300)


if __name__ == "__main__":
    unittest.main()
