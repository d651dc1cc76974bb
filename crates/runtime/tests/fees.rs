//! Fees in a subnet's token: who pays them, how much, and who cannot.

mod support;

use agon_runtime::genesis::{EXISTENTIAL_DEPOSIT, set_balance};
use agon_runtime::subtensor::{self, *};
use agon_runtime::{
    AccountId, Balances, Executive, Runtime, RuntimeCall, RuntimeEvent, SubtensorModule, System,
};
use frame_support::storage::with_transaction;
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionSource, TransactionValidityError,
};
use sp_runtime::{DispatchError, DispatchResult, TransactionOutcome};
use support::*;

type Call = subtensor::Call<Runtime>;

const POOR: &str = "//Alice";

fn hotkey() -> AccountId {
    account("v1")
}

fn staked(netuid: u16) -> u64 {
    SubtensorModule::stake_of(&hotkey(), &id(POOR), netuid)
}

/// What the node's pool says to a transaction.
fn offer(call: impl Into<RuntimeCall>) -> Result<(), TransactionValidityError> {
    let transaction = sign(POOR, System::account_nonce(id(POOR)), call);
    Executive::validate_transaction(
        TransactionSource::External,
        transaction,
        System::block_hash(0),
    )
    .map(|_| ())
}

fn apply(call: impl Into<RuntimeCall>) -> DispatchResult {
    let transaction = sign(POOR, System::account_nonce(id(POOR)), call);
    Executive::apply_extrinsic(transaction).expect("a valid transaction")
}

fn refused() -> Result<(), TransactionValidityError> {
    Err(InvalidTransaction::Payment.into())
}

fn remove(amount_unstaked: u64) -> Call {
    Call::remove_stake {
        hotkey: hotkey(),
        netuid: NETUID,
        amount_unstaked,
    }
}

/// A chain whose one subnet has a price of about 4 and a staker without TAO to pay with: its account merely exists.
fn chain_with_a_poor_staker() -> sp_io::TestExternalities {
    let mut chain = chain_with_subnet();
    chain.execute_with(|| {
        SubnetAlphaIn::<Runtime>::mutate(NETUID, |alpha| *alpha /= 4);
        stake_as_poor(NETUID, 50 * TAO);
    });
    chain
}

/// Stakes so many rao and leaves the account with the least it can have.
fn stake_as_poor(netuid: u16, amount_staked: u64) {
    set_balance(&id(POOR), 1000 * TAO).unwrap();
    let add = Call::add_stake {
        hotkey: hotkey(),
        netuid,
        amount_staked,
    };
    apply(add).unwrap();
    set_balance(&id(POOR), EXISTENTIAL_DEPOSIT).unwrap();
    System::reset_events();
}

/// What the payer was told of a fee in a subnet's token: the subnet, the token, the rao.
fn told() -> Option<(u16, u64, u64)> {
    events().into_iter().find_map(|event| match event {
        Event::TransactionFeePaidWithAlpha {
            who,
            netuid,
            alpha_fee,
            tao_amount,
        } => {
            assert_eq!(who, id(POOR));
            Some((netuid, alpha_fee, tao_amount))
        }
        _ => None,
    })
}

/// The fee in rao that the last transaction cost.
fn fee() -> u64 {
    let fee = System::events()
        .into_iter()
        .rev()
        .find_map(|record| match record.event {
            RuntimeEvent::TransactionPayment(
                pallet_transaction_payment::Event::TransactionFeePaid { actual_fee, .. },
            ) => Some(actual_fee),
            _ => None,
        });
    fee.expect("a transaction was paid for")
}

