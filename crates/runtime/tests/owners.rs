//! Who may set a subnet's rules: root always, the owner within limits of time and rate; and the bounds of the rules.

mod support;

use agon_runtime::admin_utils::Call;
use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, RuntimeCall};
use support::*;

const LONG: u16 = 30;

fn kappa(kappa: u16) -> Call<Runtime> {
    let netuid = NETUID;
    Call::sudo_set_kappa { netuid, kappa }
}

fn by(who: &str, setting: impl Into<RuntimeCall>) -> &'static str {
    name(call(who, setting))
}

/// A subnet with epochs every 30 blocks, the last one in this block.
fn chain_with_long_tempo() -> sp_io::TestExternalities {
    let mut chain = chain_with_subnet();
    chain.execute_with(|| {
        root(Call::sudo_set_tempo {
            netuid: NETUID,
            tempo: LONG,
        })
        .unwrap();
        run_to_epoch();
    });
    chain
}

#[test]
fn an_owner_sets_a_rule_once_in_two_tempos() {
    chain_with_long_tempo().execute_with(|| {
        assert_eq!(by("rich", kappa(1)), "Bad origin");
        assert_eq!(by("owner", kappa(40_000)), "no error");
        assert!(events().contains(&subtensor::Event::KappaSet(NETUID, 40_000)));
        assert_eq!(by("owner", kappa(1)), "TxRateLimitExceeded");
        let rho = Call::sudo_set_rho {
            netuid: NETUID,
            rho: 7,
        };
        assert_eq!(by("owner", rho), "no error", "another rule has its own");
        root(kappa(2)).unwrap();
        run_blocks(u32::from(2 * LONG) - 1);
        // The epoch is one block away, whatever the limit says.
        assert_eq!(
            by("owner", kappa(1)),
            "AdminActionProhibitedDuringWeightsWindow"
        );
        next_block();
        assert_eq!(by("owner", kappa(1)), "no error");
        assert_eq!(Kappa::<Runtime>::get(NETUID), 1);
    });
}

#[test]
fn a_refused_setting_does_not_use_the_limit_up() {
    chain_with_long_tempo().execute_with(|| {
        let average = |bonds_moving_average| Call::sudo_set_bonds_moving_average {
            netuid: NETUID,
            bonds_moving_average,
        };
        // The owner is held to more than root.
        assert_eq!(
            by("owner", average(975_001)),
            "BondsMovingAverageMaxReached"
        );
        assert_eq!(by("owner", average(975_000)), "no error");
        root(average(1_000_000)).unwrap();
    });
}

#[test]
fn owners_set_nothing_shortly_before_an_epoch() {
    chain_with_long_tempo().execute_with(|| {
        run_blocks(u32::from(LONG) - 10);
        assert_eq!(by("owner", kappa(1)), "no error");
        next_block();
        let rho = || Call::sudo_set_rho {
            netuid: NETUID,
            rho: 7,
        };
        assert_eq!(
            by("owner", rho()),
            "AdminActionProhibitedDuringWeightsWindow"
        );
        root(rho()).unwrap();
        root(Call::sudo_set_admin_freeze_window { window: 5 }).unwrap();
        assert_eq!(by("owner", rho()), "no error");
        root(Call::sudo_set_owner_hparam_rate_limit { epochs: 0 }).unwrap();
        assert_eq!(by("owner", rho()), "no error");
    });
}

#[test]
fn other_actions_of_an_owner_have_limits_of_their_own() {
    chain_with_long_tempo().execute_with(|| {
        let netuid = NETUID;
        root(Call::sudo_set_admin_freeze_window { window: 0 }).unwrap();
        let version = |weights_version_key| Call::sudo_set_weights_version_key {
            netuid,
            weights_version_key,
        };
        assert_eq!(by("owner", version(1)), "no error");
        run_blocks(u32::from(5 * LONG) - 1);
        assert_eq!(by("owner", version(2)), "TxRateLimitExceeded");
        next_block();
        assert_eq!(by("owner", version(2)), "no error");

        register("owner", "owner-second").unwrap();
        let pay_on = |hotkey: &str| Call::sudo_set_sn_owner_hotkey {
            netuid,
            hotkey: account(hotkey),
        };
        assert_eq!(by("owner", pay_on("nobodys")), "HotKeyAccountNotExists");
        assert_eq!(by("owner", pay_on("m1")), "NonAssociatedColdKey");
        assert_eq!(by("owner", pay_on("owner-second")), "no error");
        assert_eq!(
            SubnetOwnerHotkey::<Runtime>::get(netuid),
            account("owner-second")
        );
        assert_eq!(by("owner", pay_on("owner-hot")), "TxRateLimitExceeded");
        let split = || Call::sudo_set_mechanism_emission_split {
            netuid,
            maybe_split: None,
        };
        assert_eq!(by("owner", split()), "no error");
        assert_eq!(by("owner", split()), "TxRateLimitExceeded");
        let count = || Call::sudo_set_mechanism_count {
            netuid,
            mechanism_count: 1,
        };
        assert_eq!(by("owner", count()), "no error");
        assert_eq!(by("owner", count()), "TxRateLimitExceeded");
        let trim = || Call::sudo_trim_to_max_allowed_uids { netuid, max_n: 64 };
        assert_eq!(by("owner", trim()), "no error");
        assert_eq!(by("owner", trim()), "TxRateLimitExceeded");
    });
}

