//! What the runtime APIs answer on a small network, beside what its storage says.

mod support;

use agon_runtime::commitments::{self, CommitmentInfo, Data, Registration};
use agon_runtime::info::*;
use agon_runtime::proxies::{
    CallCondition, CallInfo, FilterMode, ProxyFilterInfo, ProxyType, ProxyTypeInfo,
};
use agon_runtime::subtensor::{self, *};
use agon_runtime::{AccountId, Runtime, RuntimeCall, SubtensorModule, System, admin_utils};
use codec::{Compact, Decode, Encode};
use frame_support::traits::{GetCallMetadata, InstanceFilter};
use std::collections::BTreeMap;
use support::*;

const NOWHERE: u16 = 77;

/// A network in which v1 and v2 weighed the miners and an epoch paid them; `rich` stakes to v1 on the subnet and on
/// root, and the owner named the subnet.
fn paid_network() -> sp_io::TestExternalities {
    let mut network = chain_with_validators();
    network.execute_with(|| {
        weigh("v1", &[(3, 60), (4, 30), (5, 10)]).unwrap();
        weigh("v2", &[(3, 60), (4, 30), (5, 10)]).unwrap();
        stake("rich", "v1", 40 * TAO).unwrap();
        call(
            "rich",
            subtensor::Call::add_stake {
                hotkey: account("v1"),
                netuid: ROOT,
                amount_staked: 50 * TAO,
            },
        )
        .unwrap();
        serve("m1", 8091);
        publish("m2", b"sha256:00");
        SubnetIdentitiesV3::<Runtime>::insert(NETUID, identity());
        let person = ChainIdentityV2 {
            name: b"the miners".to_vec(),
            ..Default::default()
        };
        IdentitiesV2::<Runtime>::insert(account("miners"), person);
        run_to_epoch();
        run_blocks(3);
    });
    network
}

fn identity() -> SubnetIdentityV3 {
    SubnetIdentityV3 {
        subnet_name: b"skin".to_vec(),
        github_repo: b"https://example.org/skin".to_vec(),
        ..Default::default()
    }
}

fn serve(hotkey: &str, port: u16) {
    let axon = subtensor::Call::serve_axon {
        netuid: NETUID,
        version: 7,
        ip: 0x7f00_0001,
        port,
        ip_type: 4,
        protocol: 4,
        placeholder1: 0,
        placeholder2: 0,
    };
    call(hotkey, axon).unwrap();
}

fn publish(hotkey: &str, text: &[u8]) {
    let field = Data::Raw(text.to_vec().try_into().unwrap());
    let info = CommitmentInfo {
        fields: vec![field].try_into().unwrap(),
    };
    let commitment = commitments::Call::set_commitment {
        netuid: NETUID,
        info: Box::new(info),
    };
    call(hotkey, RuntimeCall::Commitments(commitment)).unwrap();
}

fn plain<V>(column: Vec<Compact<V>>) -> Vec<V> {
    column.into_iter().map(|value| value.0).collect()
}

fn alpha(hotkey: &str, netuid: u16) -> u64 {
    TotalHotkeyAlpha::<Runtime>::get(account(hotkey), netuid)
}

fn hotkeys() -> [AccountId; 6] {
    ["owner-hot", "v1", "v2", "m1", "m2", "m3"].map(account)
}

