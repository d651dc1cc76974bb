"""Founding, starting and reading a subnet; its hyperparameters."""

import unittest

from common import TEMPO, ChainTest, cold, hot, tao


class Subnet(ChainTest):
    def test_a_subnet_is_founded_started_and_read_in_every_form(self):
        chain, owner = self.chain, self.bob
        self.as_root("sudo_set_network_rate_limit", rate_limit=0)
        price, before = chain.get_subnet_burn_cost(), chain.get_balance(cold(owner))
        known = chain.get_all_subnets_netuid()
        self.assertGreaterEqual(price, tao(1_000))
        response = self.succeeds(chain.register_subnet(owner))
        self.assertEqual(
            chain.get_balance(cold(owner)), before - price - response.extrinsic_fee
        )
        (netuid,) = set(chain.get_all_subnets_netuid()) - set(known)
        self.assertEqual(chain.get_total_subnets(), len(known) + 1)
        self.assertEqual(self.event(response, "NetworkAdded"), (netuid, 1))

        self.assertFalse(chain.is_subnet_active(netuid))
        self.fails(chain.start_call(self.charlie, netuid), "BadOrigin")
        started = self.succeeds(chain.start_call(owner, netuid))
        self.assertTrue(chain.is_subnet_active(netuid))
        self.assertGreaterEqual(
            self.storage("FirstEmissionBlockNumber", netuid),
            self.block_of(started),
        )
        self.fails(
            chain.start_call(owner, netuid), "FirstEmissionBlockNumberAlreadySet"
        )

        self.assertEqual(chain.get_subnet_owner_hotkey(netuid), hot(owner))
        self.assertEqual(chain.get_uid_for_hotkey_on_subnet(hot(owner), netuid), 0)
        self.assertEqual(chain.subnetwork_n(netuid), 1)

        one = chain.subnet(netuid)
        everything = {each.netuid: each for each in chain.all_subnets()}
        self.assertEqual(sorted(everything), sorted([*known, netuid]))
        for read in (one, everything[netuid]):
            self.assertEqual((read.owner_coldkey, read.owner_hotkey), (cold(owner), hot(owner)))
            self.assertEqual(read.tempo, chain.tempo(netuid))
            self.assertEqual(len(read.symbol), 1)
            self.assertEqual(
                read.network_registered_at, self.storage("NetworkRegisteredAt", netuid)
            )
            self.assertGreaterEqual(read.tao_in, tao(1_000))
            self.close_to(read.price.tao, read.tao_in.tao / read.alpha_in.tao)
        self.assertEqual(everything[0].price.tao, 1)
        self.close_to(chain.get_subnet_price(netuid).tao, one.price.tao)
        self.close_to(chain.get_subnet_prices()[netuid].tao, one.price.tao)

        info = chain.get_subnet_info(netuid)
        self.assertEqual((info.netuid, info.owner_ss58, info.subnetwork_n), (netuid, cold(owner), 1))
        self.assertEqual(
            [each.netuid for each in chain.get_all_subnets_info()],
            chain.get_all_subnets_netuid(),
        )

    def test_hyperparameters_are_what_root_set(self):
        chain, netuid = self.chain, self.found(self.charlie)
        self.as_root("sudo_set_immunity_period", netuid=netuid, immunity_period=123)
        self.as_root("sudo_set_max_allowed_validators", netuid=netuid, max_allowed_validators=17)
        self.as_root("sudo_set_serving_rate_limit", netuid=netuid, serving_rate_limit=9)
        self.as_root("sudo_set_yuma3_enabled", netuid=netuid, enabled=True)
        all_of_them = chain.get_subnet_hyperparameters(netuid)
        expected = {
            "tempo": TEMPO,
            "immunity_period": 123,
            "max_validators": 17,
            "serving_rate_limit": 9,
            "yuma_version": 3,
            "weights_rate_limit": 0,
            "commit_reveal_weights_enabled": False,
            "subnet_is_active": True,
            "kappa": self.storage("Kappa", netuid),
        }
        self.assertEqual({name: all_of_them[name] for name in expected}, expected)
        self.assertEqual(chain.tempo(netuid), TEMPO)
        self.assertEqual(chain.immunity_period(netuid), 123)
        self.assertEqual(chain.weights_rate_limit(netuid), 0)
        self.assertFalse(chain.commit_reveal_enabled(netuid))

    def test_epochs_come_when_announced(self):
        chain, netuid = self.chain, self.found(self.charlie)
        announced = chain.get_next_epoch_start_block(netuid)
        block = chain.get_current_block()
        self.assertEqual(
            chain.blocks_until_next_epoch(netuid, block=block),
            chain.get_next_epoch_start_block(netuid, block=block) - block,
        )
        chain.wait_for_block(announced + 1)
        self.assertEqual(self.storage("LastEpochBlock", netuid, block=announced), announced)
        self.assertEqual(
            chain.get_subnet_epoch_index(netuid, block=announced),
            chain.get_subnet_epoch_index(netuid, block=announced - 1) + 1,
        )


if __name__ == "__main__":
    unittest.main()
