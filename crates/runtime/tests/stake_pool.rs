//! Shares of stake under any sequence of deposits, withdrawals and dividends.

#[path = "support/properties.rs"]
mod properties;
mod support;

use agon_runtime::subtensor::*;
use agon_runtime::{Runtime, SubtensorModule};
use properties::cases;
use proptest::prelude::*;
use support::*;

const STAKERS: [&str; 3] = ["validators", "miners", "rich"];

/// One thing that happens to a pool.
#[derive(Clone, Debug)]
enum Step {
    Deposit {
        who: usize,
        amount: u64,
    },
    /// A part of what is owned, over 100.
    Withdraw {
        who: usize,
        part: u64,
    },
    /// What an epoch pays to all stakers.
    Dividend {
        amount: u64,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3usize, 2 * MIN_STAKE..ENDOWMENT / 20)
            .prop_map(|(who, amount)| Step::Deposit { who, amount }),
        (0..3usize, 1..=100u64).prop_map(|(who, part)| Step::Withdraw { who, part }),
        (1..100 * TAO).prop_map(|amount| Step::Dividend { amount }),
    ]
}

fn owned() -> [u64; 3] {
    STAKERS.map(|who| SubtensorModule::stake_of(&account("v1"), &account(who), NETUID))
}

/// Raises the pool's value as an epoch does, with rao behind it.
fn pay_dividend(amount: u64) {
    use frame_support::traits::fungible::Mutate;
    agon_runtime::Balances::mint_into(&SubtensorModule::subnet_account(NETUID), amount).unwrap();
    TotalIssuance::<Runtime>::mutate(|total| *total += amount);
    TotalStake::<Runtime>::mutate(|total| *total += amount);
    SubnetTAO::<Runtime>::mutate(NETUID, |tao| *tao += amount);
    SubnetAlphaOut::<Runtime>::mutate(NETUID, |alpha| *alpha += amount);
    TotalHotkeyAlpha::<Runtime>::mutate(account("v1"), NETUID, |total| *total += amount);
}

fn apply(step: &Step) {
    let before = owned();
    let total = TotalHotkeyAlpha::<Runtime>::get(account("v1"), NETUID);
    match *step {
        Step::Deposit { who, amount } => {
            let bought = SubtensorModule::simulate_buy(NETUID, amount).alpha_amount;
            stake(STAKERS[who], "v1", amount).expect("everybody is rich");
            let after = owned();
            for at in 0..3 {
                let expected = before[at] + if at == who { bought } else { 0 };
                assert!(
                    after[at].abs_diff(expected) <= 1,
                    "{before:?} {step:?} {after:?}"
                );
            }
        }
        Step::Withdraw { who, part } => {
            let amount = (u128::from(before[who]) * u128::from(part) / 100) as u64;
            let tao = SubtensorModule::simulate_sell(NETUID, amount).tao_amount;
            let is_possible = amount != 0 && (tao >= MIN_STAKE || amount == before[who]);
            assert_eq!(
                unstake(STAKERS[who], "v1", amount).is_ok(),
                is_possible,
                "{amount} of {}",
                before[who]
            );
            let after = owned();
            for at in 0..3 {
                let expected = before[at] - if at == who && is_possible { amount } else { 0 };
                assert!(
                    after[at].abs_diff(expected) <= 1,
                    "{before:?} {step:?} {after:?}"
                );
            }
        }
        Step::Dividend { amount } if total != 0 && before.iter().sum::<u64>() != 0 => {
            pay_dividend(amount);
            for (after, before) in owned().into_iter().zip(before) {
                let part = u128::from(amount) * u128::from(before) / u128::from(total);
                assert!(
                    u128::from(after).abs_diff(u128::from(before) + part) <= 2 + part / 1_000_000,
                    "{step:?}"
                );
            }
        }
        Step::Dividend { .. } => {}
    }
    assert_nothing_is_lost();
}

proptest! {
    #![proptest_config(cases(32, 250))]

    #[test]
    fn nobody_gains_or_loses_by_others(steps in prop::collection::vec(any_step(), 1..40)) {
        chain_with_subnet().execute_with(|| steps.iter().for_each(apply));
    }
}

#[test]
fn the_first_deposit_is_its_own_measure() {
    chain_with_subnet().execute_with(|| {
        // One to one, so that the numbers are seen.
        SubnetMechanism::<Runtime>::insert(NETUID, 0);
        stake("rich", "v1", 5 * TAO).unwrap();
        let all = TotalHotkeySharesV2::<Runtime>::get(account("v1"), NETUID);
        assert_eq!(all, SafeFloat::from(5 * TAO));
        assert_eq!(
            AlphaV2::<Runtime>::get((account("v1"), account("rich"), NETUID)),
            all
        );
        // After a dividend of a quarter, as much money buys fewer shares.
        pay_dividend(5 * TAO / 4);
        stake("miners", "v1", 5 * TAO).unwrap();
        let bought = AlphaV2::<Runtime>::get((account("v1"), account("miners"), NETUID));
        assert_eq!(bought, SafeFloat::from(4 * TAO));
        assert_eq!(owned(), [0, 5 * TAO, 6_250_000_000]);
    });
}
