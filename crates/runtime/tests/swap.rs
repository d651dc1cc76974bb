//! The mathematics of pools for any reserves, weights and amounts, and the swap pallet's rules.

mod support;

use agon_runtime::swap::{self, FeeRate, MINIMUM_RESERVE, Pool, SwapError};
use agon_runtime::{Runtime, RuntimeEvent, System, api};
use codec::{Decode, Encode};
use proptest::prelude::*;
use sp_core::{U256, U512};
use sp_runtime::Perquintill;
use support::*;

const HALF: Perquintill = Perquintill::from_percent(50);

fn pool(tao: u64, alpha: u64, quote: Perquintill, fee_rate: u16) -> Pool {
    Pool {
        tao,
        alpha,
        quote,
        fee_rate,
    }
}

/// TAO's weight in fifths, so that what must not fall is a whole power.
fn any_pool() -> impl Strategy<Value = (Pool, u32)> {
    let reserve = || {
        prop_oneof![
            MINIMUM_RESERVE..10_000 * TAO,
            MINIMUM_RESERVE..u64::MAX / 2000,
            Just(MINIMUM_RESERVE)
        ]
    };
    (reserve(), reserve(), 1..=5u32, 0..=10_000u16).prop_map(|(tao, alpha, fifths, fee_rate)| {
        // 5 stands for equal weights, the exact case.
        let quote = if fifths == 5 {
            HALF
        } else {
            Perquintill::from_percent(u64::from(fifths) * 20)
        };
        (pool(tao, alpha, quote, fee_rate), fifths)
    })
}

/// tao^a alpha^b with the weights as whole exponents.
fn invariant(pool: Pool, fifths: u32) -> U512 {
    let (a, b) = if fifths == 5 {
        (1, 1)
    } else {
        (fifths, 5 - fifths)
    };
    U512::from(pool.tao).pow(a.into()) * U512::from(pool.alpha).pow(b.into())
}

fn part(amount: u64, thousandths: u64) -> u64 {
    (u128::from(amount) * u128::from(thousandths) / 1000) as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_trade_takes_value_from_the_pool((pool, fifths) in any_pool(), of_tao in 0..2_000_000u64, of_alpha in 0..2_000_000u64) {
        for trade in [pool.buy(part(pool.tao, of_tao)), pool.sell(part(pool.alpha, of_alpha))] {
            match trade {
                Ok(trade) => {
                    prop_assert!(invariant(trade.after, fifths) >= invariant(pool, fifths), "{trade:?}");
                    prop_assert!(trade.after.tao.min(trade.after.alpha) >= MINIMUM_RESERVE);
                }
                Err(error) => prop_assert_ne!(error, SwapError::OutOfBalance),
            }
        }
    }

    #[test]
    fn buying_and_selling_back_never_gains((pool, _) in any_pool(), of_tao in 0..1_000_000u64) {
        let tao = part(pool.tao, of_tao);
        if let Ok(bought) = pool.buy(tao)
            && let Ok(sold) = bought.after.sell(bought.output)
        {
            prop_assert!(sold.output <= tao, "{tao} became {}", sold.output);
        }
        let alpha = part(pool.alpha, of_tao);
        if let Ok(sold) = pool.sell(alpha)
            && let Ok(bought) = sold.after.buy(sold.output)
        {
            prop_assert!(bought.output <= alpha, "{alpha} became {}", bought.output);
        }
    }

    #[test]
    fn more_buys_more_at_a_worse_price((pool, fifths) in any_pool(), of_tao in 0..500_000u64, more in 1..500_000u64) {
        let (few, many) = (part(pool.tao, of_tao), part(pool.tao, of_tao + more));
        if let (Ok(few), Ok(many)) = (pool.buy(few), pool.buy(many)) {
            // The power function may be one off.
            let slack = u64::from(fifths != 5);
            prop_assert!(few.output <= many.output + slack);
            prop_assert!(few.after.price(1 << 64) <= many.after.price(1 << 64) + u128::from(slack << 62));
            prop_assert!(pool.price(1 << 64) <= few.after.price(1 << 64));
        }
    }

    #[test]
    fn limits_are_kept_and_used_up((pool, fifths) in any_pool(), hundredths in 50..200u64) {
        let limit = (pool.price(TAO.into()) * u128::from(hundredths) / 100) as u64;
        prop_assume!(limit > 1000);
        // price <= limit without division: weight x reserve on both sides.
        let quote = pool.quote.deconstruct();
        let sides = |pool: Pool| (
            U256::from(1_000_000_000_000_000_000 - quote) * U256::from(pool.tao) * U256::from(TAO),
            U256::from(quote) * U256::from(pool.alpha) * U256::from(limit),
        );
        let most = pool.most_to_buy(limit);
        if most != 0 {
            let (value, tokens) = sides(pool.buy(most).unwrap().after);
            prop_assert!(value <= tokens);
        }
        if fifths == 5 && let Ok(trade) = pool.buy(most + 1) {
            let (value, tokens) = sides(trade.after);
            prop_assert!(value > tokens, "one more would have kept the limit");
        }
        let most = pool.most_to_sell(limit);
        if most != 0 {
            let (value, tokens) = sides(pool.sell(most).unwrap().after);
            prop_assert!(value >= tokens);
        }
        if fifths == 5 && let Ok(trade) = pool.sell(most + 1) {
            let (value, tokens) = sides(trade.after);
            prop_assert!(value < tokens, "one more would have kept the limit");
        }
    }
}

