//! The Yuma epoch against the golden numbers, and the dense form against the sparse one.

#[path = "support/properties.rs"]
mod properties;

use std::ops::Range;

use agon_runtime::yuma::fixed::I32F32;
use agon_runtime::yuma::math::{
    Electorate, check_vec_max_limited, liquid_alpha, vec_max_upscale_to_u16,
    vec_u16_max_upscale_to_u16,
};
use agon_runtime::yuma::{
    BondsUpdate, EpochError, EpochInput, EpochOutput, LiquidAlpha, Row, dense, sparse,
};
use properties::cases;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Every case the vector file must hold: one that is dropped fails the test as much as one that is
/// not understood.
const CASES: [&str; 14] = [
    "bonds_yuma2_sequence",
    "active_stake_yuma2",
    "outdated_weights_masked",
    "zero_weights",
    "ten_self_weights",
    "yuma3_kappa_moves_first",
    "yuma3_kappa_moves_second",
    "yuma3_kappa_moves_last",
    "yuma3_one_epoch_switch",
    "yuma3_liquid_alpha_disabled",
    "yuma3_stable_miner",
    "u16_max_upscale",
    "fixed_max_upscale",
    "max_weight_limit",
];

// ---- golden numbers ----

#[test]
fn golden_vectors() {
    let file: Value = serde_json::from_str(include_str!("vectors/yuma.json")).expect("valid JSON");
    let cases = array(&file["cases"]);
    let ids: Vec<&str> = cases.iter().map(|case| text(&case["id"])).collect();
    assert_eq!(ids, CASES);
    for case in cases {
        match text(&case["id"]) {
            "u16_max_upscale" => check_u16_max_upscale(case),
            "fixed_max_upscale" => check_fixed_max_upscale(case),
            "max_weight_limit" => check_max_weight_limit(case),
            _ => check_epochs(case),
        }
    }
}

fn check_u16_max_upscale(case: &Value) {
    for pair in array(&case["pairs"]) {
        assert_eq!(
            vec_u16_max_upscale_to_u16(&integers(&pair[0])),
            integers::<u16>(&pair[1]),
            "{pair}"
        );
    }
}

fn check_fixed_max_upscale(case: &Value) {
    let upscale = |bits: Vec<i64>| {
        let values: Vec<I32F32> = bits.into_iter().map(I32F32::from_bits).collect();
        vec_max_upscale_to_u16(&values)
    };
    for pair in array(&case["pairs"]) {
        let to_bits = |value: &Value| (float(value) * 2f64.powi(32)).round() as i64;
        let bits = array(&pair[0]).iter().map(to_bits).collect();
        assert_eq!(upscale(bits), integers::<u16>(&pair[1]), "{pair}");
    }
    let pair = &case["bits_pair"];
    assert_eq!(upscale(integers(&pair[0])), integers::<u16>(&pair[1]));
}

fn check_max_weight_limit(case: &Value) {
    for row in array(&case["rows"]) {
        let passes = check_vec_max_limited(&integers(&row["values"]), integer(&row["limit"]));
        assert_eq!(json!(passes), row["ok"], "{row}");
    }
}

/// Plays a case through: events, an epoch, expectations, and so on.
fn check_epochs(case: &Value) {
    let id = text(&case["id"]);
    let tolerance = match text(&case["kind"]) {
        "golden-exact" => None,
        "golden-tolerance" => Some(float(&case["tolerance"])),
        other => panic!("{id}: unknown kind {other}"),
    };
    let mut subnet = Subnet::new(&case["config"]);
    if let Some(block) = case.get("permit_epoch_at") {
        subnet.epoch(integer(block));
    }
    for step in array(&case["steps"]) {
        for event in array(&step["events"]) {
            subnet.apply(event);
        }
        let output = subnet.epoch(integer(&step["block"]));
        let context = format!("{id}, block {}", step["block"]);
        for (name, expected) in step["expect"].as_object().expect("an object") {
            match name.as_str() {
                "emission_rao" => assert_first(&output.emission, expected, &context),
                "dividends_u16" => assert_first(&output.dividends, expected, &context),
                "incentive_u16" => assert_first(&output.incentive, expected, &context),
                "consensus_u16" => assert_first(&output.consensus, expected, &context),
                "bonds_u16" => {
                    for cell in array(expected) {
                        assert_eq!(
                            subnet.bond(cell),
                            integer::<u16>(&cell[2]),
                            "{context}, bond {cell}"
                        );
                    }
                }
                "near" => {
                    let tolerance = tolerance.expect("only tolerance cases have near numbers");
                    let near = |found: u16, expected: &Value| {
                        let found = f64::from(found) / f64::from(u16::MAX);
                        assert!(
                            (found - float(expected)).abs() <= tolerance,
                            "{context}: {found}, {expected}"
                        );
                    };
                    let dividends = array(&expected["dividends"]);
                    assert_eq!(dividends.len(), output.dividends.len());
                    for (&found, expected) in output.dividends.iter().zip(dividends) {
                        near(found, expected);
                    }
                    for cell in array(&expected["bonds"]) {
                        near(subnet.bond(cell), &cell[2]);
                    }
                }
                other => panic!("{context}: unknown expectation {other}"),
            }
        }
    }
}

