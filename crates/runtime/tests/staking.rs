//! Staking with limits, moving, giving away and destroying stake: what each does, and what is refused in which order.

mod support;

use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, SubtensorModule, admin_utils};
use frame_support::assert_ok;
use support::*;

/// A second subnet, started.
const OTHER: u16 = 2;

type Call = subtensor::Call<Runtime>;

/// Two started subnets; `rich` has staked 100 TAO to `v1` on the first.
fn chain_with_two_subnets() -> sp_io::TestExternalities {
    let mut externalities = chain_with_subnet();
    externalities.execute_with(|| {
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        let hotkey = account("other-hot");
        call("owner", Call::register_network { hotkey }).unwrap();
        call("owner", Call::start_call { netuid: OTHER }).unwrap();
        stake("rich", "v1", 100 * TAO).unwrap();
    });
    externalities
}

fn staked(coldkey: &str, hotkey: &str, netuid: u16) -> u64 {
    SubtensorModule::stake_of(&account(hotkey), &account(coldkey), netuid)
}

fn price(netuid: u16) -> u64 {
    SubtensorModule::price_in_rao(netuid)
}

/// Shares are worth what they cost to a unit.
fn assert_close(found: u64, expected: u64) {
    assert!(found.abs_diff(expected) <= 1, "{found} is not {expected}");
}

#[test]
fn a_new_subnet_has_a_pool_at_the_median_price() {
    chain().execute_with(|| {
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        let found = |number: u16| {
            let hotkey = account(&format!("founder-{number}"));
            call("owner", Call::register_network { hotkey }).unwrap();
            assert_eq!(events().last(), Some(&Event::NetworkAdded(number, 1)));
            assert_nothing_is_lost();
        };
        found(1);
        assert_eq!(SubtensorModule::price_q64(1), 1 << 64);
        assert_eq!(SubtensorModule::price_q64(ROOT), 1 << 64);
        // Prices of 4 and 1: their middle is 2.5, and the third costs 4000 TAO.
        SubnetAlphaIn::<Runtime>::insert(1, 250 * TAO);
        found(2);
        assert_eq!(SubnetTAO::<Runtime>::get(2), 2000 * TAO);
        assert_eq!(SubnetAlphaIn::<Runtime>::get(2), 500 * TAO);
        SubnetAlphaIn::<Runtime>::insert(2, 2000 * TAO);
        found(3);
        assert_eq!(price(3), 5 * TAO / 2);
        assert_eq!(SubnetAlphaIn::<Runtime>::get(3), 1600 * TAO);
        // A cheap subnet has a pool of 1000 TAO all the same.
        NetworkMinLockCost::<Runtime>::put(TAO);
        NetworkLastLockCost::<Runtime>::put(TAO);
        let before = balance(&account("owner"));
        found(4);
        assert_eq!(before - balance(&account("owner")), 2 * TAO);
        assert_eq!(SubnetTAO::<Runtime>::get(4), 1000 * TAO);
    });
}

#[test]
fn a_registration_buys_and_destroys() {
    chain_with_subnet().execute_with(|| {
        let (tao, alpha) = (
            SubnetTAO::<Runtime>::get(NETUID),
            SubnetAlphaIn::<Runtime>::get(NETUID),
        );
        let (burn, out) = (
            Burn::<Runtime>::get(NETUID),
            SubnetAlphaOut::<Runtime>::get(NETUID),
        );
        register("miners", "m9").unwrap();
        assert_eq!(SubnetTAO::<Runtime>::get(NETUID), tao + burn);
        assert!(SubnetAlphaIn::<Runtime>::get(NETUID) < alpha);
        assert_eq!(SubnetAlphaOut::<Runtime>::get(NETUID), out);
        assert_nothing_is_lost();
    });
}

