"""Stake: added, moved, transferred and removed, with and without limits, against a real pool."""

import unittest

from common import STILL, ChainTest, cold, hot, tao

FEE = 33 / 65_535
"""The part of a trade that the pool keeps."""


class Stake(ChainTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.netuid = cls.found(cls.bob, STILL)
        cls.register(cls.netuid, cls.charlie, cls.dave)

    def staked(self, hotkey, owner, netuid=None):
        return self.chain.get_stake(
            coldkey_ss58=cold(owner),
            hotkey_ss58=hot(hotkey),
            netuid=self.netuid if netuid is None else netuid,
        )

    def buys(self, amount, block):
        """The alpha that TAO buys from the constant-product pool of a block."""
        pool = self.chain.subnet(self.netuid, block=block)
        added = amount * (1 - FEE)
        return pool.alpha_in.tao * added / (pool.tao_in.tao + added)

    def pays(self, alpha, block):
        """The TAO that the pool of a block pays for alpha."""
        pool = self.chain.subnet(self.netuid, block=block)
        added = alpha * (1 - FEE)
        return pool.tao_in.tao * added / (pool.alpha_in.tao + added)

    def test_stake_follows_the_pool_there_and_back(self):
        chain, netuid, staker = self.chain, self.netuid, self.charlie
        price, amount = chain.get_subnet_price(netuid).tao, 100
        bought = self.succeeds(
            chain.add_stake(staker, netuid, hot(staker), tao(amount))
        )
        gained = bought.data["stake_after"] - bought.data["stake_before"]
        spent = bought.data["balance_before"] - bought.data["balance_after"]
        block = self.block_of(bought)
        self.close_to(gained, self.buys(amount, block - 1))
        self.assertEqual(spent - bought.extrinsic_fee, tao(amount))
        self.assertGreater(chain.get_subnet_price(netuid).tao, price)
        told = self.event(bought, "StakeAdded")
        self.assertEqual(told[:3], (cold(staker), hot(staker), tao(amount).rao))
        self.assertEqual(told[4], netuid)

        (info,) = [
            each
            for each in chain.get_stake_info_for_coldkey(cold(staker))
            if (each.hotkey_ss58, each.netuid) == (hot(staker), netuid)
        ]
        self.assertTrue(info.is_registered)
        self.assertGreaterEqual(info.stake.rao, bought.data["stake_after"].rao)
        self.assertIn(hot(staker), chain.get_staking_hotkeys(cold(staker)))
        self.assertGreaterEqual(
            chain.get_stake_for_hotkey(hot(staker), netuid).rao, info.stake.rao
        )

        half = self.staked(staker, staker) * 0.5
        simulated = chain.sim_swap(netuid, 0, half)
        sold = self.succeeds(chain.unstake(staker, netuid, hot(staker), half))
        received = sold.data["balance_after"] - sold.data["balance_before"] + sold.extrinsic_fee
        self.close_to(received, self.pays(half.tao, self.block_of(sold) - 1))
        self.close_to(received, simulated.tao_amount)
        self.close_to(sold.data["stake_after"], half)

    def test_a_limit_is_kept(self):
        chain, netuid, staker = self.chain, self.netuid, self.dave
        before = self.staked(staker, staker)
        # Buying for as much as the pool holds quadruples the price.
        huge = chain.subnet(netuid).tao_in
        self.succeeds(chain.transfer(self.bob, cold(staker), huge))
        refused = chain.add_stake(
            staker, netuid, hot(staker), huge, safe_staking=True, rate_tolerance=0.05
        )
        self.assertFalse(refused.success)
        self.assertRegex(refused.message, "SlippageTooHigh|[Tt]olerance")
        self.assertEqual(self.staked(staker, staker), before)

        price = chain.get_subnet_price(netuid).tao
        partly = self.succeeds(
            chain.add_stake(
                staker,
                netuid,
                hot(staker),
                huge,
                safe_staking=True,
                allow_partial_stake=True,
                rate_tolerance=0.05,
            )
        )
        block = self.block_of(partly)
        self.close_to(chain.get_subnet_price(netuid, block=block).tao, price * 1.05, part=0.005)
        spent = partly.data["balance_before"] - partly.data["balance_after"]
        self.assertLess(spent, huge)
        self.assertGreater(self.staked(staker, staker), before)

    def test_stake_moves_between_hotkeys_and_owners(self):
        chain, netuid, owner, other = self.chain, self.netuid, self.bob, self.eve
        self.succeeds(chain.add_stake(owner, netuid, hot(owner), tao(50)))
        part = self.staked(owner, owner) * 0.25
        target = self.staked(self.charlie, owner)
        self.succeeds(
            chain.move_stake(owner, netuid, hot(owner), netuid, hot(self.charlie), part)
        )
        self.close_to(self.staked(self.charlie, owner) - target, part)

        self.assertEqual(self.staked(owner, other).rao, 0)
        self.succeeds(
            chain.transfer_stake(owner, cold(other), hot(owner), netuid, netuid, part)
        )
        self.close_to(self.staked(owner, other), part)

    def test_stake_swaps_between_subnets(self):
        chain, owner = self.chain, self.bob
        second = self.found(self.charlie, STILL)
        self.succeeds(chain.add_stake(owner, self.netuid, hot(owner), tao(20)))
        part = self.staked(owner, owner) * 0.5
        expected = chain.sim_swap(self.netuid, second, part).alpha_amount
        self.assertEqual(self.staked(owner, owner, second).rao, 0)
        self.succeeds(
            chain.swap_stake(owner, hot(owner), self.netuid, second, part)
        )
        self.close_to(self.staked(owner, owner, second), expected, part=0.01)

    def test_root_stake_is_one_to_one(self):
        chain, owner = self.chain, self.charlie
        before = self.staked(owner, owner, 0)
        self.succeeds(chain.add_stake(owner, 0, hot(owner), tao(30)))
        self.assertEqual(self.staked(owner, owner, 0) - before, tao(30))
        self.succeeds(chain.unstake(owner, 0, hot(owner), tao(10)))
        self.assertEqual(self.staked(owner, owner, 0) - before, tao(20))

    def test_everything_can_be_withdrawn(self):
        chain, netuid, owner = self.chain, self.netuid, self.eve
        self.succeeds(chain.add_stake(owner, netuid, hot(self.dave), tao(40)))
        before = chain.get_balance(cold(owner))
        stake = self.staked(self.dave, owner)
        response = self.succeeds(
            chain.unstake_all(owner, netuid, hot(self.dave), rate_tolerance=None)
        )
        self.assertEqual(self.staked(self.dave, owner).rao, 0)
        received = chain.get_balance(cold(owner)) - before + response.extrinsic_fee
        self.close_to(received, self.pays(stake.tao, self.block_of(response) - 1))

    def test_refusals(self):
        """By the public numbers of too little stake and of a hotkey nobody owns."""
        chain, netuid, owner = self.chain, self.netuid, self.bob
        self.fails(
            chain.add_stake(owner, netuid, hot(owner), tao(0.000001)), r"Custom error: 1\b"
        )
        self.fails(
            chain.add_stake(owner, netuid, cold(self.eve), tao(1)), r"Custom error: 4\b"
        )

    def test_the_flow_of_tao_is_averaged(self):
        chain, netuid = self.chain, self.found(self.bob, STILL)
        weight = self.storage("FlowEmaSmoothingFactor") / (2**63 - 1)
        for asked, flow in (
            (lambda: chain.add_stake(self.charlie, netuid, hot(self.bob), tao(1_000)), 1_000),
            (lambda: chain.unstake(self.charlie, netuid, hot(self.bob), tao(100).set_unit(netuid)), None),
        ):
            response = self.succeeds(asked())
            block = self.block_of(response) + 1
            chain.wait_for_block(block)
            _, before = chain.get_ema_tao_inflow(netuid, block=block - 1)
            averaged, after = chain.get_ema_tao_inflow(netuid, block=block)
            self.assertEqual(averaged, block)
            if flow is None:
                flow = -self.event(response, "StakeRemoved")[2] / 1e9
            self.close_to(after.tao - before.tao, weight * flow, part=0.01)


if __name__ == "__main__":
    unittest.main()