#[test]
fn who_has_no_tao_pays_with_the_stake_that_is_withdrawn() {
    chain_with_a_poor_staker().execute_with(|| {
        let (before, issuance) = (staked(NETUID), Balances::total_issuance());
        let price = SubtensorModule::price_q64(NETUID);
        assert!(price > 3 << 64, "a price that is not one to one: {price}");
        let amount = 5 * TAO;
        assert_eq!(offer(remove(amount)), Ok(()));
        apply(remove(amount)).unwrap();

        let (netuid, alpha, tao) = told().expect("the fee was paid in the token");
        assert_eq!(netuid, NETUID);
        let worth = |alpha: u64| (u128::from(alpha) * (price >> 32)) >> 32;
        assert!(worth(alpha) >= u128::from(fee()) && worth(alpha - 1) < u128::from(fee()));
        // The sale lowers the price, by next to nothing.
        assert!(
            (fee() - 10..=fee() + 4).contains(&tao),
            "{tao} of {}",
            fee()
        );
        assert_eq!(before - staked(NETUID), amount + alpha);
        assert_eq!(issuance - Balances::total_issuance(), tao, "it is recycled");
        assert_nothing_is_lost();
        // The pool took no fee from the fee, and one from the withdrawal.
        let sold: Vec<_> = events()
            .into_iter()
            .filter_map(|event| match event {
                Event::StakeRemoved(who, _, rao, alpha, _, fee) => Some((who, rao, alpha, fee)),
                _ => None,
            })
            .collect();
        let [(payer, rao, token, 0), (owner, received, removed, kept)] = &sold[..] else {
            panic!("{sold:?}")
        };
        assert_eq!((payer, owner), (&id(POOR), &id(POOR)));
        assert_eq!((*rao, *token, *removed), (tao, alpha, amount));
        assert!(*kept > 0);
        assert_eq!(balance(&id(POOR)), EXISTENTIAL_DEPOSIT + received);

        // With TAO again the next one is paid in TAO.
        System::reset_events();
        let (stake, before) = (staked(NETUID), balance(&id(POOR)));
        apply(remove(stake)).unwrap();
        assert_eq!((told(), staked(NETUID)), (None, 0));
        assert!(balance(&id(POOR)) > before);
    });
}

#[test]
fn every_call_that_gives_stake_away_can_be_paid_from_it() {
    chain_with_a_poor_staker().execute_with(|| {
        let all = staked(NETUID);
        let (hotkey, netuid, amount) = (hotkey(), NETUID, all);
        let (origin_netuid, destination_netuid, alpha_amount) = (NETUID, ROOT, all);
        let calls = [
            remove(all),
            Call::remove_stake_limit {
                hotkey: hotkey.clone(),
                netuid,
                amount_unstaked: all,
                limit_price: 1,
                allow_partial: false,
            },
            Call::remove_stake_full_limit {
                hotkey: hotkey.clone(),
                netuid,
                limit_price: None,
            },
            Call::unstake_all {
                hotkey: hotkey.clone(),
            },
            Call::unstake_all_alpha {
                hotkey: hotkey.clone(),
            },
            Call::move_stake {
                origin_hotkey: hotkey.clone(),
                destination_hotkey: account("v2"),
                origin_netuid,
                destination_netuid,
                alpha_amount,
            },
            Call::transfer_stake {
                destination_coldkey: id("//Bob"),
                hotkey: hotkey.clone(),
                origin_netuid,
                destination_netuid,
                alpha_amount,
            },
            Call::swap_stake {
                hotkey: hotkey.clone(),
                origin_netuid,
                destination_netuid,
                alpha_amount,
            },
            Call::swap_stake_limit {
                hotkey: hotkey.clone(),
                origin_netuid,
                destination_netuid,
                alpha_amount,
                limit_price: 1,
                allow_partial: false,
            },
            Call::recycle_alpha {
                hotkey: hotkey.clone(),
                amount,
                netuid,
            },
            Call::burn_alpha {
                hotkey: hotkey.clone(),
                amount,
                netuid,
            },
        ];
        for call in calls {
            let what = format!("{call:?}");
            assert_eq!(offer(call.clone()), Ok(()), "{what}");
            with_transaction(|| {
                // All of the stake was meant, and what the fee left of it was taken.
                assert_eq!(apply(call), Ok(()), "{what}");
                let (netuid, alpha, _) = told().unwrap_or_else(|| panic!("{what}"));
                assert!(netuid == NETUID && alpha < all / 1000, "{what}: {alpha}");
                assert_eq!(staked(NETUID), 0, "{what}");
                TransactionOutcome::Rollback(Ok::<_, DispatchError>(()))
            })
            .expect("no layer is missing");
        }
        // What takes no stake away is paid in TAO or not at all.
        let others: [RuntimeCall; 3] = [
            Call::burned_register { netuid, hotkey }.into(),
            pallet_balances::Call::transfer_allow_death {
                dest: id("//Bob").into(),
                value: 1,
            }
            .into(),
            pallet_utility::Call::batch {
                calls: vec![remove(all).into()],
            }
            .into(),
        ];
        for call in others {
            let what = format!("{call:?}");
            assert_eq!(offer(call), refused(), "{what}");
        }
    });
}

