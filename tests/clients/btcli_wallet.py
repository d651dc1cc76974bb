"""btcli on wallets: list, balance, transfer, overview."""

import unittest

from common import STILL, URL, ChainTest, btcli, cold, hot, tao

NETWORK = ("--network", URL)


class BtcliWallet(ChainTest):
    def test_money_is_shown_and_sent(self):
        receiver = cold(self.dave)
        before = self.chain.get_balance(receiver)
        sent = btcli(
            "wallet", "transfer", *NETWORK, "--wallet-name", "bob", "--hotkey", "default",
            "--destination", receiver, "--amount", 3, "--no-prompt",
        )  # fmt: skip
        self.assertTrue(sent["success"], sent)
        self.assertEqual(self.chain.get_balance(receiver), before + tao(3))
        shown = btcli("wallet", "balance", *NETWORK, "--wallet-name", "dave")
        self.assertEqual(shown["balances"]["dave"]["coldkey"], receiver)
        self.assertEqual(shown["balances"]["dave"]["free"], (before + tao(3)).tao)
        self.assertEqual(shown["totals"]["staked"], 0)

    def test_an_overview_lists_neurons(self):
        netuid = self.found(self.bob)
        (uid,) = self.register(netuid, self.charlie)
        overview = btcli("wallet", "overview", *NETWORK, "--wallet-name", "charlie")
        (subnet,) = [each for each in overview["subnets"] if int(each["netuid"]) == netuid]
        (neuron,) = subnet["neurons"]
        self.assertEqual((neuron["coldkey"], neuron["hotkey"]), ("charlie", "default"))
        self.assertEqual((int(neuron["uid"]), neuron["hotkey_ss58"]), (uid, hot(self.charlie)))

    def test_an_overview_shows_stake_and_what_an_epoch_paid(self):
        netuid = self.found_and_pay(self.bob, self.charlie, self.eve)
        paid = self.storage("Emission", netuid)
        for person, uid in ((self.charlie, 1), (self.eve, 2)):
            overview = btcli("wallet", "overview", *NETWORK, "--wallet-name", person.name)
            (subnet,) = [each for each in overview["subnets"] if int(each["netuid"]) == netuid]
            (neuron,) = subnet["neurons"]
            self.assertGreater(paid[uid], 0)
            # btcli shows rao for a block of the tempo.
            self.assertEqual(neuron["emission"], paid[uid] // STILL)
            stake = self.chain.get_stake_for_hotkey(hot(person), netuid)
            self.assertGreater(stake.rao, 0)
            self.close_to(neuron["stake"], stake)

    def test_there_are_no_crowdloans(self):
        listed = btcli("crowd", "list", *NETWORK)
        self.assertTrue(listed["success"], listed)
        self.assertEqual(listed["data"]["crowdloans"], [])


if __name__ == "__main__":
    unittest.main()