#[test]
fn neurons_are_told_column_by_column_of_storage() {
    paid_network().execute_with(|| {
        let neurons: Vec<NeuronInfo> = ask("NeuronInfoRuntimeApi_get_neurons", NETUID);
        let lite: Vec<NeuronInfoLite> = ask("NeuronInfoRuntimeApi_get_neurons_lite", NETUID);
        assert_eq!(neurons.len(), 6);
        for (uid, (neuron, lite)) in (0u16..).zip(neurons.iter().zip(&lite)) {
            let at = usize::from(uid);
            assert_eq!(neuron.uid.0, uid);
            assert_eq!(neuron.netuid.0, NETUID);
            assert_eq!(neuron.hotkey, hotkeys()[at]);
            assert_eq!(neuron.coldkey, Owner::<Runtime>::get(&neuron.hotkey));
            assert_eq!(neuron.active, Active::<Runtime>::get(NETUID)[at]);
            assert_eq!(neuron.emission.0, Emission::<Runtime>::get(NETUID)[at]);
            assert_eq!(neuron.incentive.0, Incentive::<Runtime>::get(NETUID)[at]);
            assert_eq!(neuron.consensus.0, Consensus::<Runtime>::get(NETUID)[at]);
            assert_eq!(neuron.dividends.0, Dividends::<Runtime>::get(NETUID)[at]);
            assert_eq!(
                neuron.validator_trust.0,
                ValidatorTrust::<Runtime>::get(NETUID)[at]
            );
            assert_eq!(neuron.last_update.0, LastUpdate::<Runtime>::get(NETUID)[at]);
            assert_eq!(neuron.pruning_score.0, u16::MAX);
            assert_eq!((neuron.rank.0, neuron.trust.0), (0, 0));
            let staked = TotalHotkeyAlpha::<Runtime>::get(&neuron.hotkey, NETUID);
            assert_eq!(neuron.stake, [(neuron.coldkey.clone(), Compact(staked))]);
            // Without weights and bonds both forms are the same.
            let one: Option<NeuronInfo> = ask("NeuronInfoRuntimeApi_get_neuron", (NETUID, uid));
            assert_eq!(one.as_ref(), Some(neuron));
            let one: Option<NeuronInfoLite> =
                ask("NeuronInfoRuntimeApi_get_neuron_lite", (NETUID, uid));
            assert_eq!(one.as_ref(), Some(lite));
            assert_eq!(
                (&lite.hotkey, lite.emission, lite.validator_permit),
                (&neuron.hotkey, neuron.emission, neuron.validator_permit)
            );
        }
        assert!(neurons[3].incentive.0 > neurons[4].incentive.0);
        assert!(neurons[1].validator_permit && !neurons[3].validator_permit);
        let weights: Vec<u16> = neurons[1].weights.iter().map(|(to, _)| to.0).collect();
        assert_eq!(weights, [3, 4, 5]);
        assert!(!neurons[1].bonds.is_empty());
        assert!(neurons[3].weights.is_empty());
        assert_eq!(
            (neurons[3].axon_info.port, neurons[3].axon_info.ip),
            (8091, 0x7f00_0001)
        );
        assert_eq!(neurons[4].axon_info, AxonInfo::default());

        let none: Option<NeuronInfo> = ask("NeuronInfoRuntimeApi_get_neuron", (NETUID, 6u16));
        assert_eq!(none, None);
        let none: Option<NeuronInfoLite> =
            ask("NeuronInfoRuntimeApi_get_neuron_lite", (NOWHERE, 0u16));
        assert_eq!(none, None);
        let nobody: Vec<NeuronInfo> = ask("NeuronInfoRuntimeApi_get_neurons", NOWHERE);
        assert_eq!(nobody, []);
    });
}

#[test]
fn subnets_in_short_say_their_rules_and_owners() {
    paid_network().execute_with(|| {
        let info: Option<SubnetInfov2> = ask("SubnetInfoRuntimeApi_get_subnet_info_v2", NETUID);
        let info = info.unwrap();
        assert_eq!(info.netuid.0, NETUID);
        assert_eq!(
            (info.tempo.0, info.kappa.0, info.rho.0),
            (TEMPO, 32_767, 10)
        );
        assert_eq!((info.subnetwork_n.0, info.max_allowed_uids.0), (6, 256));
        assert_eq!(info.immunity_period.0, 5000);
        assert_eq!(info.max_allowed_validators.0, 64);
        assert_eq!(info.min_allowed_weights.0, 1);
        assert_eq!(info.max_weights_limit.0, u16::MAX);
        assert_eq!(info.blocks_since_last_step.0, 3);
        assert_eq!(info.burn.0, Burn::<Runtime>::get(NETUID));
        assert_eq!(
            info.emission_value.0,
            SubnetTaoInEmission::<Runtime>::get(NETUID)
        );
        assert_eq!(info.owner, account("owner"));
        assert_eq!(info.identity, Some(identity()));

        let old: Option<SubnetInfo> = ask("SubnetInfoRuntimeApi_get_subnet_info", NETUID);
        assert_eq!(old, Some(SubnetInfo::from(info.clone())));
        assert_eq!(old.unwrap().emission_values, info.emission_value);
        let all: Vec<Option<SubnetInfov2>> = ask("SubnetInfoRuntimeApi_get_subnets_info_v2", ());
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].as_ref().unwrap().netuid.0, ROOT);
        assert_eq!(all[1], Some(info));
        let all: Vec<Option<SubnetInfo>> = ask("SubnetInfoRuntimeApi_get_subnets_info", ());
        assert_eq!(all[1], ask("SubnetInfoRuntimeApi_get_subnet_info", NETUID));
        let none: Option<SubnetInfov2> = ask("SubnetInfoRuntimeApi_get_subnet_info_v2", NOWHERE);
        assert_eq!(none, None);
    });
}