#[test]
fn orders_keep_their_limit() {
    chain_with_two_subnets().execute_with(|| {
        let add = |limit_price, allow_partial| {
            let add = Call::add_stake_limit {
                hotkey: account("v2"),
                netuid: NETUID,
                amount_staked: 100 * TAO,
                limit_price,
                allow_partial,
            };
            name(call("rich", add))
        };
        let start = price(NETUID);
        assert_eq!(add(start - 1, true), "SlippageTooHigh");
        let limit = start + start / 20;
        assert_eq!(add(limit, false), "SlippageTooHigh");
        let before = balance(&account("rich"));
        assert_eq!(add(limit, true), "no error");
        let paid = before - balance(&account("rich"));
        // Five per cent of the price are two and a half of the pool.
        assert!(paid > 25 * TAO && paid < 30 * TAO, "{paid}");
        assert!(price(NETUID) <= limit && price(NETUID) > limit - 10);
        assert_eq!(add(2 * start, false), "no error");

        let owned = staked("rich", "v2", NETUID);
        let remove = |limit_price, allow_partial| {
            let remove = Call::remove_stake_limit {
                hotkey: account("v2"),
                netuid: NETUID,
                amount_unstaked: owned,
                limit_price,
                allow_partial,
            };
            name(call("rich", remove))
        };
        let limit = price(NETUID) - price(NETUID) / 20;
        assert_eq!(remove(price(NETUID) + 2, true), "SlippageTooHigh");
        assert_eq!(remove(limit, false), "SlippageTooHigh");
        assert_eq!(remove(limit, true), "no error");
        let left = staked("rich", "v2", NETUID);
        assert!(left != 0 && left < owned);
        assert!(price(NETUID) >= limit && price(NETUID) < limit + 10);
        let full = |limit_price| {
            let full = Call::remove_stake_full_limit {
                hotkey: account("v2"),
                netuid: NETUID,
                limit_price,
            };
            name(call("rich", full))
        };
        assert_eq!(full(Some(limit)), "SlippageTooHigh");
        assert_eq!(full(Some(1)), "no error");
        assert_eq!(staked("rich", "v2", NETUID), 0);
        assert_eq!(full(None), "AmountTooLow");
        // A one-to-one network has one price.
        let on_root = |limit_price| Call::add_stake_limit {
            hotkey: account("v2"),
            netuid: ROOT,
            amount_staked: TAO,
            limit_price,
            allow_partial: true,
        };
        assert_eq!(name(call("rich", on_root(TAO - 1))), "SlippageTooHigh");
        assert_ok!(call("rich", on_root(TAO)));
        assert_nothing_is_lost();
    });
}

#[test]
fn what_the_pool_cannot_trade_is_refused() {
    chain_with_two_subnets().execute_with(|| {
        SubnetAlphaIn::<Runtime>::insert(NETUID, 999_999);
        assert_eq!(name(stake("rich", "v1", TAO)), "InsufficientLiquidity");
        let owned = staked("rich", "v1", NETUID);
        assert_eq!(name(unstake("rich", "v1", owned)), "InsufficientLiquidity");
        // Registrations too would have to buy.
        assert_eq!(name(register("miners", "late")), "ReservesTooLow");
        assert_eq!(Uids::<Runtime>::get(NETUID, account("late")), None);
    });
}

#[test]
fn stake_moves_to_another_hotkey() {
    chain_with_two_subnets().execute_with(|| {
        let owned = staked("rich", "v1", NETUID);
        let move_stake = |from: &str, to: &str, origin_netuid, destination_netuid, alpha_amount| {
            let move_stake = Call::move_stake {
                origin_hotkey: account(from),
                destination_hotkey: account(to),
                origin_netuid,
                destination_netuid,
                alpha_amount,
            };
            name(call("rich", move_stake))
        };
        // Each attempt fails at one check later.
        assert_eq!(move_stake("v1", "v1", 9, 9, 1), "SameNetuid");
        assert_eq!(move_stake("v1", "no", NETUID, 9, 1), "SubnetNotExists");
        SubtokenEnabled::<Runtime>::insert(OTHER, false);
        assert_eq!(move_stake("v1", "no", NETUID, OTHER, 1), "SubtokenDisabled");
        SubtokenEnabled::<Runtime>::insert(OTHER, true);
        assert_eq!(
            move_stake("v1", "no", NETUID, OTHER, u64::MAX),
            "HotKeyAccountNotExists"
        );
        assert_eq!(move_stake("v1", "v2", NETUID, OTHER, 0), "AmountTooLow");
        assert_eq!(move_stake("v1", "v2", NETUID, NETUID, 0), "AmountTooLow");
        assert_eq!(
            move_stake("v1", "v2", NETUID, OTHER, MIN_STAKE / 2),
            "AmountTooLow"
        );

        // Within a subnet the token moves and no price changes.
        let before = price(NETUID);
        assert_eq!(
            move_stake("v1", "v2", NETUID, NETUID, owned / 2),
            "no error"
        );
        assert_eq!(price(NETUID), before);
        assert_close(staked("rich", "v1", NETUID), owned - owned / 2);
        assert_close(staked("rich", "v2", NETUID), owned / 2);
        let worth = ((u128::from(owned / 2) * SubtensorModule::price_q64(NETUID)) >> 64) as u64;
        let moved = Event::StakeMoved(
            account("rich"),
            account("v1"),
            NETUID,
            account("v2"),
            NETUID,
            worth,
        );
        assert_eq!(events().last(), Some(&moved));

        // Between subnets it is sold and bought.
        let prices = [NETUID, OTHER].map(price);
        let alpha = staked("rich", "v2", NETUID);
        assert_eq!(
            move_stake("v2", "other-hot", NETUID, OTHER, alpha),
            "no error"
        );
        assert_eq!(staked("rich", "v2", NETUID), 0);
        assert!(price(NETUID) < prices[0] && price(OTHER) > prices[1]);
        assert!(staked("rich", "other-hot", OTHER) > 30 * TAO);
        assert_nothing_is_lost();
    });
}