#[test]
fn rules_have_bounds() {
    chain_with_subnet().execute_with(|| {
        let netuid = NETUID;
        let set = |setting: Call<Runtime>| name(root(setting));
        let alpha = |alpha_low, alpha_high| Call::sudo_set_alpha_values {
            netuid,
            alpha_low,
            alpha_high,
        };
        assert_eq!(set(alpha(2000, 3000)), "LiquidAlphaDisabled");
        root(Call::sudo_set_liquid_alpha_enabled {
            netuid,
            enabled: true,
        })
        .unwrap();
        assert_eq!(set(alpha(1637, 1637)), "AlphaHighTooLow");
        assert_eq!(set(alpha(1637, 1638)), "AlphaLowOutOfRange");
        assert_eq!(set(alpha(3001, 3000)), "AlphaLowOutOfRange");
        assert_eq!(set(alpha(1638, 3000)), "no error");
        assert_eq!(AlphaValues::<Runtime>::get(netuid), (1638, 3000));

        let reveal = |interval| Call::sudo_set_commit_reveal_weights_interval { netuid, interval };
        assert_eq!(set(reveal(101)), "RevealPeriodTooLarge");
        assert_eq!(set(reveal(0)), "RevealPeriodTooSmall");
        assert_eq!(set(reveal(100)), "no error");
        assert!(events().contains(&subtensor::Event::CommitRevealPeriodsSet(netuid, 100)));

        let kept = |immune_neurons| Call::sudo_set_owner_immune_neuron_limit {
            netuid,
            immune_neurons,
        };
        assert_eq!(set(kept(0)), "InvalidValue");
        assert_eq!(set(kept(11)), "InvalidValue");
        assert_eq!(set(kept(10)), "no error");

        let least = |min_allowed_uids| Call::sudo_set_min_allowed_uids {
            netuid,
            min_allowed_uids,
        };
        assert_eq!(set(least(256)), "MinAllowedUidsGreaterThanMaxAllowedUids");
        assert_eq!(set(least(6)), "MinAllowedUidsGreaterThanCurrentUids");
        assert_eq!(set(least(5)), "no error");

        let cutoff = |activity_cutoff| Call::sudo_set_activity_cutoff {
            netuid,
            activity_cutoff,
        };
        assert_eq!(set(cutoff(359)), "ActivityCutoffTooLow");
        assert_eq!(set(cutoff(400)), "no error");
        assert_eq!(ActivityCutoff::<Runtime>::get(netuid), 400);
        assert_eq!(
            ActivityCutoffFactorMilli::<Runtime>::get(netuid) * u32::from(TEMPO) / 1000,
            400
        );

        let steep = |steepness| Call::sudo_set_alpha_sigmoid_steepness { netuid, steepness };
        root(Call::sudo_set_admin_freeze_window { window: 0 }).unwrap();
        assert_eq!(by("owner", steep(-1)), "NegativeSigmoidSteepness");
        assert_eq!(set(steep(-1)), "no error");

        let work = |registration_allowed| Call::sudo_set_network_pow_registration_allowed {
            netuid,
            registration_allowed,
        };
        assert_eq!(set(work(true)), "POWRegistrationDisabled");
        assert_eq!(set(work(false)), "no error");

        let rise = |bits| Call::sudo_set_burn_increase_mult {
            netuid,
            burn_increase_mult: FixedU128 { bits },
        };
        assert_eq!(set(rise((1 << 64) - 1)), "ValueNotInBounds");
        assert_eq!(set(rise(1 << 64)), "no error");
        let fall = |netuid| Call::sudo_set_burn_half_life {
            netuid,
            burn_half_life: 0,
        };
        assert_eq!(set(fall(ROOT)), "NotPermittedOnRootSubnet");
        assert_eq!(set(fall(netuid)), "no error");
        let price = Burn::<Runtime>::get(netuid);
        register("miners", "m4").unwrap();
        run_blocks(3);
        assert_eq!(
            Burn::<Runtime>::get(netuid),
            price,
            "neither rises nor falls"
        );

        let epochs = |max_epochs_per_block| Call::sudo_set_max_epochs_per_block {
            max_epochs_per_block,
        };
        assert_eq!(set(epochs(0)), "InvalidValue");
        assert_eq!(set(epochs(32)), "no error");
        assert_eq!(
            set(Call::sudo_set_evm_chain_id { chain_id: 1 }),
            "NotOnThisChain"
        );
    });
}