#[test]
fn dynamic_info_is_the_pool_and_its_emission() {
    paid_network().execute_with(|| {
        let info: Option<DynamicInfo> = ask("SubnetInfoRuntimeApi_get_dynamic_info", NETUID);
        let info = info.unwrap();
        assert_eq!(plain(info.subnet_name.clone()), b"skin");
        assert_eq!(plain(info.token_symbol.clone()), "α".as_bytes());
        assert_eq!(info.owner_hotkey, account("owner-hot"));
        assert_eq!(info.owner_coldkey, account("owner"));
        assert_eq!(info.tempo.0, TEMPO);
        let now = u64::from(System::block_number());
        assert_eq!(info.last_step.0, now - 3);
        assert_eq!(info.blocks_since_last_step.0, 3);
        let emitted = SubnetTaoInEmission::<Runtime>::get(NETUID);
        assert!(emitted > 0);
        assert_eq!(
            (info.emission.0, info.tao_in_emission.0),
            (emitted, emitted)
        );
        assert_eq!(info.alpha_in.0, SubnetAlphaIn::<Runtime>::get(NETUID));
        assert_eq!(info.alpha_out.0, SubnetAlphaOut::<Runtime>::get(NETUID));
        assert_eq!(info.tao_in.0, SubnetTAO::<Runtime>::get(NETUID));
        assert_eq!(
            info.alpha_out_emission.0,
            SubnetAlphaOutEmission::<Runtime>::get(NETUID)
        );
        assert_eq!(
            info.alpha_in_emission.0,
            SubnetAlphaInEmission::<Runtime>::get(NETUID)
        );
        let waiting = PendingServerEmission::<Runtime>::get(NETUID)
            + PendingValidatorEmission::<Runtime>::get(NETUID);
        assert!(waiting > 0);
        assert_eq!(info.pending_alpha_emission.0, waiting);
        assert_eq!(info.subnet_volume.0, SubnetVolume::<Runtime>::get(NETUID));
        assert_eq!(info.network_registered_at.0, 1);
        assert_eq!(info.subnet_identity, Some(identity()));
        assert_eq!(info.moving_price, SubnetMovingPrice::<Runtime>::get(NETUID));

        let all: Vec<Option<DynamicInfo>> = ask("SubnetInfoRuntimeApi_get_all_dynamic_info", ());
        assert_eq!(all.len(), 2);
        let root = all[0].as_ref().unwrap();
        assert_eq!((root.netuid.0, root.tao_in.0), (ROOT, 50 * TAO));
        assert_eq!(plain(root.subnet_name.clone()), b"root");
        assert_eq!(all[1], Some(info));
        let none: Option<DynamicInfo> = ask("SubnetInfoRuntimeApi_get_dynamic_info", NOWHERE);
        assert_eq!(none, None);
    });
}

#[test]
fn subnet_state_is_the_columns() {
    paid_network().execute_with(|| {
        let state: Option<SubnetState> = ask("SubnetInfoRuntimeApi_get_subnet_state", NETUID);
        let state = state.unwrap();
        assert_eq!(state.hotkeys, hotkeys());
        let owners = [
            "owner",
            "validators",
            "validators",
            "miners",
            "miners",
            "miners",
        ];
        assert_eq!(state.coldkeys, owners.map(account));
        assert_eq!(state.active, Active::<Runtime>::get(NETUID));
        assert_eq!(
            state.validator_permit,
            ValidatorPermit::<Runtime>::get(NETUID)
        );
        assert_eq!(plain(state.emission), Emission::<Runtime>::get(NETUID));
        assert_eq!(plain(state.dividends), Dividends::<Runtime>::get(NETUID));
        assert_eq!(plain(state.incentives), Incentive::<Runtime>::get(NETUID));
        assert_eq!(plain(state.consensus), Consensus::<Runtime>::get(NETUID));
        assert_eq!(plain(state.last_update), LastUpdate::<Runtime>::get(NETUID));
        assert_eq!(plain(state.block_at_registration), [1; 6]);
        assert_eq!(state.alpha_stake[1].0, alpha("v1", NETUID));
        assert_eq!(plain(state.tao_stake), [0, 50 * TAO, 0, 0, 0, 0]);
        // 18 % of what lies on root counts.
        let counted = state.total_stake[1].0 - state.alpha_stake[1].0;
        assert!(
            counted.abs_diff(50 * TAO * 5268 / 100_000) <= TAO / 1000,
            "{counted}"
        );
        assert_eq!(state.total_stake[2], state.alpha_stake[2]);
        assert_eq!(plain(state.emission_history[0].clone()), [0; 6]);
        let earned =
            hotkeys().map(|hotkey| LastHotkeyEmissionOnNetuid::<Runtime>::get(hotkey, NETUID));
        assert!(earned[3] > 0);
        assert_eq!(plain(state.emission_history[1].clone()), earned);
        let none: Option<SubnetState> = ask("SubnetInfoRuntimeApi_get_subnet_state", NOWHERE);
        assert_eq!(none, None);
    });
}

