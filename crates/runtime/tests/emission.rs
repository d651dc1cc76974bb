//! What a block emits and where it goes, in numbers worked out by hand.

mod support;

use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, SubtensorModule, System, admin_utils};
use support::*;

/// 1 with 32 fractional bits.
const ONE: i128 = 1 << 32;

/// Founds subnet 1, with 1000 TAO and as much of its token in its pool and long epochs, and starts it. Root owns 500
/// TAO that weigh in full.
fn started_subnet() {
    let register = subtensor::Call::register_network {
        hotkey: account("owner-hot"),
    };
    call("owner", register).unwrap();
    assert_eq!(SubnetTAO::<Runtime>::get(NETUID), 1000 * TAO);
    assert_eq!(SubnetAlphaIn::<Runtime>::get(NETUID), 1000 * TAO);
    enable(NETUID, true);
    start(NETUID);
    let root_stake = subtensor::Call::add_stake {
        hotkey: account("owner-hot"),
        netuid: ROOT,
        amount_staked: 500 * TAO,
    };
    call("rich", root_stake).unwrap();
    TaoWeight::<Runtime>::put(u64::MAX);
}

fn start(netuid: u16) {
    call("owner", subtensor::Call::start_call { netuid }).unwrap();
}

fn enable(netuid: u16, enabled: bool) {
    root(admin_utils::Call::sudo_set_subnet_emission_enabled { netuid, enabled }).unwrap();
}

fn set_moving_price(netuid: u16, bits: i128) {
    SubnetMovingPrice::<Runtime>::insert(netuid, FixedI128 { bits });
}

#[test]
fn a_pool_takes_what_root_allows_and_the_rest_buys() {
    chain().execute_with(|| {
        started_subnet();
        // Twice the token: a price of a half, and a root proportion of 500 / (500 + 2000).
        SubnetAlphaIn::<Runtime>::insert(NETUID, 2000 * TAO);
        set_moving_price(NETUID, ONE / 2);
        let issuance = TotalIssuance::<Runtime>::get();
        next_block();

        // 1 TAO asks for 2 of the token, but only 1/5 of the block's 1 may go in; so does 0.1 TAO.
        assert_eq!(BlockEmission::<Runtime>::get(), TAO);
        assert_eq!(SubnetAlphaInEmission::<Runtime>::get(NETUID), TAO / 5);
        assert_eq!(SubnetTaoInEmission::<Runtime>::get(NETUID), TAO / 10);
        assert_eq!(SubnetExcessTao::<Runtime>::get(NETUID), TAO / 10 * 9);
        assert_eq!(TotalIssuance::<Runtime>::get(), issuance + TAO);
        assert_eq!(SubnetTAO::<Runtime>::get(NETUID), 1001 * TAO);
        // The purchase: 33/65535 of 0.9 TAO is the fee, the rest moves along the product.
        let paid = 900_000_000 - 453_192;
        let bought = 2_000_200_000_000u128 * paid / (1_000_100_000_000 + paid);
        assert_eq!(
            u128::from(SubnetAlphaIn::<Runtime>::get(NETUID)),
            2_000_200_000_000 - bought
        );
        // The token's own 1: 11796/65535 for the owner, the rest in halves, a fifth of the validators' half for root.
        assert_eq!(SubnetAlphaOutEmission::<Runtime>::get(NETUID), TAO);
        assert_eq!(PendingOwnerCut::<Runtime>::get(NETUID), 179_995_422);
        assert_eq!(PendingServerEmission::<Runtime>::get(NETUID), 410_002_289);
        assert_eq!(
            PendingValidatorEmission::<Runtime>::get(NETUID),
            328_001_832
        );
        // One price of a half is less than TAO: root's part is recycled, and what was bought is destroyed.
        assert_eq!(PendingRootAlphaDivs::<Runtime>::get(NETUID), 0);
        assert_eq!(SubnetAlphaOut::<Runtime>::get(NETUID), TAO - 82_000_457);
        let token = SubnetAlphaIn::<Runtime>::get(NETUID) + SubnetAlphaOut::<Runtime>::get(NETUID);
        let proportion = ((500 * u128::from(TAO)) << 32) / u128::from(500 * TAO + token);
        assert_eq!(RootProp::<Runtime>::get(NETUID).bits, proportion);
        assert_nothing_is_lost();
    });
}