/// Compares the first elements, those the expectation names.
fn assert_first<T>(found: &[T], expected: &Value, context: &str)
where
    T: TryFrom<i64> + PartialEq + std::fmt::Debug,
{
    let expected: Vec<T> = integers(expected);
    assert!(!expected.is_empty());
    assert_eq!(
        found.get(..expected.len()),
        Some(&expected[..]),
        "{context}"
    );
}

/// The storage of a subnet, as the pallet keeps it between epochs.
struct Subnet {
    input: EpochInput,
}

impl Subnet {
    /// All uids registered at block 0, without weights, bonds and permits.
    fn new(config: &Value) -> Self {
        let stake: Vec<u64> = integers(&config["stakes"]);
        let n = stake.len();
        assert_eq!(n, integer::<usize>(&config["n"]));
        let proportion = |value: &Value| (float(value) * f64::from(u16::MAX)) as u16;
        let liquid_alpha = config.get("liquid_alpha").map(|liquid| LiquidAlpha {
            low: proportion(&liquid["low"]),
            high: proportion(&liquid["high"]),
            steepness: integer(&liquid["steepness"]),
        });
        let input = EpochInput {
            n: integer(&config["n"]),
            block: 0,
            tempo: integer(&config["tempo"]),
            activity_cutoff: integer(&config["activity_cutoff"]),
            last_mechanism_step_block: 0,
            last_update: vec![0; n],
            block_at_registration: vec![0; n],
            stake,
            stake_threshold: 0,
            validator_permit: vec![false; n],
            max_allowed_validators: integer(&config["max_allowed_validators"]),
            weights: vec![Row::new(); n],
            bonds: vec![Row::new(); n],
            earliest_commit: vec![None; n],
            kappa: integer(&config["kappa_u16"]),
            bonds_penalty: integer(&config["bonds_penalty_u16"]),
            bonds_moving_average: integer(&config["bonds_moving_average"]),
            liquid_alpha,
            yuma3: config["yuma3"].as_bool().expect("a flag"),
            owner_uid: None,
            rao_emission: integer(&config["rao_emission"]),
        };
        Self { input }
    }

    fn apply(&mut self, event: &Value) {
        if let Some(set) = event.get("set_weights") {
            let uid: usize = integer(&set["uid"]);
            let dests: Vec<u16> = integers(&set["dests"]);
            let values = vec_u16_max_upscale_to_u16(&integers(&set["values"]));
            self.input.weights[uid] = dests.into_iter().zip(values).collect();
            self.input.last_update[uid] = integer(&set["block"]);
        } else if let Some(register) = event.get("re_register") {
            self.re_register(integer(&register["uid"]), integer(&register["block"]));
            self.input.stake = integers(&register["stakes"]);
        } else {
            panic!("unknown event {event}");
        }
    }

    /// A new neuron takes over a uid: its rows go, weights on it become zero, bonds on it stay.
    fn re_register(&mut self, uid: u16, block: u64) {
        let weights_on_it = self.input.weights.iter_mut().flatten();
        weights_on_it
            .filter(|cell| cell.0 == uid)
            .for_each(|cell| cell.1 = 0);
        let uid = usize::from(uid);
        self.input.weights[uid].clear();
        self.input.bonds[uid].clear();
        self.input.validator_permit[uid] = false;
        self.input.last_update[uid] = block;
        self.input.block_at_registration[uid] = block;
    }

    fn epoch(&mut self, block: u64) -> EpochOutput {
        self.input.block = block;
        let output = both(&self.input).expect("a consistent input");
        self.input.last_mechanism_step_block = block;
        self.input
            .validator_permit
            .clone_from(&output.validator_permit);
        for (row, update) in self.input.bonds.iter_mut().zip(&output.bonds) {
            match update {
                BondsUpdate::Store(stored) => row.clone_from(stored),
                BondsUpdate::Remove => row.clear(),
                BondsUpdate::Keep => {}
            }
        }
        output
    }