#[test]
fn stake_on_several_networks_pays_for_none() {
    chain_with_a_poor_staker().execute_with(|| {
        let unstake = || Call::unstake_all { hotkey: hotkey() };
        assert_eq!(offer(unstake()), Ok(()));
        stake_as_poor(ROOT, TAO);
        assert_eq!(offer(unstake()), refused());
        let alpha = Call::unstake_all_alpha { hotkey: hotkey() };
        assert_eq!(offer(alpha), refused());
        // Root's stake is one to one.
        let remove = Call::remove_stake {
            hotkey: hotkey(),
            netuid: ROOT,
            amount_unstaked: TAO,
        };
        apply(remove).unwrap();
        assert_eq!(told(), Some((ROOT, fee(), fee())));
        assert_nothing_is_lost();
    });
}

#[test]
fn who_has_neither_is_refused() {
    chain_with_a_poor_staker().execute_with(|| {
        // A fee is paid even if the call then finds too little left.
        apply(remove(staked(NETUID))).unwrap();
        let (fee, rao) = (fee(), told().map(|(_, alpha, _)| alpha));
        let alpha = rao.expect("the fee was paid in the token");
        set_balance(&id(POOR), EXISTENTIAL_DEPOSIT).unwrap();
        assert_eq!(offer(remove(alpha)), refused(), "nothing is staked");

        let price = SubtensorModule::price_in_rao(NETUID);
        let hold = |amount: u64| {
            TotalHotkeyAlpha::<Runtime>::insert(hotkey(), NETUID, amount);
            TotalHotkeySharesV2::<Runtime>::insert(hotkey(), NETUID, SafeFloat::from(amount));
            AlphaV2::<Runtime>::insert((hotkey(), id(POOR), NETUID), SafeFloat::from(amount));
            assert_eq!(staked(NETUID), amount);
        };
        let most = fee * TAO / price;
        hold(most - 1);
        assert_eq!(offer(remove(most - 1)), refused(), "dust");
        hold(most + 2);
        System::reset_events();
        assert_eq!(name(apply(remove(most + 2))), "no error");
        assert!(staked(NETUID) == 0 && told().is_some());
        set_balance(&id(POOR), EXISTENTIAL_DEPOSIT).unwrap();

        // Nothing is sold where nothing trades, nor to a pool without anything in it.
        hold(TAO);
        assert_eq!(offer(remove(TAO)), Ok(()));
        SubtokenEnabled::<Runtime>::insert(NETUID, false);
        assert_eq!(offer(remove(TAO)), refused());
        SubtokenEnabled::<Runtime>::insert(NETUID, true);
        SubnetTAO::<Runtime>::insert(NETUID, 0);
        assert_eq!(offer(remove(TAO)), refused());
        SubnetAlphaIn::<Runtime>::insert(NETUID, 0);
        assert_eq!(offer(remove(TAO)), refused());
    });
}

#[test]
fn a_failed_call_costs_its_fee_in_the_token() {
    chain_with_a_poor_staker().execute_with(|| {
        let before = staked(NETUID);
        let nowhere = Call::move_stake {
            origin_hotkey: hotkey(),
            destination_hotkey: hotkey(),
            origin_netuid: NETUID,
            destination_netuid: NETUID,
            alpha_amount: TAO,
        };
        assert_eq!(name(apply(nowhere)), "SameNetuid");
        let (_, alpha, _) = told().expect("the fee was paid in the token");
        assert_eq!(staked(NETUID), before - alpha);
        assert_eq!(balance(&id(POOR)), EXISTENTIAL_DEPOSIT);
        assert_nothing_is_lost();
    });
}