#[test]
fn the_metagraph_is_everything_and_the_selective_one_what_was_asked() {
    paid_network().execute_with(|| {
        let whole: Option<Metagraph> = ask("SubnetInfoRuntimeApi_get_metagraph", NETUID);
        let whole = whole.unwrap();
        assert_eq!(whole.netuid.0, NETUID);
        assert_eq!(plain(whole.name.clone()), b"skin");
        assert_eq!(whole.block.0, u64::from(System::block_number()));
        assert_eq!(
            (whole.tempo.0, whole.num_uids.0, whole.max_uids.0),
            (TEMPO, 6, 256)
        );
        assert_eq!(whole.activity_cutoff.0, 138, "13.889 epochs of 10 blocks");
        assert_eq!((whole.alpha_low.0, whole.alpha_high.0), (45_875, 58_982));
        assert!(!whole.commit_reveal_weights_enabled);
        assert_eq!(whole.hotkeys, hotkeys());
        assert_eq!(whole.identities[3].as_ref().unwrap().name, b"the miners");
        assert_eq!(whole.identities[1], None);
        assert_eq!(whole.axons[3].port, 8091);
        assert_eq!(
            plain(whole.incentives.clone()),
            Incentive::<Runtime>::get(NETUID)
        );
        let dividends = AlphaDividendsPerSubnet::<Runtime>::get(NETUID, account("v1"));
        assert!(dividends > 0);
        assert_eq!(
            whole.alpha_dividends_per_hotkey[1],
            (account("v1"), Compact(dividends))
        );
        assert_eq!(whole.rank.len(), 6);

        // All fields at once are the metagraph and two more.
        let method = "SubnetInfoRuntimeApi_get_selective_metagraph";
        let indexes: Vec<u16> = (0..74).collect();
        let all: Option<SelectiveMetagraph> = ask(method, (NETUID, indexes));
        let all = all.unwrap();
        assert_eq!(all.hotkeys.as_ref(), Some(&whole.hotkeys));
        assert_eq!(all.moving_price.as_ref(), Some(&whole.moving_price));
        assert_eq!(all.identity, Some(Some(identity())));
        assert_eq!(
            all.alpha_dividends_per_hotkey.as_ref(),
            Some(&whole.alpha_dividends_per_hotkey)
        );
        assert_eq!(plain(all.validators.clone().unwrap()), [0, 1, 2]);
        let (who, published) = &all.commitments.as_ref().unwrap()[0];
        assert_eq!(who, &account("m2"));
        let bytes = plain(published.clone());
        let stored: Registration =
            commitments::CommitmentOf::<Runtime>::get(NETUID, account("m2")).unwrap();
        assert_eq!(bytes, stored.encode());
        // Clients cut off the first 14 bytes and read the rest as text.
        assert_eq!(&bytes[14..], b"sha256:00");

        // Each number names the field the SDK means by it, and only this.
        let nothing: Option<SelectiveMetagraph> = ask(method, (NETUID, Vec::<u16>::new()));
        let nothing = nothing.unwrap();
        assert_eq!(nothing.netuid.0, NETUID);
        assert_eq!(nothing.encode().len(), 1 + 73, "nothing but nones");
        for index in 1..74u16 {
            let one: Option<SelectiveMetagraph> = ask(method, (NETUID, vec![index, 9999]));
            let encoded = one.unwrap().encode();
            // Before the field stand only nones.
            let before = 1 + usize::from(index - 1);
            assert!(encoded[1..before].iter().all(|byte| *byte == 0), "{index}");
            assert_eq!(encoded[before], 1, "{index}");
            let after = 73 - usize::from(index);
            assert!(
                encoded[encoded.len() - after..]
                    .iter()
                    .all(|byte| *byte == 0),
                "{index}"
            );
        }
        let some: Option<SelectiveMetagraph> = ask(method, (NETUID, vec![8u16, 52, 62]));
        let some = some.unwrap();
        assert_eq!(some.tempo, Some(whole.tempo));
        assert_eq!(some.hotkeys, Some(whole.hotkeys.clone()));
        assert_eq!(some.incentives, Some(whole.incentives.clone()));
        assert_eq!(some.coldkeys, None);

        let list: Vec<Option<Metagraph>> = ask("SubnetInfoRuntimeApi_get_all_metagraphs", ());
        assert_eq!(list.len(), 2);
        assert_eq!(list[1].as_ref(), Some(&whole));
        let none: Option<Metagraph> = ask("SubnetInfoRuntimeApi_get_metagraph", NOWHERE);
        assert_eq!(none, None);
        let none: Option<SelectiveMetagraph> = ask(method, (NOWHERE, vec![1u16]));
        assert_eq!(none, None);
    });
}