    /// The stored bond at `[from, to, ..]`.
    fn bond(&self, cell: &Value) -> u16 {
        let row = &self.input.bonds[integer::<usize>(&cell[0])];
        let to: u16 = integer(&cell[1]);
        row.iter()
            .find(|(uid, _)| *uid == to)
            .map_or(0, |&(_, bond)| bond)
    }
}

/// Runs both forms, which must agree, and checks what holds for every result.
fn both(input: &EpochInput) -> Result<EpochOutput, EpochError> {
    let result = sparse::epoch(input);
    assert_eq!(result, dense::epoch(input));
    if let Ok(output) = &result {
        let total = |shares: &[u64]| shares.iter().copied().map(u128::from).sum::<u128>();
        let paid = total(&output.server_emission) + total(&output.validator_emission);
        assert!(paid <= input.rao_emission.into(), "{paid} paid");
        assert!(total(&output.emission) <= input.rao_emission.into());
    }
    result
}

fn array(value: &Value) -> &Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {value}"))
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
}

fn float(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

fn integer<T: TryFrom<i64>>(value: &Value) -> T {
    let integer = value.as_i64().and_then(|integer| T::try_from(integer).ok());
    integer.unwrap_or_else(|| panic!("not an integer in range: {value}"))
}

fn integers<T: TryFrom<i64>>(value: &Value) -> Vec<T> {
    array(value).iter().map(integer).collect()
}

// ---- rules the vectors do not touch ----

/// Validators 0 and 1 with equal stake weigh miners 2 and 3 the same; block 10, everybody
/// registered at block 0.
fn two_validators() -> EpochInput {
    let config = json!({
        "n": 4, "stakes": [10, 10, 0, 0], "kappa_u16": 32767, "bonds_moving_average": 900000,
        "bonds_penalty_u16": 65535, "max_allowed_validators": 2, "yuma3": false, "tempo": 5,
        "activity_cutoff": 100, "rao_emission": 1000
    });
    let row = vec![(2, 65535), (3, 65535)];
    EpochInput {
        block: 10,
        last_update: vec![8; 4],
        validator_permit: vec![true, true, false, false],
        weights: vec![row.clone(), row, Row::new(), Row::new()],
        ..Subnet::new(&config).input
    }
}

#[test]
fn only_the_owner_weighs_itself() {
    let mut input = two_validators();
    input.weights[0] = vec![(0, 65535)];
    input.weights[1] = vec![(0, 65535)];
    input.kappa = 0;
    assert_eq!(both(&input).unwrap().validator_trust, [0, 65535, 0, 0]);
    input.owner_uid = Some(0);
    assert_eq!(both(&input).unwrap().validator_trust, [65535, 65535, 0, 0]);
}

#[test]
fn the_owner_needs_neither_permit_nor_threshold() {
    let mut input = two_validators();
    input.validator_permit = vec![false; 4];
    input.max_allowed_validators = 0;
    input.stake_threshold = 11;
    let output = both(&input).unwrap();
    assert_eq!(output.validator_trust, [0; 4]);
    assert_eq!(output.stake_weight, [0; 4]);
    assert_eq!(output.emission, [0; 4]);

    input.owner_uid = Some(1);
    let output = both(&input).unwrap();
    assert_eq!(output.validator_permit, [false, true, false, false]);
    assert_eq!(output.stake_weight, [0, 65535, 0, 0]);
    assert_eq!(output.server_emission, [0, 0, 250, 250]);
    assert_eq!(output.validator_emission, [0, 500, 0, 0]);
}

#[test]
fn permits_go_to_the_greatest_stakes_and_bonds_go_with_them() {
    let mut input = two_validators();
    input.stake = vec![5, 0, 5, 5];
    let output = both(&input).unwrap();
    // Of equal stakes the lower uid loses.
    assert_eq!(output.validator_permit, [false, false, true, true]);
    assert_eq!(output.bonds[0], BondsUpdate::Remove);
    assert_eq!(output.bonds[1], BondsUpdate::Remove);
    assert_eq!(output.bonds[2], BondsUpdate::Store(Row::new()));
    input.validator_permit[0] = false;
    assert_eq!(both(&input).unwrap().bonds[0], BondsUpdate::Keep);
}

#[test]
fn weights_and_commits_older_than_a_registration_do_not_reach_it() {
    let mut input = two_validators();
    input.block_at_registration[3] = 7;
    assert_eq!(both(&input).unwrap().server_emission, [0, 0, 250, 250]);
    // Committed before the miner came, revealed after.
    input.earliest_commit = vec![Some(6), Some(6), None, None];
    assert_eq!(both(&input).unwrap().server_emission, [0, 0, 500, 0]);
    input.earliest_commit = vec![Some(7), Some(9), None, None];
    assert_eq!(both(&input).unwrap().server_emission, [0, 0, 250, 250]);
    input.block_at_registration[3] = 8;
    input.earliest_commit = vec![None; 4];
    assert_eq!(both(&input).unwrap().server_emission, [0, 0, 500, 0]);
}

#[test]
fn bonds_on_a_newcomer_are_dropped() {
    let mut input = two_validators();
    // Only validator 0 holds bonds, on both miners; only validator 1 earns new ones.
    input.bonds[0] = vec![(2, 65535), (3, 65535)];
    input.weights[0].clear();
    input.kappa = 0;
    let bonds_on = |input: &EpochInput, miner: u16| match &both(input).unwrap().bonds[0] {
        BondsUpdate::Store(row) => row.iter().any(|(uid, _)| *uid == miner),
        other => panic!("{other:?}"),
    };
    // Before the first epoch the last tempo counts, afterwards the last epoch.
    for (previous_epoch, registered, kept) in
        [(0, 4, true), (0, 5, false), (6, 6, true), (6, 7, false)]
    {
        input.last_mechanism_step_block = previous_epoch;
        input.block_at_registration[3] = registered;
        assert!(bonds_on(&input, 2));
        assert_eq!(bonds_on(&input, 3), kept, "{previous_epoch} {registered}");
    }
}

#[test]
fn the_median_turns_where_the_stake_above_reaches_kappa() {
    let mut input = two_validators();
    input.weights[1] = vec![(2, 65535)];
    // On uid 2 half of the stake says 1/2 and half says 1, on uid 3 half says 1/2 and half says 0.
    input.kappa = 32767;
    assert_eq!(both(&input).unwrap().consensus, [0, 0, 65535, 32767]);
    input.kappa = 32768;
    assert_eq!(both(&input).unwrap().consensus, [0, 0, 32767, 0]);
}

#[test]
fn at_exact_equality_the_higher_score_wins() {
    // One voter of five holds exactly kappa, wherever it stands in the list.
    let fifth = I32F32::from_u16_proportion(13107);
    let electorate = Electorate::new(&[fifth; 5], fifth);
    for position in 0..5 {
        let mut scores = [I32F32::ZERO; 5];
        scores[position] = I32F32::ONE;
        assert_eq!(electorate.median(&scores), I32F32::ONE, "{position}");
    }
    assert_eq!(Electorate::new(&[], fifth).median(&[]), I32F32::ZERO);
}

#[test]
fn without_weights_the_emission_follows_active_stake_and_then_any_stake() {
    let mut input = two_validators();
    input.weights = vec![Row::new(); 4];
    input.last_update = vec![8, 7, 8, 8];
    input.activity_cutoff = 3;
    let output = both(&input).unwrap();
    assert_eq!(output.active, [true; 4]);
    assert_eq!(output.emission, [500, 500, 0, 0]);
    input.activity_cutoff = 2;
    let output = both(&input).unwrap();
    assert_eq!(output.active, [true, false, true, true]);
    assert_eq!(output.emission, [1000, 0, 0, 0]);
    assert_eq!(output.validator_emission, output.emission);
    assert_eq!(output.server_emission, [0; 4]);
    input.activity_cutoff = 1;
    assert_eq!(both(&input).unwrap().emission, [500, 500, 0, 0]);
}

#[test]
fn liquid_alpha_measures_from_consensus_or_from_the_bond() {
    let liquid = LiquidAlpha {
        low: 0,
        high: u16::MAX,
        steepness: 1000,
    };
    let quarter = I32F32::HALF * I32F32::HALF;
    let alpha = |weight, bond, consensus| liquid_alpha(&liquid, weight, bond, consensus);
    // In the middle of the sigmoid: half a unit above consensus, also when the bond is held
    // already.
    assert_eq!(alpha(I32F32::ONE, quarter, I32F32::HALF), I32F32::HALF);
    assert_eq!(
        alpha(I32F32::HALF, I32F32::HALF, I32F32::ZERO),
        I32F32::HALF
    );
    // And half a unit below the bond, whatever the consensus.
    assert_eq!(alpha(I32F32::HALF, I32F32::ONE, I32F32::ONE), I32F32::HALF);
    // The further, the faster; below consensus it is slowest.
    assert!(alpha(I32F32::ONE, quarter, quarter) > I32F32::HALF);
    assert!(alpha(quarter, I32F32::ZERO, I32F32::ONE) < quarter);
}

#[test]
fn a_vanished_cell_drops_its_bond_only_with_liquid_alpha() {
    let mut input = two_validators();
    input.yuma3 = true;
    input.bonds_penalty = 0;
    input.bonds[0] = vec![(2, 30000), (3, 30000)];
    input.weights[0] = vec![(2, 65535)];
    let row = |input: &EpochInput| match &both(input).unwrap().bonds[0] {
        BondsUpdate::Store(row) => row.iter().map(|cell| cell.0).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(row(&input), [2, 3]);
    input.liquid_alpha = Some(LiquidAlpha {
        low: 6553,
        high: 19660,
        steepness: 1000,
    });
    assert_eq!(row(&input), [2]);
    // A cell of zero is still a cell, clipped or not.
    input.weights[0] = vec![(2, 65535), (3, 0)];
    assert_eq!(row(&input), [2, 3]);
    input.bonds_penalty = 65535;
    assert_eq!(row(&input), [2, 3]);
    // Between the two ends it is none.
    input.bonds_penalty = 32768;
    assert_eq!(row(&input), [2]);
}

#[test]
fn contradictions_are_errors() {
    let refuse = |change: &dyn Fn(&mut EpochInput)| {
        let mut input = two_validators();
        change(&mut input);
        both(&input).expect_err("a contradiction")
    };
    let length = |field, found| EpochError::Length { field, found, n: 4 };
    assert_eq!(
        refuse(&|input| input.last_update.truncate(3)),
        length("last_update", 3)
    );
    assert_eq!(
        refuse(&|input| input.weights.push(Row::new())),
        length("weights", 5)
    );
    assert_eq!(refuse(&|input| input.stake.clear()), length("stake", 0));
    assert_eq!(
        refuse(&|input| input.bonds[2] = vec![(1, 1), (4, 1)]),
        EpochError::UnknownUid {
            field: "bonds",
            row: 2,
            uid: 4,
            n: 4
        }
    );
    assert_eq!(
        refuse(&|input| input.weights[1] = vec![(3, 1), (0, 1), (3, 0)]),
        EpochError::RepeatedUid {
            field: "weights",
            row: 1,
            uid: 3
        }
    );
    assert_eq!(
        refuse(&|input| input.owner_uid = Some(4)),
        EpochError::UnknownOwner { uid: 4, n: 4 }
    );
}

#[test]
fn an_empty_subnet_has_an_empty_result() {
    let config = json!({
        "n": 0, "stakes": [], "kappa_u16": 0, "bonds_moving_average": 0, "bonds_penalty_u16": 0,
        "max_allowed_validators": 0, "yuma3": true, "tempo": 0, "activity_cutoff": 0, "rao_emission": 5
    });
    let output = both(&Subnet::new(&config).input).unwrap();
    assert!(output.emission.is_empty() && output.bonds.is_empty());
}

// ---- any input ----

/// A value from a few that make ties and edges, or any.
fn edgy<T>(edges: &'static [T], any: impl Strategy<Value = T> + 'static) -> BoxedStrategy<T>
where
    T: Copy + std::fmt::Debug + 'static,
{
    prop_oneof![3 => proptest::sample::select(edges), 1 => any].boxed()
}

/// Numbers from a seed: a strategy for every cell of a matrix would take longer than the epoch.
struct Numbers(u64);

impl Numbers {
    /// A number below `end`, which is not 0. The constants are those of SplitMix64.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % end
    }

    /// A value from a few that make ties and edges, or any.
    fn value(&mut self) -> u16 {
        match self.below(8) {
            edge @ 0..5 => [0, 1, 32767, 65534, 65535][edge as usize],
            _ => self.below(65536) as u16,
        }
    }

    /// The uids below `n` in any order.
    fn shuffled(&mut self, n: usize) -> Vec<usize> {
        let mut uids: Vec<usize> = (0..n).collect();
        for at in (1..n).rev() {
            uids.swap(at, self.below(at as u64 + 1) as usize);
        }
        uids
    }
}

/// Rows with about as many cells as `density` of ten, each uid once, uids ascending or descending.
fn rows(n: usize, density: u64, seed: u64) -> Vec<Row> {
    let mut numbers = Numbers(seed);
    let mut row = || {
        let cells = (0..n as u16).filter(|_| numbers.below(10) < density);
        let cells: Vec<u16> = cells.collect();
        let mut row: Row = cells
            .into_iter()
            .map(|uid| (uid, numbers.value()))
            .collect();
        if numbers.below(2) == 0 {
            row.reverse();
        }
        row
    };
    (0..n).map(|_| row()).collect()
}

/// What kind of subnet an input describes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Anything, mostly with something missing.
    Any,
    /// Every validator counts in full, so that all numbers are other than zero.
    Healthy,
    NoStake,
    OneValidator,
    AllInactive,
}