#[test]
fn equal_weights_are_the_constant_product() {
    let even = pool(1000 * TAO, 500 * TAO, HALF, 0);
    assert_eq!(even.price(TAO.into()), u128::from(2 * TAO));
    let bought = even.buy(1000 * TAO).unwrap();
    assert_eq!((bought.output, bought.fee), (250 * TAO, 0));
    assert_eq!(bought.after.price(TAO.into()), u128::from(8 * TAO));
    let sold = bought.after.sell(250 * TAO).unwrap();
    assert_eq!((sold.output, sold.after), (1000 * TAO, even));
    // The default fee, about 0.05 %, stays in the pool.
    let bought = Pool {
        fee_rate: 33,
        ..even
    }
    .buy(1000 * TAO)
    .unwrap();
    assert_eq!(bought.fee, 503_547_722);
    assert_eq!(bought.after.tao, 2000 * TAO);
    assert!(bought.output < 250 * TAO);
    // Up to four times the price doubles the TAO.
    assert_eq!(even.most_to_buy(8 * TAO), 1000 * TAO);
    assert_eq!(even.most_to_sell(TAO / 2), 500 * TAO);
    assert_eq!(even.most_to_buy(2 * TAO - 1), 0);
    assert_eq!(even.most_to_sell(2 * TAO + 1), 0);
}

#[test]
fn other_weights_follow_the_formula() {
    // x (1 - (y / (y + dy))^(w_quote / w_base)) with a quarter and three quarters.
    let quarter = pool(1000 * TAO, 1000 * TAO, Perquintill::from_percent(25), 0);
    assert_eq!(quarter.price(TAO.into()), u128::from(3 * TAO));
    for tao in [1u64, 10, 500, 1000, 100_000] {
        let found = quarter.buy(tao * TAO).unwrap().output as f64;
        let expected = 1e12 * (1.0 - (1000.0 / (1000.0 + tao as f64)).powf(1.0 / 3.0));
        assert!((found - expected).abs() < 2.0, "{tao}: {found} {expected}");
        let found = quarter.sell(tao * TAO / 100).unwrap().output as f64;
        let expected = 1e12 * (1.0 - (1000.0 / (1000.0 + tao as f64 / 100.0)).powi(3));
        assert!((found - expected).abs() < 2.0, "{tao}: {found} {expected}");
    }
}

#[test]
fn the_pools_own_limits_are_refused() {
    let even = pool(10 * MINIMUM_RESERVE, 10 * MINIMUM_RESERVE, HALF, 0);
    let too_large = 10 * MINIMUM_RESERVE * 1000 + 1;
    assert_eq!(even.buy(too_large), Err(SwapError::InputTooLarge));
    assert_eq!(even.sell(too_large), Err(SwapError::InputTooLarge));
    // Nine tenths may leave, and not one unit more.
    assert_eq!(
        even.buy(90 * MINIMUM_RESERVE).unwrap().after.alpha,
        MINIMUM_RESERVE
    );
    assert_eq!(
        even.sell(91 * MINIMUM_RESERVE),
        Err(SwapError::ReservesTooLow)
    );
    let low = pool(MINIMUM_RESERVE - 1, TAO, HALF, 0);
    assert_eq!(low.buy(1), Err(SwapError::ReservesTooLow));
    let full = pool(u64::MAX, u64::MAX, HALF, 0);
    assert_eq!(full.buy(1), Err(SwapError::InputTooLarge));
    for quote in [Perquintill::zero(), Perquintill::one()] {
        let tilted = pool(TAO, TAO, quote, 0);
        assert_eq!(tilted.buy(1), Err(SwapError::OutOfBalance));
        assert_eq!((tilted.most_to_buy(TAO), tilted.most_to_sell(TAO)), (0, 0));
    }
    assert_eq!(pool(TAO, 0, HALF, 0).price(1), 0);
}