#[test]
fn without_the_owners_cut_the_halves_are_whole() {
    chain().execute_with(|| {
        started_subnet();
        OwnerCutEnabled::<Runtime>::insert(NETUID, false);
        next_block();
        assert_eq!(PendingOwnerCut::<Runtime>::get(NETUID), 0);
        assert_eq!(PendingServerEmission::<Runtime>::get(NETUID), TAO / 2);
        // Root weighs 500 against 1000.
        assert_eq!(
            PendingValidatorEmission::<Runtime>::get(NETUID),
            TAO / 2 - TAO / 2 / 3
        );
    });
}

#[test]
fn subnets_share_by_moving_price_and_what_miners_earned() {
    chain().execute_with(|| {
        started_subnet();
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        for netuid in 2..=4 {
            let hotkey = account(&format!("founder-{netuid}"));
            call("owner", subtensor::Call::register_network { hotkey }).unwrap();
            enable(netuid, netuid != 3);
            if netuid != 4 {
                start(netuid);
            }
            set_moving_price(netuid, ONE / 2);
        }
        set_moving_price(NETUID, ONE / 4);
        // Half of the second one's incentive was its owner's, so that both claim a quarter; the third is switched off
        // and the fourth not started.
        MinerBurned::<Runtime>::insert(2, FixedU128 { bits: 1 << 31 });
        next_block();
        let tao = |netuid| {
            SubnetTaoInEmission::<Runtime>::get(netuid) + SubnetExcessTao::<Runtime>::get(netuid)
        };
        assert_eq!([1, 2, 3, 4].map(tao), [TAO / 2, TAO / 2, 0, 0]);
        // The switch holds for the pool: the participants of the third have their token.
        assert_eq!(
            [1, 2, 3, 4].map(SubnetAlphaOutEmission::<Runtime>::get),
            [TAO, TAO, TAO, 0]
        );
        assert_eq!(SubnetAlphaInEmission::<Runtime>::get(3), 0);
        // The prices of those with emission add up to 5/4, more than TAO: root's part waits too.
        let waiting = [1, 2, 3, 4].map(PendingRootAlphaDivs::<Runtime>::get);
        assert!(waiting[..3].iter().all(|amount| *amount > 0), "{waiting:?}");
        assert_eq!(waiting[3], 0);
        assert_eq!(
            PendingRootAlphaDivs::<Runtime>::get(3) + PendingValidatorEmission::<Runtime>::get(3),
            410_002_289
        );
        assert_nothing_is_lost();
    });
}

#[test]
fn without_a_moving_price_only_the_token_is_emitted() {
    chain().execute_with(|| {
        started_subnet();
        let issuance = TotalIssuance::<Runtime>::get();
        next_block();
        assert_eq!(SubnetExcessTao::<Runtime>::get(NETUID), 0);
        assert_eq!(TotalIssuance::<Runtime>::get(), issuance);
        assert_eq!(SubnetAlphaOutEmission::<Runtime>::get(NETUID), TAO);
        // Closed or without a token it has nothing.
        for rule in [0, 1] {
            NetworkRegistrationAllowed::<Runtime>::insert(NETUID, rule != 0);
            SubtokenEnabled::<Runtime>::insert(NETUID, rule != 1);
            next_block();
            assert_eq!(SubnetAlphaOutEmission::<Runtime>::get(NETUID), 0);
        }
    });
}

#[test]
fn a_tokens_emission_halves_with_its_own_issuance() {
    chain().execute_with(|| {
        started_subnet();
        let emitted = |issuance| {
            SubnetAlphaIn::<Runtime>::insert(NETUID, 1000 * TAO);
            SubnetAlphaOut::<Runtime>::insert(NETUID, issuance - 1000 * TAO);
            next_block();
            SubnetAlphaOutEmission::<Runtime>::get(NETUID)
        };
        assert_eq!(emitted(MAX_ISSUANCE / 2 - 1), TAO);
        assert_eq!(emitted(MAX_ISSUANCE / 2), TAO / 2);
        assert_eq!(emitted(MAX_ISSUANCE / 4 * 3), TAO / 4);
        assert_eq!(emitted(MAX_ISSUANCE), 0);
        assert_eq!(BlockEmission::<Runtime>::get(), TAO, "TAO follows its own");
    });
}