impl Kind {
    fn apply(self, input: &mut EpochInput) {
        match self {
            Self::Any => {}
            Self::Healthy => {
                input.stake_threshold = 0;
                input.validator_permit.fill(true);
                input.last_update.fill(input.block);
                input.block_at_registration.fill(0);
                input.earliest_commit.fill(None);
                input.stake.iter_mut().for_each(|stake| *stake %= 1 << 40);
            }
            Self::NoStake => input.stake.fill(0),
            Self::OneValidator => {
                input
                    .validator_permit
                    .iter_mut()
                    .skip(1)
                    .for_each(|permit| *permit = false);
                input.stake.iter_mut().take(1).for_each(|stake| *stake = 7);
                input.stake_threshold = 0;
            }
            Self::AllInactive => {
                input.block += 100;
                input.last_update.fill(1);
            }
        }
    }
}

fn consistent_input() -> impl Strategy<Value = EpochInput> {
    // A short stretch of blocks, so that every mask meets its edge.
    const BLOCKS: Range<u64> = 0..30;
    let kind = prop_oneof![
        4 => Just(Kind::Any),
        4 => Just(Kind::Healthy),
        2 => prop::sample::select(vec![Kind::NoStake, Kind::OneValidator, Kind::AllInactive]),
    ];
    let n = prop_oneof![1 => 0..=3usize, 6 => 4..=24usize];
    (n, kind).prop_flat_map(|(n, kind)| {
        let timing = (
            BLOCKS,
            any::<u16>(),
            0..40u64,
            BLOCKS,
            vec(BLOCKS, n),
            vec(0..8u64, n),
        );
        let validators = (
            vec(edgy(&[0, 1, 1, 2, 1_000_000], any::<u64>()), n),
            edgy(&[0, 1, 2], any::<u64>()),
            vec(prop::bool::weighted(0.7), n),
            edgy(&[1, 8, 24, 64], any::<u16>()),
            vec(prop::option::weighted(0.2, BLOCKS), n),
            prop::option::of(0..n.max(1) as u16).prop_map(move |uid| uid.filter(|_| n > 0)),
        );
        let matrices = (1..=10u64, 1..=10u64, any::<u64>())
            .prop_map(move |(w, b, seed)| (rows(n, w, seed), rows(n, b, !seed)));
        let liquid_alpha = (
            edgy(&[6553, 45875], any::<u16>()),
            edgy(&[19660, 58982], any::<u16>()),
            any::<i16>(),
        );
        let parameters = (
            edgy(&[0, 32767, 65535], any::<u16>()),
            edgy(&[0, 32768, 65535], any::<u16>()),
            edgy(&[0, 900_000, 975_000, 1_000_000], any::<u64>()),
            prop::option::of(liquid_alpha),
            any::<bool>(),
            edgy(&[0, 1, 1_000_000_000, u64::MAX], any::<u64>()),
        );
        (timing, validators, matrices, parameters).prop_map(
            move |(timing, validators, matrices, parameters)| {
                let mut input = EpochInput {
                    n: n as u16,
                    block: timing.0,
                    tempo: timing.1 % 30,
                    activity_cutoff: timing.2,
                    last_mechanism_step_block: timing.3,
                    last_update: timing.4,
                    block_at_registration: timing.5,
                    stake: validators.0,
                    stake_threshold: validators.1,
                    validator_permit: validators.2,
                    max_allowed_validators: validators.3,
                    earliest_commit: validators.4,
                    owner_uid: validators.5,
                    weights: matrices.0,
                    bonds: matrices.1,
                    kappa: parameters.0,
                    bonds_penalty: parameters.1,
                    bonds_moving_average: parameters.2,
                    liquid_alpha: parameters.3.map(|(low, high, steepness)| LiquidAlpha {
                        low,
                        high,
                        steepness,
                    }),
                    yuma3: parameters.4,
                    rao_emission: parameters.5,
                };
                kind.apply(&mut input);
                input
            },
        )
    })
}