#[test]
fn a_mechanism_has_its_own_incentives_and_updates() {
    paid_network().execute_with(|| {
        MechanismCountCurrent::<Runtime>::insert(NETUID, 2);
        let index = 4096 + NETUID;
        Incentive::<Runtime>::insert(index, vec![1, 2, 3, 4, 5, 6]);
        LastUpdate::<Runtime>::insert(index, vec![9; 6]);
        let method = "SubnetInfoRuntimeApi_get_mechagraph";
        let first: Option<Metagraph> = ask(method, (NETUID, 0u8));
        let whole: Option<Metagraph> = ask("SubnetInfoRuntimeApi_get_metagraph", NETUID);
        assert_eq!(first, whole);
        let second: Option<Metagraph> = ask(method, (NETUID, 1u8));
        let second = second.unwrap();
        assert_eq!(second.netuid.0, index);
        assert_eq!(plain(second.incentives.clone()), [1, 2, 3, 4, 5, 6]);
        assert_eq!(plain(second.last_update.clone()), [9; 6]);
        assert_eq!(second.hotkeys, first.as_ref().unwrap().hotkeys);
        assert_eq!(second.emission, first.as_ref().unwrap().emission);
        let none: Option<Metagraph> = ask(method, (NETUID, 2u8));
        assert_eq!(none, None);

        let some: Option<SelectiveMetagraph> = ask(
            "SubnetInfoRuntimeApi_get_selective_mechagraph",
            (NETUID, 1u8, vec![62u16]),
        );
        let some = some.unwrap();
        assert_eq!(some.netuid.0, index);
        assert_eq!(some.incentives, Some(second.incentives.clone()));
        assert_eq!(some.emission, None);
        let all: Vec<Option<Metagraph>> = ask("SubnetInfoRuntimeApi_get_all_mechagraphs", ());
        let netuids: Vec<u16> = all.iter().flatten().map(|graph| graph.netuid.0).collect();
        assert_eq!(netuids, [ROOT, NETUID, index]);
        assert_eq!(all[2], Some(second));
    });
}

#[test]
fn the_rules_of_a_subnet_in_all_three_forms() {
    paid_network().execute_with(|| {
        root(admin_utils::Call::sudo_set_kappa {
            netuid: NETUID,
            kappa: 40_000,
        })
        .unwrap();
        let v1: Option<SubnetHyperparams> =
            ask("SubnetInfoRuntimeApi_get_subnet_hyperparams", NETUID);
        let v1 = v1.unwrap();
        assert_eq!((v1.rho.0, v1.kappa.0, v1.tempo.0), (10, 40_000, TEMPO));
        assert_eq!((v1.min_burn.0, v1.max_burn.0), (500_000, 100 * TAO));
        assert_eq!((v1.weights_rate_limit.0, v1.weights_version.0), (0, 0));
        assert_eq!(v1.commit_reveal_period.0, 1);
        assert!(v1.registration_allowed && !v1.commit_reveal_weights_enabled);
        let v2: Option<SubnetHyperparamsV2> =
            ask("SubnetInfoRuntimeApi_get_subnet_hyperparams_v2", NETUID);
        let v2 = v2.unwrap();
        // The second form is the first and more.
        assert!(v2.encode().starts_with(&v1.encode()));
        assert_eq!(v2.alpha_sigmoid_steepness.bits, 1000 << 32);
        assert_eq!(v2.yuma_version.0, 3);
        assert!(v2.subnet_is_active && v2.transfers_enabled && !v2.bonds_reset_enabled);

        let method = "SubnetInfoRuntimeApi_get_subnet_hyperparams_v3";
        let v3: Option<Vec<HyperparamEntry>> = ask(method, NETUID);
        let v3 = v3.unwrap();
        let names: Vec<&str> = v3
            .iter()
            .map(|entry| std::str::from_utf8(&entry.name).unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "kappa",
                "immunity_period",
                "min_allowed_weights",
                "max_weights_limit",
                "tempo",
                "weights_version",
                "weights_rate_limit",
                "activity_cutoff",
                "activity_cutoff_factor",
                "registration_allowed",
                "target_regs_per_interval",
                "min_burn",
                "max_burn",
                "burn_half_life",
                "burn_increase_mult",
                "bonds_moving_avg",
                "max_regs_per_block",
                "serving_rate_limit",
                "max_validators",
                "commit_reveal_period",
                "commit_reveal_weights_enabled",
                "alpha_high",
                "alpha_low",
                "liquid_alpha_enabled",
                "alpha_sigmoid_steepness",
                "yuma_version",
                "subnet_is_active",
                "transfers_enabled",
                "bonds_reset_enabled",
                "user_liquidity_enabled",
                "owner_cut_enabled",
                "owner_cut_auto_lock_enabled",
                "min_childkey_take",
            ]
        );
        let value = |name: &str| {
            let at = names.iter().position(|found| *found == name).unwrap();
            v3[at].value.clone()
        };
        assert_eq!(value("kappa"), HyperparamValue::U16(Compact(40_000)));
        assert_eq!(value("activity_cutoff"), HyperparamValue::U16(Compact(138)));
        assert_eq!(
            value("activity_cutoff_factor"),
            HyperparamValue::U32(Compact(13_889))
        );
        assert_eq!(
            value("max_burn"),
            HyperparamValue::TaoBalance(Compact(100 * TAO))
        );
        assert_eq!(
            value("burn_increase_mult"),
            HyperparamValue::U64F64(BurnIncreaseMult::<Runtime>::get(NETUID))
        );
        assert_eq!(
            value("bonds_moving_avg"),
            HyperparamValue::U64(Compact(900_000))
        );
        assert_eq!(value("owner_cut_enabled"), HyperparamValue::Bool(true));
        let none: Option<Vec<HyperparamEntry>> = ask(method, NOWHERE);
        assert_eq!(none, None);
    });
}