/// One value a setting, each read back from where clients read it.
#[test]
fn settings_are_stored_where_clients_read_them() {
    chain_with_subnet().execute_with(|| {
        let netuid = NETUID;
        macro_rules! set {
            ($($call:ident { $($argument:ident: $value:expr),* } => $item:ident $(($key:expr))? == $stored:expr;)*) => {
                $(
                    let setting = Call::<Runtime>::$call { $($argument: $value),* };
                    assert_eq!(by("rich", setting.clone()), "Bad origin", "{setting:?}");
                    root(setting).unwrap();
                    assert_eq!($item::<Runtime>::get($($key)?), $stored, stringify!($call));
                )*
            };
        }
        set! {
            sudo_set_default_take { default_take: 1 } => MaxDelegateTake == 1;
            sudo_set_tx_rate_limit { tx_rate_limit: 2 } => TxRateLimit == 2;
            sudo_set_min_difficulty { netuid: netuid, min_difficulty: 3 } => MinDifficulty(netuid) == 3;
            sudo_set_max_difficulty { netuid: netuid, max_difficulty: 4 } => MaxDifficulty(netuid) == 4;
            sudo_set_adjustment_interval { netuid: netuid, adjustment_interval: 5 } => AdjustmentInterval(netuid) == 5;
            sudo_set_adjustment_alpha { netuid: netuid, adjustment_alpha: 6 } => AdjustmentAlpha(netuid) == 6;
            sudo_set_target_registrations_per_interval { netuid: netuid, target_registrations_per_interval: 7 }
                => TargetRegistrationsPerInterval(netuid) == 7;
            sudo_set_difficulty { netuid: netuid, difficulty: 8 } => Difficulty(netuid) == 8;
            sudo_set_max_registrations_per_block { netuid: netuid, max_registrations_per_block: 9 }
                => MaxRegistrationsPerBlock(netuid) == 9;
            sudo_set_subnet_owner_cut { subnet_owner_cut: 10 } => SubnetOwnerCut == 10;
            sudo_set_network_immunity_period { immunity_period: 11 } => NetworkImmunityPeriod == 11;
            sudo_set_network_min_lock_cost { lock_cost: 12 } => NetworkMinLockCost == 12;
            sudo_set_subnet_limit { max_subnets: 13 } => SubnetLimit == 13;
            sudo_set_lock_reduction_interval { interval: 14 } => NetworkLockReductionInterval == 14;
            sudo_set_rao_recycled { netuid: netuid, rao_recycled: 15 } => RAORecycledForRegistration(netuid) == 15;
            sudo_set_nominator_min_required_stake { min_stake: 16 } => NominatorMinRequiredStake == 16;
            sudo_set_tx_delegate_take_rate_limit { tx_rate_limit: 17 } => TxDelegateTakeRateLimit == 17;
            sudo_set_min_delegate_take { take: 18 } => MinDelegateTake == 18;
            sudo_set_liquid_alpha_enabled { netuid: netuid, enabled: true } => LiquidAlphaOn(netuid) == true;
            sudo_set_dissolve_network_schedule_duration { duration: 19 } => DissolveNetworkScheduleDuration == 19;
            sudo_set_bonds_penalty { netuid: netuid, bonds_penalty: 20 } => BondsPenalty(netuid) == 20;
            sudo_set_toggle_transfer { netuid: netuid, toggle: false } => TransferToggle(netuid) == false;
            sudo_set_subnet_moving_alpha { alpha: FixedI128 { bits: 21 } } => SubnetMovingAlpha == FixedI128 { bits: 21 };
            sudo_set_ema_price_halving_period { netuid: netuid, ema_halving: 22 } => EMAPriceHalvingBlocks(netuid) == 22;
            sudo_set_commit_reveal_version { version: 23 } => CommitRevealWeightsVersion == 23;
            sudo_set_admin_freeze_window { window: 24 } => AdminFreezeWindow == 24;
            sudo_set_owner_hparam_rate_limit { epochs: 25 } => OwnerHyperparamRateLimit == 25;
            sudo_set_recycle_or_burn { netuid: netuid, recycle_or_burn: RecycleOrBurnEnum::Recycle }
                => RecycleOrBurn(netuid) == RecycleOrBurnEnum::Recycle;
            sudo_set_min_non_immune_uids { netuid: netuid, min: 26 } => MinNonImmuneUids(netuid) == 26;
            sudo_set_start_call_delay { delay: 27 } => StartCallDelay == 27;
            sudo_set_owner_cut_enabled { netuid: netuid, enabled: false } => OwnerCutEnabled(netuid) == false;
            sudo_set_total_issuance { total_issuance: 28 } => TotalIssuance == 28;
        }
    });
}