#[test]
fn a_pool_too_small_to_buy_from_gets_nothing_of_the_excess() {
    chain().execute_with(|| {
        started_subnet();
        SubnetAlphaIn::<Runtime>::insert(NETUID, 900_000);
        set_moving_price(NETUID, ONE);
        let (issuance, pool) = (
            TotalIssuance::<Runtime>::get(),
            SubnetTAO::<Runtime>::get(NETUID),
        );
        next_block();
        // At about a million TAO a piece the pool takes next to nothing of the token.
        let into_pool = SubnetTaoInEmission::<Runtime>::get(NETUID);
        assert!(SubnetAlphaInEmission::<Runtime>::get(NETUID) < 1000);
        assert_eq!(SubnetExcessTao::<Runtime>::get(NETUID), 0);
        assert_eq!(TotalIssuance::<Runtime>::get(), issuance + into_pool);
        assert_eq!(SubnetTAO::<Runtime>::get(NETUID), pool + into_pool);
        assert_nothing_is_lost();
    });
}

#[test]
fn the_moving_price_follows_the_price_up_to_one() {
    chain().execute_with(|| {
        started_subnet();
        SubnetMovingAlpha::<Runtime>::put(FixedI128 { bits: ONE / 2 });
        EMAPriceHalvingBlocks::<Runtime>::insert(NETUID, 1);
        let price = || SubnetMovingPrice::<Runtime>::get(NETUID).bits;
        // The first block after the start has age 1 and a weight of 1/2 x 1/2.
        next_block();
        assert_eq!(price(), ONE / 4);
        // Age 2 has 1/2 x 2/3: 1/3 + 2/3 x 1/4. The block's TAO has bought by then, and a price above 1 counts as 1.
        next_block();
        assert!(SubnetExcessTao::<Runtime>::get(NETUID) > 0);
        assert!(SubtensorModule::price_q64(NETUID) > 1 << 64);
        assert_eq!(price(), ONE / 2 - 1);
        // A subnet that is not started has no age.
        FirstEmissionBlockNumber::<Runtime>::remove(NETUID);
        next_block();
        assert_eq!(price(), ONE / 2 - 1);
    });
}

// ---- the epoch's payments ----

/// A subnet with validators in which nothing is emitted any more, so that what waits is what a test says.
#[test]
fn the_moving_flow_follows_what_stakers_bring_and_take() {
    let flow = || SubnetEmaTaoFlow::<Runtime>::get(NETUID).expect("it moves in every block");
    chain_with_subnet().execute_with(|| {
        FlowEmaSmoothingFactor::<Runtime>::put(i64::MAX.unsigned_abs());
        next_block();
        next_block();
        assert_eq!(
            flow(),
            (System::block_number().into(), FixedI128 { bits: 0 })
        );

        stake("rich", "v1", 8 * TAO).unwrap();
        next_block();
        assert_eq!(flow().1.bits, i128::from(8 * TAO) << 64);

        // The fee stays in the pool, so less comes out.
        FlowEmaSmoothingFactor::<Runtime>::put(i64::MAX.unsigned_abs() / 2);
        let all = SubtensorModule::stake_of(&account("v1"), &account("rich"), NETUID);
        let before = balance(&account("rich"));
        unstake("rich", "v1", all).unwrap();
        let taken = balance(&account("rich")) - before;
        assert!(taken < 8 * TAO);
        next_block();
        let half = (i128::from(8 * TAO - taken) << 64) / 2;
        let away = (flow().1.bits - half).abs();
        assert!(away < 1 << 64, "{away}");

        // Moving stake away is a flow, registration is one, and what the emission buys is none.
        assert_eq!(SubnetTaoFlow::<Runtime>::get(NETUID), 0);
        let price = Burn::<Runtime>::get(NETUID);
        register("rich", "newcomer").unwrap();
        assert_eq!(
            SubnetTaoFlow::<Runtime>::get(NETUID),
            i64::try_from(price).unwrap()
        );
        stake("rich", "v1", 8 * TAO).unwrap();
        next_block();
        let moved = subtensor::Call::move_stake {
            origin_hotkey: account("v1"),
            destination_hotkey: account("v1"),
            origin_netuid: NETUID,
            destination_netuid: ROOT,
            alpha_amount: 2 * TAO,
        };
        call("rich", moved).unwrap();
        let received = SubtensorModule::stake_of(&account("v1"), &account("rich"), ROOT);
        assert_ne!(received, 0);
        assert_eq!(
            SubnetTaoFlow::<Runtime>::get(NETUID),
            -i64::try_from(received).unwrap()
        );
    });
}

fn with_waiting(miners: u64, validators: u64, root_part: u64) -> sp_io::TestExternalities {
    let mut externalities = chain_with_validators();
    externalities.execute_with(|| {
        NetworkRegistrationAllowed::<Runtime>::insert(NETUID, false);
        run_to_epoch();
        PendingServerEmission::<Runtime>::insert(NETUID, miners);
        PendingValidatorEmission::<Runtime>::insert(NETUID, validators);
        PendingRootAlphaDivs::<Runtime>::insert(NETUID, root_part);
        SubnetAlphaOut::<Runtime>::mutate(NETUID, |out| *out += miners + validators + root_part);
        assert_nothing_is_lost();
    });
    externalities
}