#[test]
fn stakes_are_told_by_coldkey() {
    paid_network().execute_with(|| {
        let stakes: Vec<StakeInfo> = ask(
            "StakeInfoRuntimeApi_get_stake_info_for_coldkey",
            account("rich"),
        );
        assert_eq!(stakes.len(), 2);
        let on_root = &stakes[0];
        assert_eq!((on_root.netuid.0, on_root.stake.0), (ROOT, 50 * TAO));
        assert!(!on_root.is_registered);
        let on_subnet = &stakes[1];
        assert_eq!(on_subnet.netuid.0, NETUID);
        assert_eq!(on_subnet.hotkey, account("v1"));
        assert_eq!(on_subnet.coldkey, account("rich"));
        let owned = SubtensorModule::stake_of(&account("v1"), &account("rich"), NETUID);
        assert!(owned > 0);
        assert_eq!(on_subnet.stake.0, owned);
        assert_eq!(
            on_subnet.emission.0,
            AlphaDividendsPerSubnet::<Runtime>::get(NETUID, account("v1"))
        );
        assert!(on_subnet.is_registered);
        assert_eq!((on_subnet.locked.0, on_subnet.drain.0), (0, 0));

        let one: Option<StakeInfo> = ask(
            "StakeInfoRuntimeApi_get_stake_info_for_hotkey_coldkey_netuid",
            (account("v1"), account("rich"), NETUID),
        );
        assert_eq!(one.as_ref(), Some(on_subnet));
        // No stake is an answer too: clients do not expect none.
        let zero: Option<StakeInfo> = ask(
            "StakeInfoRuntimeApi_get_stake_info_for_hotkey_coldkey_netuid",
            (account("v2"), account("rich"), NETUID),
        );
        assert_eq!(zero.unwrap().stake.0, 0);

        let many: Vec<(AccountId, Vec<StakeInfo>)> = ask(
            "StakeInfoRuntimeApi_get_stake_info_for_coldkeys",
            vec![account("stranger"), account("rich")],
        );
        assert_eq!(many[0], (account("stranger"), vec![]));
        assert_eq!(many[1], (account("rich"), stakes.clone()));

        type Availability = BTreeMap<AccountId, BTreeMap<u16, StakeAvailability>>;
        let method = "StakeInfoRuntimeApi_get_stake_availability_for_coldkeys";
        let coldkeys = vec![account("rich"), account("stranger"), account("rich")];
        let all: Availability = ask(method, (&coldkeys, None::<Vec<u16>>));
        assert_eq!(all.len(), 2);
        assert!(all[&account("stranger")].is_empty());
        let rich = &all[&account("rich")];
        assert_eq!(rich.len(), 2);
        let free = &rich[&NETUID];
        assert_eq!(
            (free.total.0, free.locked.0, free.available.0),
            (owned, 0, owned)
        );
        let some: Availability = ask(method, (&coldkeys, Some(vec![ROOT, NOWHERE])));
        let networks: Vec<u16> = some[&account("rich")].keys().copied().collect();
        assert_eq!(networks, [ROOT]);
    });
}

#[test]
fn nothing_is_locked() {
    paid_network().execute_with(|| {
        let lock: Option<LockState> = ask(
            "StakeInfoRuntimeApi_get_coldkey_lock",
            (account("rich"), NETUID),
        );
        assert_eq!(lock, None);
        let conviction: FixedU128 = ask(
            "StakeInfoRuntimeApi_get_hotkey_conviction",
            (account("v1"), NETUID),
        );
        assert_eq!(conviction.bits, 0);
        let king: Option<AccountId> = ask(
            "StakeInfoRuntimeApi_get_most_convicted_hotkey_on_subnet",
            NETUID,
        );
        assert_eq!(king, None);
    });
}