/// The same subnet with other numbers for its neurons: uid `i` becomes `to[i]`.
fn renumbered(input: &EpochInput, to: &[usize]) -> EpochInput {
    let rows = |rows: &[Row]| -> Vec<Row> {
        let rows: Vec<Row> = rows
            .iter()
            .map(|row| {
                row.iter()
                    .map(|&(uid, value)| (to[usize::from(uid)] as u16, value))
                    .collect()
            })
            .collect();
        moved(&rows, to)
    };
    EpochInput {
        last_update: moved(&input.last_update, to),
        block_at_registration: moved(&input.block_at_registration, to),
        stake: moved(&input.stake, to),
        validator_permit: moved(&input.validator_permit, to),
        weights: rows(&input.weights),
        bonds: rows(&input.bonds),
        earliest_commit: moved(&input.earliest_commit, to),
        owner_uid: input.owner_uid.map(|uid| to[usize::from(uid)] as u16),
        ..input.clone()
    }
}

/// Element `i` at `to[i]`.
fn moved<T: Clone>(values: &[T], to: &[usize]) -> Vec<T> {
    let mut moved = values.to_vec();
    for (value, &to) in values.iter().zip(to) {
        moved[to] = value.clone();
    }
    moved
}

/// Whether the last permit falls between neurons of equal normalised stake: then the higher uid has it.
fn permits_are_tied(input: &EpochInput) -> bool {
    let counted = |uid: usize| {
        let owner = input.owner_uid == Some(uid as u16);
        let counts = owner || input.stake[uid] >= input.stake_threshold;
        if counts { input.stake[uid] } else { 0 }
    };
    let stakes: Vec<u64> = (0..usize::from(input.n)).map(counted).collect();
    let total = stakes.iter().copied().map(u128::from).sum();
    let mut shares: Vec<I32F32> = stakes
        .iter()
        .map(|&stake| I32F32::from_ratio(stake, total))
        .collect();
    shares.sort();
    let first = shares
        .len()
        .saturating_sub(input.max_allowed_validators.into());
    match (
        first.checked_sub(1).and_then(|before| shares.get(before)),
        shares.get(first),
    ) {
        (Some(out), Some(in_)) => out == in_ && *out != I32F32::ZERO,
        _ => false,
    }
}