#[test]
fn stake_is_given_away_where_the_subnets_allow_it() {
    chain_with_two_subnets().execute_with(|| {
        let owned = staked("rich", "v1", NETUID);
        let transfer = |to: &str, destination_netuid, alpha_amount| {
            let transfer = Call::transfer_stake {
                destination_coldkey: account(to),
                hotkey: account("v1"),
                origin_netuid: NETUID,
                destination_netuid,
                alpha_amount,
            };
            name(call("rich", transfer))
        };
        assert_eq!(transfer("rich", NETUID, owned), "SameNetuid");
        for closed in [NETUID, OTHER] {
            TransferToggle::<Runtime>::insert(closed, false);
            assert_eq!(transfer("heir", OTHER, owned), "TransferDisallowed");
            TransferToggle::<Runtime>::insert(closed, true);
        }
        TransferToggle::<Runtime>::insert(OTHER, false);
        // A coldkey may move its own stake there all the same.
        assert_eq!(transfer("heir", NETUID, owned), "no error");
        assert_close(staked("heir", "v1", NETUID), owned);
        assert_eq!(staked("rich", "v1", NETUID), 0);
        let Some(Event::StakeTransferred(from, to, hotkey, NETUID, NETUID, _)) =
            events().last().cloned()
        else {
            panic!("nothing was told")
        };
        assert_eq!([from, to, hotkey], ["rich", "heir", "v1"].map(account));
        assert_eq!(
            StakingHotkeys::<Runtime>::get(account("heir")),
            [account("v1")]
        );
        // Who owns no rao can cash it.
        let hotkey = account("v1");
        assert_ok!(call("heir", Call::unstake_all { hotkey }));
        assert!(balance(&account("heir")) > 99 * TAO);
        assert_nothing_is_lost();
    });
}

#[test]
fn stake_is_swapped_between_subnets() {
    chain_with_two_subnets().execute_with(|| {
        let hotkey = account("v1");
        let owned = staked("rich", "v1", NETUID);
        let swap = |destination_netuid, alpha_amount| Call::swap_stake {
            hotkey: account("v1"),
            origin_netuid: NETUID,
            destination_netuid,
            alpha_amount,
        };
        assert_eq!(name(call("rich", swap(NETUID, owned))), "SameNetuid");
        let limited = |limit_price, allow_partial| {
            let swap = Call::swap_stake_limit {
                hotkey: account("v1"),
                origin_netuid: NETUID,
                destination_netuid: OTHER,
                alpha_amount: owned / 2,
                limit_price,
                allow_partial,
            };
            name(call("rich", swap))
        };
        let relative =
            || (u128::from(price(NETUID)) * u128::from(TAO) / u128::from(price(OTHER))) as u64;
        assert_eq!(limited(relative() + 9, true), "SlippageTooHigh");
        let limit = relative() - relative() / 50;
        assert_eq!(limited(limit, false), "SlippageTooHigh");
        assert_eq!(limited(limit, true), "no error");
        assert!(
            relative() >= limit - 2 && relative() < limit + 10,
            "{}",
            relative()
        );
        let moved = owned - staked("rich", "v1", NETUID);
        assert!(moved != 0 && moved < owned / 2);

        let rest = staked("rich", "v1", NETUID);
        assert_ok!(call("rich", swap(ROOT, rest)));
        let Some(Event::StakeSwapped(_, _, NETUID, ROOT, tao)) = events().last().cloned() else {
            panic!("nothing was told")
        };
        assert_eq!(TotalHotkeyAlpha::<Runtime>::get(&hotkey, ROOT), tao);
        assert_nothing_is_lost();
    });
}