#[test]
fn the_fee_that_is_told_is_the_one_that_is_taken() {
    paid_network().execute_with(|| {
        SubnetMechanism::<Runtime>::insert(NETUID, 1);
        let rich = account("rich");
        let fee = |from: Option<(&str, u16)>, to: Option<(&str, u16)>, amount: u64| -> u64 {
            let side = |(hotkey, netuid)| (account(hotkey), netuid);
            ask(
                "StakeInfoRuntimeApi_get_stake_fee",
                (from.map(side), &rich, to.map(side), &rich, amount),
            )
        };
        let buying = fee(None, Some(("v2", NETUID)), 10 * TAO);
        assert_eq!(
            buying,
            SubtensorModule::simulate_buy(NETUID, 10 * TAO).tao_fee
        );
        assert!(buying > 0);
        stake("rich", "v2", 10 * TAO).unwrap();
        let added = events().into_iter().find_map(|event| match event {
            subtensor::Event::StakeAdded(who, to, .., fee)
                if who == rich && to == account("v2") =>
            {
                Some(fee)
            }
            _ => None,
        });
        assert_eq!(added, Some(buying));

        let selling = fee(Some(("v1", NETUID)), None, 5 * TAO);
        assert!(selling > 0);
        assert_eq!(
            fee(Some(("v1", NETUID)), Some(("v1", ROOT)), 5 * TAO),
            selling
        );
        assert_eq!(fee(Some(("v1", NETUID)), Some(("v2", NETUID)), 5 * TAO), 0);
        assert_eq!(fee(None, Some(("v1", ROOT)), 5 * TAO), 0);
        assert_eq!(fee(None, None, 5 * TAO), 0);
    });
}

#[test]
fn delegates_are_the_owned_hotkeys() {
    paid_network().execute_with(|| {
        let all: Vec<DelegateInfo> = ask("DelegateInfoRuntimeApi_get_delegates", ());
        assert_eq!(all.len(), 6);
        let v1: Option<DelegateInfo> = ask("DelegateInfoRuntimeApi_get_delegate", account("v1"));
        let v1 = v1.unwrap();
        assert!(all.contains(&v1));
        assert_eq!(v1.owner_ss58, account("validators"));
        assert_eq!(v1.take.0, 11_796);
        assert_eq!(plain(v1.registrations.clone()), [NETUID]);
        assert_eq!(plain(v1.validator_permits.clone()), [NETUID]);
        let nominators: BTreeMap<AccountId, Vec<(u16, u64)>> = v1
            .nominators
            .iter()
            .map(|(who, stakes)| {
                let stakes = stakes.iter().map(|(netuid, stake)| (netuid.0, stake.0));
                (who.clone(), stakes.collect())
            })
            .collect();
        let owned =
            |who: &str, netuid| SubtensorModule::stake_of(&account("v1"), &account(who), netuid);
        assert_eq!(
            nominators[&account("rich")],
            [(ROOT, 50 * TAO), (NETUID, owned("rich", NETUID))]
        );
        assert_eq!(
            nominators[&account("validators")],
            [(NETUID, owned("validators", NETUID))]
        );
        // An epoch's earnings, 720 times a day.
        let earned = Emission::<Runtime>::get(NETUID)[1];
        assert!(earned > 0);
        assert_eq!(v1.total_daily_return.0, earned * 720);
        let kept = u128::from(earned) * 720 * (65_535 - 11_796) / 65_535;
        assert_eq!(u128::from(v1.return_per_1000.0), kept * 1000 / 50);

        let mine: Vec<(DelegateInfo, StakeOnSubnet)> =
            ask("DelegateInfoRuntimeApi_get_delegated", account("rich"));
        assert_eq!(mine.len(), 2);
        assert_eq!(mine[1].0.delegate_ss58, account("v1"));
        assert_eq!(mine[1].1, (Compact(NETUID), Compact(owned("rich", NETUID))));
        assert!(mine[1].0.nominators.is_empty());
        let none: Option<DelegateInfo> =
            ask("DelegateInfoRuntimeApi_get_delegate", account("stranger"));
        assert_eq!(none, None);
    });
}

#[test]
fn single_facts_about_subnets() {
    paid_network().execute_with(|| {
        let holder: Option<AccountId> = ask("SubnetInfoRuntimeApi_get_subnet_account_id", NETUID);
        assert_eq!(holder, Some(SubtensorModule::subnet_account(NETUID)));
        let none: Option<AccountId> = ask("SubnetInfoRuntimeApi_get_subnet_account_id", NOWHERE);
        assert_eq!(none, None);

        let next: Option<u64> = ask("SubnetInfoRuntimeApi_get_next_epoch_start_block", NETUID);
        assert_eq!(next, Some(u64::from(System::block_number()) + 7));
        let none: Option<u64> = ask("SubnetInfoRuntimeApi_get_next_epoch_start_block", NOWHERE);
        assert_eq!(none, None);

        let method = "SubnetInfoRuntimeApi_get_coldkey_auto_stake_hotkey";
        let none: Option<AccountId> = ask(method, (account("miners"), NETUID));
        assert_eq!(none, None);
        AutoStakeDestination::<Runtime>::insert(account("miners"), NETUID, account("v1"));
        let chosen: Option<AccountId> = ask(method, (account("miners"), NETUID));
        assert_eq!(chosen, Some(account("v1")));

        let cost: u64 = ask(
            "SubnetRegistrationRuntimeApi_get_network_registration_cost",
            (),
        );
        assert_eq!(cost, SubtensorModule::lock_cost());
        assert!(cost > 1000 * TAO);
    });
}