proptest! {
    #![proptest_config(cases(256, 5000))]

    /// Dense equals sparse and pays no more than there is, over epochs that feed on each other and uids that are given
    /// to somebody else between them.
    #[test]
    fn dense_equals_sparse(input in consistent_input(), recycled in any::<prop::sample::Index>()) {
        let n = usize::from(input.n);
        let mut subnet = Subnet { input };
        let block = subnet.input.block;
        let first = subnet.epoch(block);
        prop_assert_eq!(first.emission.len(), n);
        subnet.epoch(block.saturating_add(1));
        if n > 0 {
            subnet.re_register(recycled.index(n) as u16, block + 1);
        }
        // A day later the others speak again, of the newcomer too.
        for last_update in &mut subnet.input.last_update {
            *last_update = (*last_update).max(block) + 1;
        }
        subnet.epoch(block.saturating_add(3));
    }

    /// What a neuron gets does not depend on its number. The one exception: of neurons with equal normalised stake
    /// only the higher numbered may get the last permits, and keep bonds with them.
    #[test]
    fn numbers_do_not_matter(input in consistent_input(), seed in any::<u64>()) {
        let to = Numbers(seed).shuffled(input.n.into());
        let output = sparse::epoch(&input).unwrap();
        let other = sparse::epoch(&renumbered(&input, &to)).unwrap();
        prop_assert_eq!(moved(&output.active, &to), other.active);
        prop_assert_eq!(moved(&output.server_emission, &to), other.server_emission);
        prop_assert_eq!(moved(&output.validator_emission, &to), other.validator_emission);
        prop_assert_eq!(moved(&output.emission, &to), other.emission);
        prop_assert_eq!(moved(&output.consensus, &to), other.consensus);
        prop_assert_eq!(moved(&output.incentive, &to), other.incentive);
        prop_assert_eq!(moved(&output.dividends, &to), other.dividends);
        prop_assert_eq!(moved(&output.validator_trust, &to), other.validator_trust);
        prop_assert_eq!(moved(&output.stake_weight, &to), other.stake_weight);
        if permits_are_tied(&input) {
            return Ok(());
        }
        prop_assert_eq!(moved(&output.validator_permit, &to), other.validator_permit);
        let bonds: Vec<BondsUpdate> = output
            .bonds
            .into_iter()
            .map(|update| match update {
                BondsUpdate::Store(row) => {
                    let mut row: Row = row.into_iter().map(|(uid, bond)| (to[usize::from(uid)] as u16, bond)).collect();
                    row.sort_unstable();
                    BondsUpdate::Store(row)
                }
                other => other,
            })
            .collect();
        prop_assert_eq!(moved(&bonds, &to), other.bonds);
    }

    /// The greatest numbers everywhere give a result, in both forms the same.
    #[test]
    fn extremes_never_panic(input in consistent_input(), seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let mut extreme = || match numbers.below(4) {
            0 => 0,
            1 => 1,
            2 => u64::MAX - 1,
            _ => u64::MAX,
        };
        let mut input = input;
        let vectors = [&mut input.last_update, &mut input.block_at_registration, &mut input.stake];
        vectors.into_iter().flatten().for_each(|value| *value = extreme());
        for commit in input.earliest_commit.iter_mut().flatten() {
            *commit = extreme();
        }
        input.block = extreme();
        input.activity_cutoff = extreme();
        input.last_mechanism_step_block = extreme();
        input.stake_threshold = extreme();
        input.bonds_moving_average = extreme();
        input.rao_emission = extreme();
        input.tempo = extreme() as u16;
        prop_assert!(both(&input).is_ok());
    }

    /// Rows of any content give a result or an error, in both forms the same.
    #[test]
    fn arbitrary_rows_never_panic(
        input in consistent_input(),
        weights in vec(vec((0..30u16, any::<u16>()), 0..12), 0..26),
        bonds in vec(vec(any::<(u16, u16)>(), 0..3), 0..26),
        lengths_fit in any::<bool>(),
    ) {
        let mut input = EpochInput { weights, bonds, ..input };
        if lengths_fit {
            input.weights.resize(input.n.into(), Row::new());
            input.bonds.resize(input.n.into(), Row::new());
        }
        let sound = |rows: &[Row]| {
            rows.len() == usize::from(input.n)
                && rows.iter().all(|row| {
                    let mut uids: Vec<u16> = row.iter().map(|cell| cell.0).collect();
                    uids.sort_unstable();
                    uids.windows(2).all(|pair| pair[0] != pair[1]) && uids.iter().all(|&uid| uid < input.n)
                })
        };
        let expected = sound(&input.weights) && sound(&input.bonds);
        prop_assert_eq!(both(&input).is_ok(), expected);
    }

    /// Sorting the scores finds the median that splitting the voters finds.
    #[test]
    fn medians_agree(n in 0..40usize, kappa in edgy(&[0, 32767, 65535], any::<u16>()), seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let stake: Vec<u64> = (0..n).map(|_| numbers.below(5)).collect();
        let total = stake.iter().copied().map(u128::from).sum();
        let stake: Vec<I32F32> = stake.into_iter().map(|stake| I32F32::from_ratio(stake, total)).collect();
        let electorate = Electorate::new(&stake, I32F32::from_u16_proportion(kappa));
        let voters = electorate.voters().len();
        let scores: Vec<I32F32> = (0..voters).map(|_| I32F32::from_bits(numbers.below(4) as i64)).collect();
        // Those who say nothing say zero; some say it aloud.
        let mut said: Vec<(I32F32, usize)> = scores.iter().copied().zip(0..).collect();
        said.retain(|(score, _)| *score != I32F32::ZERO || numbers.below(2) == 0);
        prop_assert_eq!(electorate.median_of_cells(&mut said), electorate.median(&scores));
    }

    /// The greatest weight becomes 65535, order and zeros stay.
    #[test]
    fn max_upscale_keeps_order(values in vec(edgy(&[0, 1, 32768, 32769], any::<u16>()), 0..20)) {
        let scaled = vec_u16_max_upscale_to_u16(&values);
        if values.iter().any(|&value| value > 0) {
            prop_assert_eq!(scaled.iter().max(), Some(&u16::MAX));
        }
        for (a, x) in values.iter().zip(&scaled) {
            prop_assert_eq!(*a == 0, *x == 0);
            for (b, y) in values.iter().zip(&scaled) {
                prop_assert!(a > b || x <= y);
            }
        }
    }
}