fn alpha(hotkey: &str) -> u64 {
    TotalHotkeyAlpha::<Runtime>::get(account(hotkey), NETUID)
}

#[test]
fn a_delegate_takes_its_part_before_its_stakers() {
    with_waiting(1_000_000, 2_000_000, 0).execute_with(|| {
        stake("rich", "v1", 100 * TAO).unwrap();
        let owned =
            |coldkey: &str| SubtensorModule::stake_of(&account("v1"), &account(coldkey), NETUID);
        weigh("v1", &[(3, 1)]).unwrap();
        let before = (owned("validators"), owned("rich"), alpha("v1"), alpha("m1"));
        // The take of the epoch's block counts.
        Delegates::<Runtime>::insert(account("v1"), 6_554);
        run_to_epoch();
        assert_eq!(alpha("m1"), before.3 + 1_000_000);
        assert_eq!(alpha("v1"), before.2 + 2_000_000);
        // 2,000,000 x 6554 / 65535 = 200,015.2 are the owner's, the others get by their shares.
        let rest = 2_000_000 - 200_015;
        let staker = (u128::from(rest) * u128::from(before.1) / u128::from(before.2)) as u64;
        let (owner_gains, staker_gains) =
            (owned("validators") - before.0, owned("rich") - before.1);
        assert!(
            staker_gains.abs_diff(staker) <= 2,
            "{staker_gains}, not {staker}"
        );
        assert!(
            owner_gains.abs_diff(2_000_000 - staker) <= 3,
            "{owner_gains}"
        );
        // What is displayed: the stakers' part, what it was earned with, and all that the neuron made.
        let v1 = account("v1");
        assert_eq!(AlphaDividendsPerSubnet::<Runtime>::get(NETUID, &v1), rest);
        assert_eq!(
            TotalHotkeyAlphaLastEpoch::<Runtime>::get(&v1, NETUID),
            alpha("v1")
        );
        assert_eq!(
            LastHotkeyEmissionOnNetuid::<Runtime>::get(&v1, NETUID),
            2_000_000
        );
        assert_eq!(
            LastHotkeyEmissionOnNetuid::<Runtime>::get(account("m1"), NETUID),
            1_000_000
        );
        assert_nothing_is_lost();
        // Who earns nothing in the next epoch has nothing displayed.
        run_to_epoch();
        assert_eq!(AlphaDividendsPerSubnet::<Runtime>::get(NETUID, &v1), 0);
        assert_eq!(LastHotkeyEmissionOnNetuid::<Runtime>::get(&v1, NETUID), 0);
    });
}

#[test]
fn roots_part_counts_in_the_epoch_and_is_recycled() {
    with_waiting(1_000_000, 1_000_000, 2_000_000).execute_with(|| {
        weigh("v1", &[(3, 1)]).unwrap();
        let out = SubnetAlphaOut::<Runtime>::get(NETUID);
        run_to_epoch();
        // Half of all four millions is the miner's by Yuma, but only what waited for miners is paid.
        assert_eq!(Emission::<Runtime>::get(NETUID)[3], 2_000_000);
        assert_eq!(alpha("m1"), 1_000_000);
        assert_eq!(PendingRootAlphaDivs::<Runtime>::get(NETUID), 0);
        assert_eq!(SubnetAlphaOut::<Runtime>::get(NETUID), out - 2_000_000);
        assert_nothing_is_lost();
    });
}

#[test]
fn dividends_follow_the_stake_in_the_subnets_own_token() {
    with_waiting(0, 3_000_000, 0).execute_with(|| {
        for validator in ["v1", "v2"] {
            weigh(validator, &[(3, 1)]).unwrap();
        }
        // Root stake doubles the second validator's weight: Yuma gives it more, but root's part was not in the pot.
        TaoWeight::<Runtime>::put(u64::MAX);
        let own = alpha("v2");
        TotalHotkeyAlpha::<Runtime>::insert(account("v2"), ROOT, own);
        let before = (alpha("v1"), alpha("v2"));
        run_to_epoch();
        let (first, second) = (alpha("v1") - before.0, alpha("v2") - before.1);
        let ratio = first as f64 / second as f64;
        let expected = before.0 as f64 / before.1 as f64;
        assert!(
            (ratio / expected - 1.0).abs() < 1e-3,
            "{ratio}, not {expected}"
        );
        assert!(first + second > 2_999_990);
    });
}

