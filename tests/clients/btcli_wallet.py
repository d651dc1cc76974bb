"""btcli on wallets: list, balance, transfer, overview."""

import unittest

from common import URL, ChainTest, btcli, cold, hot, tao

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


if __name__ == "__main__":
    unittest.main()