#[test]
fn the_subnet_to_prune_is_the_cheapest_past_its_immunity() {
    paid_network().execute_with(|| {
        let prunable = || ask::<Option<u16>>("SubnetInfoRuntimeApi_get_subnet_to_prune", ());
        assert_eq!(prunable(), None, "all are immune");
        NetworkImmunityPeriod::<Runtime>::put(5);
        assert_eq!(prunable(), Some(NETUID));
        for (netuid, founded, price) in [(2, 1, 7), (3, 1, 7), (4, 0, 9), (5, 1_000, 1)] {
            NetworksAdded::<Runtime>::insert(netuid, true);
            NetworkRegisteredAt::<Runtime>::insert(netuid, founded);
            SubnetMovingPrice::<Runtime>::insert(netuid, FixedI128 { bits: price });
        }
        SubnetMovingPrice::<Runtime>::insert(NETUID, FixedI128 { bits: 8 });
        assert_eq!(prunable(), Some(2), "the cheapest, the first of equals");
        NetworkRegisteredAt::<Runtime>::insert(3, 0);
        assert_eq!(prunable(), Some(3), "the oldest of equals");
    });
}

/// Every call there is, with zeros as arguments, and its pallet's and its own number.
fn every_call() -> Vec<([u8; 2], RuntimeCall)> {
    let numbers = (0..=u8::MAX).flat_map(|pallet| (0..=u8::MAX).map(move |call| [pallet, call]));
    numbers
        .filter_map(|number| {
            let mut bytes = [0; 1024];
            bytes[..2].copy_from_slice(&number);
            Some((number, RuntimeCall::decode(&mut &bytes[..]).ok()?))
        })
        .collect()
}

#[test]
fn what_clients_are_told_of_proxies_is_what_proxies_may_do() {
    chain().execute_with(|| {
        let kinds: Vec<ProxyTypeInfo> = ask("ProxyFilterRuntimeApi_get_proxy_types", ());
        let rules: Vec<ProxyFilterInfo> = ask("ProxyFilterRuntimeApi_get_proxy_filter", None::<u8>);
        assert_eq!(kinds.len(), 18);
        assert_eq!(rules.len(), kinds.len());
        let calls = every_call();
        assert!(calls.len() > 200, "{} calls", calls.len());
        for (at, (kind, rule)) in kinds.iter().zip(&rules).enumerate() {
            assert_eq!(usize::from(kind.index), at);
            assert_eq!((rule.proxy_type, &rule.name), (kind.index, &kind.name));
            let one: Vec<ProxyFilterInfo> =
                ask("ProxyFilterRuntimeApi_get_proxy_filter", Some(kind.index));
            assert_eq!(one, std::slice::from_ref(rule));
            let proxy = ProxyType::decode(&mut &[kind.index][..]).unwrap();
            for ([pallet, number], call) in &calls {
                let metadata = call.get_call_metadata();
                let is_among = |list: &[CallInfo]| {
                    list.iter().any(|listed| {
                        let is_named =
                            listed.call_name.as_deref() == Some(metadata.function_name.as_bytes());
                        assert_eq!(
                            listed.pallet_index == *pallet,
                            listed.pallet_name == metadata.pallet_name.as_bytes()
                        );
                        let is_it = listed.call_index.is_none_or(|index| index == *number);
                        assert_eq!(listed.call_name.is_none(), listed.call_index.is_none());
                        listed.pallet_index == *pallet
                            && is_it
                            && (is_named || listed.call_name.is_none())
                    })
                };
                let may = match rule.filter_mode {
                    FilterMode::AllowAll => true,
                    FilterMode::DenyAll => false,
                    FilterMode::Allow => is_among(&rule.calls) && !is_among(&rule.exceptions),
                    FilterMode::Deny => !is_among(&rule.calls),
                };
                assert_eq!(proxy.filter(call), may, "{proxy:?} {metadata:?}");
            }
        }
        let none: Vec<ProxyFilterInfo> = ask("ProxyFilterRuntimeApi_get_proxy_filter", Some(18u8));
        assert_eq!(none, []);
        let deprecated = kinds.iter().filter(|kind| kind.deprecated);
        let deprecated: Vec<u8> = deprecated.map(|kind| kind.index).collect();
        assert_eq!(deprecated, [4, 6, 7, 12]);

        let small = &rules[usize::from(ProxyType::SmallTransfer as u8)];
        let limits: Vec<(&[u8], &[u8], u128)> = small
            .calls
            .iter()
            .map(|call| match &call.condition {
                Some(CallCondition::ParamLessThan { param_name, limit }) => {
                    (call.call_name.as_deref().unwrap(), &param_name[..], *limit)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let half = u128::from(TAO / 2);
        assert_eq!(
            limits,
            [
                (&b"transfer_allow_death"[..], &b"value"[..], half),
                (b"transfer_keep_alive", b"value", half),
                (b"transfer_stake", b"alpha_amount", half),
            ]
        );
    });
}
