"""Becoming a neuron in both ways, and announcing an address."""

import unittest

import bittensor
from bittensor.utils.balance import Balance
from common import ChainTest, cold, hot, tao


class Neuron(ChainTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.netuid = cls.found(cls.bob)
        cls.as_root("sudo_set_serving_rate_limit", netuid=cls.netuid, serving_rate_limit=0)

    def test_a_burned_registration_costs_its_price(self):
        chain, netuid, newcomer = self.chain, self.netuid, self.charlie
        response = self.succeeds(chain.burned_register(newcomer, netuid))
        block = self.block_of(response)
        price = chain.recycle(netuid, block=block - 1)
        paid = response.data["balance_before"] - response.data["balance_after"]
        # The price falls a little between the block the client read and the block that took the call.
        self.close_to(paid - response.extrinsic_fee, price, part=0.01)
        self.assertGreater(chain.recycle(netuid, block=block), price)

        uid = chain.get_uid_for_hotkey_on_subnet(hot(newcomer), netuid)
        self.assertEqual(self.event(response, "NeuronRegistered"), (netuid, uid, hot(newcomer)))
        neuron = chain.neuron_for_uid(uid, netuid)
        self.assertEqual(
            (neuron.uid, neuron.hotkey, neuron.coldkey), (uid, hot(newcomer), cold(newcomer))
        )
        self.assertTrue(chain.is_hotkey_registered(hot(newcomer), netuid))
        self.assertEqual(chain.get_netuids_for_hotkey(hot(newcomer)), [netuid])
        self.assertEqual(chain.get_hotkey_owner(hot(newcomer)), cold(newcomer))
        self.assertIn(hot(newcomer), chain.get_owned_hotkeys(cold(newcomer)))
        self.assertEqual(self.storage("BlockAtRegistration", netuid, uid), block)

    def test_a_registration_with_a_limit_is_bound_by_it(self):
        chain, netuid, newcomer = self.chain, self.netuid, self.dave
        self.fails(
            chain.register(newcomer, netuid, limit_price=Balance.from_rao(1)),
            "RegistrationPriceLimitExceeded",
        )
        self.assertFalse(chain.is_hotkey_registered(hot(newcomer), netuid))
        self.succeeds(chain.register(newcomer, netuid))
        self.assertTrue(chain.is_hotkey_registered(hot(newcomer), netuid))
        again = self.succeeds(chain.register(newcomer, netuid))
        self.assertIn("Already registered", again.message)

    def test_an_axon_is_read_back(self):
        chain, netuid, server = self.chain, self.netuid, self.eve
        (uid,) = self.register(netuid, server)
        axon = bittensor.Axon(
            wallet=server, port=8091, external_ip="127.0.0.1", external_port=18091
        )
        response = self.succeeds(chain.serve_axon(netuid, axon))
        for neuron in (
            chain.neuron_for_uid(uid, netuid),
            chain.neurons_lite(netuid)[uid],
            chain.neurons(netuid)[uid],
        ):
            info = neuron.axon_info
            self.assertEqual((info.ip, info.port, info.ip_type), ("127.0.0.1", 18091, 4))
            self.assertEqual((info.hotkey, info.coldkey), (hot(server), cold(server)))
        stored = self.storage("Axons", netuid, hot(server))
        self.assertEqual(stored["block"], self.block_of(response))
        self.assertEqual(self.event(response, "AxonServed"), (netuid, hot(server)))

        again = self.succeeds(chain.serve_axon(netuid, axon))
        self.assertIn("already served", again.message)

    def test_only_neurons_announce_an_address(self):
        # An account that does not exist could not even say who it is.
        self.succeeds(self.chain.transfer(self.alice, hot(self.alice), tao(1)))
        axon = bittensor.Axon(
            wallet=self.alice, port=8092, external_ip="127.0.0.1", external_port=18092
        )
        # The number of HotKeyNotRegisteredInNetwork: the chain refuses the call before it stands in a block.
        self.fails(self.chain.serve_axon(self.netuid, axon), r"Custom error: 10\b")


if __name__ == "__main__":
    unittest.main()
