"""The metagraph, lite and full, holds what the epoch produced."""

import unittest

from common import TEMPO, ChainTest, cold, hot, tao

ONE_UNIT = 1 / 65_535


class Metagraph(ChainTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chain, netuid = cls.chain, cls.found(cls.bob)
        cls.netuid = netuid
        cls.people = [cls.bob, cls.charlie, cls.dave, cls.eve]
        cls.register(netuid, *cls.people[1:])
        cls.succeeds(chain.add_stake(cls.charlie, netuid, hot(cls.charlie), tao(500)))
        cls.next_epoch(netuid)  # gives the validator its permit
        cls.succeeds(chain.set_weights(cls.charlie, netuid, [2, 3], [0.25, 0.75]))
        # The first epoch may have begun before the weights stood; after the second they count for certain.
        cls.next_epoch(netuid)
        cls.block = cls.next_epoch(netuid)
        cls.lite = chain.metagraph(netuid, block=cls.block)
        cls.full = chain.metagraph(netuid, lite=False, block=cls.block)
        cls.info = chain.get_metagraph_info(netuid, block=cls.block)

    def test_who_is_there(self):
        for graph in (self.lite, self.full):
            self.assertEqual(int(graph.n), 4)
            self.assertEqual(graph.hotkeys, [hot(each) for each in self.people])
            self.assertEqual(graph.coldkeys, [cold(each) for each in self.people])
            self.assertEqual(list(graph.uids), [0, 1, 2, 3])
            self.assertEqual(int(graph.block), self.block)
            self.assertEqual(graph.tempo, TEMPO)
            self.assertEqual(graph.owner_hotkey, hot(self.bob))

    def test_incentive_follows_the_weights(self):
        for graph in (self.lite, self.full):
            for uid, share in enumerate((0, 0, 0.25, 0.75)):
                self.assertAlmostEqual(float(graph.I[uid]), share, delta=2 * ONE_UNIT)
                self.assertAlmostEqual(float(graph.C[uid]), share, delta=2 * ONE_UNIT)
            self.assertAlmostEqual(float(graph.Tv[1]), 1, delta=2 * ONE_UNIT)
            self.assertGreater(graph.D[1], 0.9)
            self.assertEqual(list(graph.D[2:]), [0, 0])
            self.assertTrue(graph.validator_permit[1])
        stored = self.storage("Incentive", self.netuid, block=self.block)
        self.assertEqual([round(float(each) * 65_535) for each in self.full.I], stored)

    def test_emission_is_paid_in_stake(self):
        graph = self.full
        miners = float(graph.E[2]), float(graph.E[3])
        self.assertGreater(miners[0], 0)
        self.close_to(miners[1], 3 * miners[0], part=0.001)
        stored = self.storage("Emission", self.netuid, block=self.block)
        self.close_to(graph.E[3], stored[3] / 1e9)
        # What the miners hold is what was emitted to them: nobody staked to them.
        for uid in (2, 3):
            self.assertGreaterEqual(float(graph.AS[uid]), miners[uid - 2] * 0.999)
            chain_value = self.chain.get_stake_for_hotkey(
                hot(self.people[uid]), self.netuid, block=self.block
            )
            self.close_to(graph.AS[uid], chain_value)
        self.assertGreater(graph.S[1], graph.S[3])

    def test_weights_and_bonds_are_in_the_full_one(self):
        self.close_to(self.full.W[1][2], 0.25)
        self.close_to(self.full.W[1][3], 0.75)
        self.assertEqual(float(self.full.W[0].sum()), 0)
        bonds = {uid: dict(map(tuple, row)) for uid, row in self.chain.bonds(self.netuid, block=self.block)}
        self.assertEqual(sorted(bonds[1]), [2, 3])
        self.assertGreater(self.full.B[1][3], 0)

    def test_the_selective_form_says_the_same(self):
        info, netuid = self.info, self.netuid
        self.assertEqual((info.netuid, info.mechid, info.num_uids), (netuid, 0, 4))
        self.assertEqual(info.hotkeys, [hot(each) for each in self.people])
        self.assertEqual(info.block, self.block)
        self.assertEqual(len(info.symbol), 1)
        for uid in range(4):
            self.assertAlmostEqual(info.incentives[uid], float(self.full.I[uid]), delta=ONE_UNIT)
            self.assertAlmostEqual(info.dividends[uid], float(self.full.D[uid]), delta=ONE_UNIT)
            self.close_to(info.emission[uid], self.full.E[uid])
            self.close_to(info.alpha_stake[uid], self.full.AS[uid])
            self.assertEqual(
                info.block_at_registration[uid],
                self.storage("BlockAtRegistration", netuid, uid),
            )
        permitted = [uid for uid in range(4) if self.full.validator_permit[uid]]
        self.assertEqual(sorted(info.validators), permitted)
        self.assertEqual(info.max_uids, self.storage("MaxAllowedUids", netuid))
        self.assertEqual(info.registration_allowed, True)
        self.assertEqual(info.commit_reveal_weights_enabled, False)
        dividends = dict(info.alpha_dividends_per_hotkey)
        self.assertGreater(dividends[hot(self.charlie)].rao, 0)


if __name__ == "__main__":
    unittest.main()