#[test]
fn all_stake_is_withdrawn_at_once() {
    chain_with_two_subnets().execute_with(|| {
        let elsewhere = |netuid| Call::add_stake {
            hotkey: account("v1"),
            netuid,
            amount_staked: 10 * TAO,
        };
        let refused = Call::unstake_all {
            hotkey: account("no"),
        };
        assert_eq!(name(call("rich", refused)), "HotKeyAccountNotExists");
        let to_root = || Call::unstake_all_alpha {
            hotkey: account("v1"),
        };
        assert_eq!(name(call("owner", to_root())), "AmountTooLow");
        call("rich", elsewhere(ROOT)).unwrap();
        call("rich", elsewhere(OTHER)).unwrap();
        // What cannot be sold stays.
        SubtokenEnabled::<Runtime>::insert(OTHER, false);
        call("rich", to_root()).unwrap();
        assert_eq!(staked("rich", "v1", NETUID), 0);
        assert!(staked("rich", "v1", OTHER) > 9 * TAO);
        let on_root = staked("rich", "v1", ROOT);
        assert!(on_root > 109 * TAO && on_root < 110 * TAO, "{on_root}");
        SubtokenEnabled::<Runtime>::insert(OTHER, true);
        let all = Call::unstake_all {
            hotkey: account("v1"),
        };
        call("rich", all).unwrap();
        assert_eq!(
            [ROOT, NETUID, OTHER].map(|netuid| staked("rich", "v1", netuid)),
            [0; 3]
        );
        let lost = ENDOWMENT - balance(&account("rich"));
        // Four fees of 0.05 % of up to 100 TAO.
        assert!(lost < TAO / 5, "{lost}");
        assert_nothing_is_lost();
    });
}

#[test]
fn stake_is_destroyed() {
    chain_with_two_subnets().execute_with(|| {
        let owned = staked("rich", "v1", NETUID);
        let recycle = |hotkey: &str, netuid, amount| {
            let hotkey = account(hotkey);
            name(call(
                "rich",
                Call::recycle_alpha {
                    hotkey,
                    amount,
                    netuid,
                },
            ))
        };
        assert_eq!(recycle("no", 9, 1), "SubnetNotExists");
        assert_eq!(recycle("no", ROOT, 1), "CannotBurnOrRecycleOnRootSubnet");
        SubtokenEnabled::<Runtime>::insert(NETUID, false);
        assert_eq!(recycle("no", NETUID, 1), "SubtokenDisabled");
        SubtokenEnabled::<Runtime>::insert(NETUID, true);
        assert_eq!(recycle("no", NETUID, 1), "HotKeyAccountNotExists");
        assert_eq!(recycle("v2", NETUID, 1), "NotEnoughStakeToWithdraw");
        let out = SubnetAlphaOut::<Runtime>::get(NETUID);
        SubnetAlphaOut::<Runtime>::insert(NETUID, TAO - 1);
        assert_eq!(recycle("v1", NETUID, TAO), "NotEnoughAlphaOutToRecycle");
        SubnetAlphaOut::<Runtime>::insert(NETUID, out);

        assert_eq!(recycle("v1", NETUID, TAO), "no error");
        assert_eq!(SubnetAlphaOut::<Runtime>::get(NETUID), out - TAO);
        assert_close(staked("rich", "v1", NETUID), owned - TAO);
        let (cold, hot) = (account("rich"), account("v1"));
        let recycled = Event::AlphaRecycled(cold.clone(), hot.clone(), TAO, NETUID);
        assert_eq!(events().last(), Some(&recycled));
        assert_nothing_is_lost();

        // Burned token still counts as being out, and nobody has it.
        let amount = 2 * TAO;
        let netuid = NETUID;
        let hotkey = hot.clone();
        assert_ok!(call(
            "rich",
            Call::burn_alpha {
                hotkey,
                amount,
                netuid
            }
        ));
        assert_eq!(SubnetAlphaOut::<Runtime>::get(NETUID), out - TAO);
        assert_close(staked("rich", "v1", NETUID), owned - 3 * TAO);
        let burned = Event::AlphaBurned(cold, hot.clone(), amount, NETUID);
        assert_eq!(events().last(), Some(&burned));
    });
}