#[test]
fn root_sets_the_fee() {
    chain_with_subnet().execute_with(|| {
        let set = |netuid, rate| swap::Call::<Runtime>::set_fee_rate { netuid, rate };
        assert_eq!(FeeRate::<Runtime>::get(NETUID), 33);
        assert_eq!(name(call("owner", set(NETUID, 1))), "Bad origin");
        assert_eq!(name(root(set(9, 1))), "MechanismDoesNotExist");
        assert_eq!(name(root(set(NETUID, 10_001))), "FeeRateTooHigh");
        root(set(NETUID, 10_000)).unwrap();
        assert_eq!(FeeRate::<Runtime>::get(NETUID), 10_000);
        let told = RuntimeEvent::Swap(swap::Event::FeeRateSet {
            netuid: NETUID,
            rate: 10_000,
        });
        assert_eq!(System::events().last().unwrap().event, told);
        stake("rich", "v1", 100 * TAO).unwrap();
        let fee = 100 * TAO * 10_000 / 65_535;
        assert!(matches!(
            events().last(),
            Some(agon_runtime::subtensor::Event::StakeAdded(_, _, _, _, _, paid)) if *paid == fee
        ));
        let positions = swap::Call::<Runtime>::disable_lp {};
        assert_eq!(name(call("owner", positions)), "NotOnThisChain");
        assert_nothing_is_lost();
    });
}

#[test]
fn clients_read_prices_and_simulate_trades() {
    chain_with_subnet().execute_with(|| {
        let ask = |method: &str, arguments: Vec<u8>| {
            api::dispatch(&format!("SwapRuntimeApi_{method}"), &arguments).unwrap()
        };
        let price = |netuid: u16| {
            u64::decode(&mut &ask("current_alpha_price", netuid.encode())[..]).unwrap()
        };
        use agon_runtime::subtensor::{SubnetAlphaIn, SubnetTAO};
        let (tao, alpha) = (
            SubnetTAO::<Runtime>::get(NETUID),
            SubnetAlphaIn::<Runtime>::get(NETUID),
        );
        assert_eq!(price(0), TAO);
        let expected = u128::from(tao) * u128::from(TAO) / u128::from(alpha);
        assert_eq!(u128::from(price(NETUID)), expected);
        let all = ask("current_alpha_price_all", vec![]);
        assert_eq!(all, vec![(0, TAO), (NETUID, price(NETUID))].encode());

        let simulate = |method, amount: u64| {
            <[u64; 6]>::decode(&mut &ask(method, (NETUID, amount).encode())[..]).unwrap()
        };
        let [paid, bought, fee, none, zero, slippage] =
            simulate("sim_swap_tao_for_alpha", 50 * TAO);
        assert_eq!((paid + fee, none, zero), (50 * TAO, 0, 0));
        assert!(slippage > 2 * TAO && slippage < 3 * TAO, "{slippage}");
        stake("rich", "v1", 50 * TAO).unwrap();
        let staked =
            || agon_runtime::SubtensorModule::stake_of(&account("v1"), &account("rich"), NETUID);
        assert_eq!(staked(), bought);
        let [received, sold, none, fee, slippage, zero] =
            simulate("sim_swap_alpha_for_tao", bought);
        assert_eq!((sold + fee, none, zero), (bought, 0, 0));
        assert!(slippage > 2 * TAO, "{slippage}");
        let before = balance(&account("rich"));
        unstake("rich", "v1", bought).unwrap();
        assert_eq!(balance(&account("rich")) - before, received);
        // Nothing impossible is promised.
        assert_eq!(simulate("sim_swap_tao_for_alpha", u64::MAX), [0; 6]);
        assert_nothing_is_lost();
    });
}