#[test]
fn the_owners_incentive_is_burned_or_recycled() {
    for (rule, kept) in [
        (RecycleOrBurnEnum::Recycle, 0),
        (RecycleOrBurnEnum::Burn, 750_000),
    ] {
        with_waiting(1_000_000, 0, 0).execute_with(|| {
            RecycleOrBurn::<Runtime>::insert(NETUID, rule);
            weigh("v1", &[(3, 1), (0, 3)]).unwrap();
            let (out, owners) = (SubnetAlphaOut::<Runtime>::get(NETUID), alpha("owner-hot"));
            run_to_epoch();
            let close = |found: u64, expected: u64| {
                assert!(
                    found.abs_diff(expected) <= 20,
                    "{rule:?}: {found}, not {expected}"
                )
            };
            close(alpha("m1"), 250_000);
            assert_eq!(alpha("owner-hot"), owners);
            // The burned token still counts as issued, the recycled can be emitted again.
            close(SubnetAlphaOut::<Runtime>::get(NETUID), out - 750_000 + kept);
            let burned = MinerBurned::<Runtime>::get(NETUID).bits as f64 / 2f64.powi(32);
            assert!((burned - 0.75).abs() < 1e-4, "{burned}");
            assert_eq!(
                LastHotkeyEmissionOnNetuid::<Runtime>::get(account("owner-hot"), NETUID),
                0
            );
        });
    }
}

#[test]
fn mechanisms_share_what_waits() {
    with_waiting(1_000_000, 1_000_000, 0).execute_with(|| {
        let second = 4096 + NETUID;
        MechanismCountCurrent::<Runtime>::insert(NETUID, 2);
        MechanismEmissionSplit::<Runtime>::insert(NETUID, vec![49_151, 16_384]);
        let now = u64::from(System::block_number());
        LastUpdate::<Runtime>::insert(second, vec![now; 6]);
        // The first mechanism's only miner is m1, the second's m2.
        weigh("v1", &[(3, 1)]).unwrap();
        Weights::<Runtime>::insert(second, 1, vec![(4, 1)]);
        run_to_epoch();
        // 2,000,000 x 16384 / 65535 = 500,007.6 are the second's, half of each the miners'.
        let (first_half, second_half) = (1_499_993 / 2, 500_007 / 2);
        let paid = |part: u64| part * 1_000_000 / (first_half + second_half);
        assert_eq!(alpha("m1"), paid(first_half));
        assert_eq!(alpha("m2"), paid(second_half));
        assert_eq!(Incentive::<Runtime>::get(NETUID), [0, 0, 0, 65535, 0, 0]);
        assert_eq!(Incentive::<Runtime>::get(second), [0, 0, 0, 0, 65535, 0]);
        // Stored once: weighted by the emission, here 0.75 and 0.25 of 65535 rounded down.
        let consensus = Consensus::<Runtime>::get(NETUID);
        assert_eq!(consensus[3..], [49_151, 16_383, 0]);
        assert_eq!(Bonds::<Runtime>::get(second, 1).len(), 1);
        assert_eq!(Bonds::<Runtime>::get(second, 1)[0].0, 4);
        assert!(Active::<Runtime>::get(NETUID)[1]);
        assert_nothing_is_lost();
    });
}

#[test]
fn a_mechanism_whose_vectors_do_not_fit_has_no_part() {
    with_waiting(1_000_000, 1_000_000, 0).execute_with(|| {
        MechanismCountCurrent::<Runtime>::insert(NETUID, 2);
        LastUpdate::<Runtime>::insert(4096 + NETUID, vec![1; 5]);
        weigh("v1", &[(3, 1)]).unwrap();
        run_to_epoch();
        assert_eq!(alpha("m1"), 1_000_000);
        assert!(!Incentive::<Runtime>::contains_key(4096 + NETUID));
        // Without any mechanism that fits, the epoch is skipped and the token waits.
        PendingServerEmission::<Runtime>::insert(NETUID, 5);
        LastUpdate::<Runtime>::insert(NETUID, vec![1; 5]);
        run_to_epoch();
        let block = u64::from(System::block_number());
        assert!(events().contains(&subtensor::Event::EpochSkipped {
            netuid: NETUID,
            block
        }));
        assert_eq!(PendingServerEmission::<Runtime>::get(NETUID), 5);
    });
}