#[test]
fn a_purchase_can_be_burned() {
    chain_with_two_subnets().execute_with(|| {
        let buy = |netuid, limit| {
            let buy = Call::add_stake_burn {
                hotkey: account("v1"),
                netuid,
                amount: 50 * TAO,
                limit,
            };
            name(call("rich", buy))
        };
        let (owned, before) = (staked("rich", "v1", NETUID), price(NETUID));
        assert_eq!(buy(NETUID, Some(before + 1)), "SlippageTooHigh");
        assert_eq!(buy(ROOT, None), "CannotBurnOrRecycleOnRootSubnet");
        assert_eq!(staked("rich", "v1", ROOT), 0, "nothing of it has happened");
        assert_eq!(buy(NETUID, Some(2 * before)), "no error");
        assert_close(staked("rich", "v1", NETUID), owned);
        assert!(price(NETUID) > before);
        assert!(matches!(
            events().last(),
            Some(Event::AddStakeBurn { netuid: NETUID, amount, alpha, .. })
                if *amount == 50 * TAO && *alpha > 30 * TAO
        ));
    });
}

#[test]
fn incentive_is_staked_where_the_coldkey_says() {
    chain_with_validators().execute_with(|| {
        let choose = |netuid, hotkey: &str| {
            let hotkey = account(hotkey);
            name(call(
                "miners",
                Call::set_coldkey_auto_stake_hotkey { netuid, hotkey },
            ))
        };
        assert_eq!(choose(9, "no"), "SubnetNotExists");
        assert_eq!(choose(NETUID, "no"), "HotKeyNotRegisteredInSubNet");
        assert_eq!(choose(NETUID, "v2"), "no error");
        assert_eq!(choose(NETUID, "v1"), "no error");
        assert_eq!(choose(NETUID, "v1"), "SameAutoStakeHotkeyAlreadySet");
        let coldkeys = |hotkey: &str| {
            AutoStakeDestinationColdkeys::<Runtime>::get(account(hotkey), NETUID)
        };
        assert_eq!((coldkeys("v1"), coldkeys("v2")), (vec![account("miners")], vec![]));

        weigh("v1", &[(3, 1)]).unwrap();
        weigh("v2", &[(3, 1)]).unwrap();
        run_to_epoch();
        assert_eq!(staked("miners", "m1", NETUID), 0);
        let earned = staked("miners", "v1", NETUID);
        assert!(earned > TAO, "{earned}");
        assert!(events().iter().any(|event| matches!(
            event,
            Event::AutoStakeAdded { netuid: NETUID, destination, hotkey, owner, incentive }
                if [destination, hotkey, owner] == [&account("v1"), &account("m1"), &account("miners")]
                    && *incentive > TAO
        )));
        assert_nothing_is_lost();
    });
}

#[test]
fn a_free_hotkey_is_associated() {
    chain().execute_with(|| {
        let associate = |who| {
            let hotkey = account("new-hot");
            call(who, Call::try_associate_hotkey { hotkey })
        };
        associate("rich").unwrap();
        assert_eq!(Owner::<Runtime>::get(account("new-hot")), account("rich"));
        assert_eq!(
            OwnedHotkeys::<Runtime>::get(account("rich")),
            [account("new-hot")]
        );
        // It stays whose it is.
        associate("owner").unwrap();
        assert_eq!(Owner::<Runtime>::get(account("new-hot")), account("rich"));
        assert!(OwnedHotkeys::<Runtime>::get(account("owner")).is_empty());
    });
}

#[test]
fn who_asks_for_more_gets_what_is_there() {
    chain_with_two_subnets().execute_with(|| {
        let move_all = |from: &str, to: &str, destination_netuid| {
            let moved = Call::move_stake {
                origin_hotkey: account(from),
                destination_hotkey: account(to),
                origin_netuid: NETUID,
                destination_netuid,
                alpha_amount: u64::MAX,
            };
            name(call("rich", moved))
        };
        let owned = staked("rich", "v1", NETUID);
        assert_eq!(move_all("v1", "v2", NETUID), "no error");
        assert_eq!(staked("rich", "v1", NETUID), 0);
        assert_close(staked("rich", "v2", NETUID), owned);
        assert_eq!(move_all("v1", "v2", NETUID), "AmountTooLow");

        assert_eq!(name(unstake("rich", "v2", u64::MAX)), "no error");
        assert_eq!(staked("rich", "v2", NETUID), 0);

        stake("rich", "v1", TAO).unwrap();
        let owned = staked("rich", "v1", NETUID);
        let recycle = Call::recycle_alpha {
            hotkey: account("v1"),
            amount: u64::MAX,
            netuid: NETUID,
        };
        assert_ok!(call("rich", recycle));
        let (cold, hot) = (account("rich"), account("v1"));
        let recycled = Event::AlphaRecycled(cold, hot, owned, NETUID);
        assert_eq!(events().last(), Some(&recycled));
        assert_nothing_is_lost();
    });
}
