//! A chain used from the terminal: the real binary, private wallets, a node in this process. What
//! each command says is read from its JSON.

mod common;

use agon_keys::AccountId;
use common::world::{TAO, World, address};
use common::{Place, errors};
use serde_json::Value;
use std::time::Duration;

#[test]
fn a_subnet_is_founded_and_set_up() {
    let world = World::new(Duration::from_millis(20));
    // Nothing moves unasked, and a dry run opens no key: here there is none.
    let said = world.mistake("subnet create");
    assert!(said.contains("--yes"), "{said}");
    let coldkey = world.place.path(".bittensor/wallets/owner/coldkey");
    std::fs::rename(&coldkey, coldkey.with_extension("away")).unwrap();
    let dry = world.ok("subnet create --dry-run");
    assert_eq!(dry["outcome"], "dry_run");
    assert_eq!(dry["call"], "SubtensorModule.register_network");
    assert!(dry["fee_rao"].is_u64(), "{dry}");
    std::fs::rename(coldkey.with_extension("away"), &coldkey).unwrap();
    let list = world.ok("subnet list");
    assert_eq!(list["subnets"].as_array().unwrap().len(), 1, "{list}");

    let before = world.free(world.owner);
    let made = world.done("subnet create --yes");
    assert_eq!(made["netuid"], 1);
    let spent = before - world.free(world.owner);
    assert_eq!(spent, 1000 * TAO + made["fee_rao"].as_u64().unwrap());
    world.done("subnet start --netuid 1");
    world.rejected(
        "subnet start --netuid 1",
        "FirstEmissionBlockNumberAlreadySet",
    );
    let said = world.mistake("subnet start --netuid 9");
    assert!(said.contains("no subnet 9"), "{said}");

    let shown = world.ok("subnet show --netuid 1");
    let subnet = &shown["subnet"];
    assert_eq!(address(&subnet["owner"]), world.owner);
    assert_eq!(address(&subnet["owner_hotkey"]), world.hotkey);
    assert_eq!(subnet["neurons"], 1);
    assert!(subnet["started_at"].is_u64(), "{subnet}");
    assert!(subnet["tao_in"].as_u64().unwrap() >= 1000 * TAO, "{subnet}");
    let list = world.ok("subnet list");
    let listed = &list["subnets"][1];
    assert_eq!(
        (&listed["netuid"], &listed["owner"]),
        (&1.into(), &subnet["owner"])
    );

    // The owner may, a stranger may not, root may set what the owner may not.
    let tempo = "subnet set-hyperparameter --netuid 1 --param tempo --value 30";
    let settings = |name: &str| {
        let told = world.ok("subnet hyperparameters --netuid 1");
        told["hyperparameters"][name].clone()
    };
    assert_eq!(settings("tempo"), 360);
    let set = world.done(&format!("{tempo} --sudo --wallet.name alice"));
    assert_eq!(set["value"], 30);
    assert_eq!(settings("tempo"), 30);
    let (status, told, said) = world.run(&format!("{tempo} --sudo"));
    assert_eq!((status, &told["outcome"]), (Some(2), &"rejected".into()));
    assert!(said.contains("sudo key"), "{said}");
    world.sudo("yuma3_enabled", "false");
    assert_eq!(settings("yuma3_enabled"), false);
    let said = world.mistake("subnet set-hyperparameter --netuid 1 --param tempi --value 1");
    assert!(said.contains("weights_rate_limit"), "{said}");
    let said = world.mistake("subnet set-hyperparameter --netuid 1 --param tempo --value long");
    assert!(said.contains("whole number"), "{said}");
    let said = world.mistake("subnet set-hyperparameter --netuid 1 --param kappa --value 99999999");
    assert!(said.contains("beyond"), "{said}");
    // Ten blocks before an epoch the owner may change nothing; with this tempo that is always.
    world.sudo("tempo", "9");
    let (status, _, said) =
        world.run("subnet set-hyperparameter --netuid 1 --param kappa --value 1000");
    assert_eq!(status, Some(2));
    assert!(said.contains("always"), "{said}");
}

#[test]
fn neurons_register_stake_and_are_shown() {
    let world = World::with_subnet();
    let new = "wallet new-hotkey --wallet.name owner --wallet.hotkey miner --json";
    let new: Vec<&str> = new.split(' ').collect();
    let miner = address(&world.place.json(&new)["address"]);
    let register = "subnet register --netuid 1 --wallet.name owner --wallet.hotkey miner";
    let said = world.mistake(register);
    assert!(said.contains("--yes") && said.contains("TAO"), "{said}");
    world.rejected(
        &format!("{register} --yes --max-price 0.000000001"),
        "RegistrationPriceLimitExceeded",
    );
    let made = world.done(&format!("{register} --yes"));
    assert_eq!(made["uid"], 1);
    let said = world.mistake(&format!("{register} --yes"));
    assert!(said.contains("uid 1"), "{said}");

    let add = "stake add --netuid 1 --wallet.name owner --wallet.hotkey miner";
    let said = world.mistake(&format!("{add} --amount 1.0000000001 --yes"));
    assert!(said.contains("nine digits"), "{said}");
    let made = world.done(&format!("{add} --amount 12.5 --tolerance 0.5 --yes"));
    let alpha = made["alpha_rao"].as_u64().unwrap();
    assert!(alpha > 0 && made["tao_rao"].is_u64(), "{made}");
    world.rejected(
        &format!("{add} --amount 500 --tolerance 0.0001 --yes"),
        "SlippageTooHigh",
    );
    let list = world.ok("stake list");
    let mine = |list: &Value| {
        let stakes = list["stakes"].as_array().unwrap();
        let mine = stakes
            .iter()
            .find(|stake| address(&stake["hotkey"]) == miner);
        mine.map_or(0, |stake| stake["alpha_rao"].as_u64().unwrap())
    };
    assert_eq!(mine(&list), alpha, "{list}");
    let balance = world.ok("wallet balance");
    assert!(balance["staked_rao"].as_u64().unwrap() > 0, "{balance}");

    let to = format!("--dest-hotkey {}", world.hotkey);
    let change = "stake move --netuid 1 --wallet.name owner --wallet.hotkey miner";
    world.done(&format!("{change} --amount 2 {to} --yes"));
    let left = mine(&world.ok("stake list"));
    assert_eq!(left, alpha - 2 * TAO);
    let alice: AccountId = agon_keys::Keypair::from_uri("//Alice").unwrap().account();
    let give = "stake transfer --netuid 1 --wallet.name owner --wallet.hotkey miner";
    world.done(&format!("{give} --amount 1 --dest {alice} --yes"));
    let hers = world.ok(&format!("stake list --ss58 {alice}"));
    assert_eq!(mine(&hers), TAO, "{hers}");
    let remove = "stake remove --netuid 1 --wallet.name owner --wallet.hotkey miner --yes";
    let said = world.mistake(&format!("{remove} --amount 1000000"));
    assert!(said.contains("there are only"), "{said}");
    world.done(&format!("{remove} --amount 3 --tolerance 0.5"));
    world.done(&format!("{remove} --all --tolerance 0.5"));
    assert_eq!(mine(&world.ok("stake list")), 0);

    let take = "stake take --wallet.name owner --wallet.hotkey miner";
    assert_eq!(world.ok(take)["take"], 11_796);
    assert_eq!(world.done(&format!("{take} --to 0.09"))["take"], 5_898);
    assert_eq!(world.ok(take)["take"], 5_898);
    let said = world.mistake(&format!("{take} --to 0.09"));
    assert!(said.contains("already"), "{said}");
    // Whoever has just changed a take cannot raise it; another hotkey could, but not so far.
    let said = world.mistake(&format!("{take} --to 0.1"));
    assert!(
        said.contains("blocks remain until the take can be raised"),
        "{said}"
    );
    let other = "stake take --wallet.name owner --wallet.hotkey default --to 0.5";
    world.rejected(other, "DelegateTakeTooHigh");

    let graph = world.ok("subnet metagraph --netuid 1");
    let neurons = graph["neurons"].as_array().unwrap();
    assert_eq!(neurons.len(), 2);
    assert_eq!(address(&neurons[0]["hotkey"]), world.hotkey);
    assert_eq!(address(&neurons[1]["hotkey"]), miner);
    assert_eq!(address(&neurons[1]["coldkey"]), world.owner);
    let overview = world.ok("wallet overview");
    let places: Vec<(&str, u64)> = overview["neurons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| (n["hotkey"].as_str().unwrap(), n["uid"].as_u64().unwrap()))
        .collect();
    assert_eq!(places, [("default", 0), ("miner", 1)]);
}

#[test]
fn weights_are_set_when_their_time_has_come() {
    let world = World::with_subnet();
    world.sudo("commit_reveal_weights_enabled", "false");
    let set = "weights set --netuid 1 --uids 0 --weights 0.3";
    let said = world.mistake(set);
    assert!(said.contains("blocks remain"), "{said}");
    world.sudo("weights_rate_limit", "40");
    let made = world.done(&format!("{set} --wait"));
    assert_eq!((&made["how"], &made["uid"]), (&"set".into(), &0.into()));
    let shown = world.ok("weights show --netuid 1");
    let expected = serde_json::json!([{"uid": 0, "weights": [{"uid": 0, "weight": 65535}]}]);
    assert_eq!(shown["weights"], expected);
    let said = world.mistake(set);
    assert!(said.contains("remain"), "{said}");

    world.sudo("weights_rate_limit", "0");
    world.rejected(
        "weights set --netuid 1 --uids 7 --weights 1",
        "UidVecContainInvalidOne",
    );
    let said = world.mistake("weights set --netuid 1 --uids 0,0 --weights 1,1");
    assert!(said.contains("twice"), "{said}");
    let said = world.mistake("weights set --netuid 1 --uids 0,1 --weights 1");
    assert!(said.contains("as many weights"), "{said}");
    let said = world.mistake("weights commit --netuid 1 --uids 0 --weights 1");
    assert!(said.contains("openly"), "{said}");
    let said = world.mistake(
        "weights set --netuid 1 --uids 0 --weights 1 --wallet.name owner --wallet.hotkey none",
    );
    assert!(said.contains("none"), "{said}");
}

#[test]
fn weights_are_committed_to_and_revealed() {
    let world = World::with_subnet();
    world.sudo("weights_rate_limit", "0");
    // Long enough for a slow machine to look before the first epoch and to meet the one that takes the reveal.
    world.sudo("tempo", "400");
    // What is hidden fails where nobody sees it, so it is looked at before.
    let said = world.mistake("weights set --netuid 1 --uids 7 --weights 1");
    assert!(said.contains("no uid 7"), "{said}");
    let said = world.mistake("weights commit --netuid 1 --uids 0,7 --weights 1,1");
    assert!(said.contains("no uid 7"), "{said}");
    // Which way weights take is looked up.
    let made = world.done("weights set --netuid 1 --uids 0 --weights 1");
    assert_eq!(made["how"], "sealed", "{made}");
    assert!(made["round"].is_u64(), "{made}");
    let made = world.done("weights commit --netuid 1 --uids 0 --weights 1");
    assert_eq!(made["how"], "commit", "{made}");
    assert_eq!(made["salt"].as_array().unwrap().len(), 8);
    let shown = world.ok("weights show --netuid 1");
    assert_eq!(shown["weights"], serde_json::json!([]));
    let made = world.done("weights reveal --netuid 1 --wait");
    assert_eq!(made["how"], "reveal", "{made}");
    let shown = world.ok("weights show --netuid 1");
    assert_eq!(shown["weights"][0]["weights"][0]["weight"], 65535);
    let said = world.mistake("weights reveal --netuid 1");
    assert!(said.contains("no commitment"), "{said}");
}

#[test]
fn money_moves_once() {
    let world = World::new(Duration::from_secs(2));
    let bob = agon_keys::Keypair::from_uri("//somebody")
        .unwrap()
        .account();
    let send = format!("wallet transfer --dest {bob} --amount 7.000000001");
    let said = world.mistake(&send);
    assert!(said.contains("send 7.000000001 TAO"), "{said}");
    let dry = world.ok(&format!("{send} --dry-run"));
    assert_eq!(dry["outcome"], "dry_run");

    // No block comes before the first attempt gives up; the same command finds out.
    let hasty = format!("{send} --yes --timeout 500ms");
    let (status, told, said) = world.run(&hasty);
    assert_eq!(status, Some(1), "{said}");
    assert_eq!(told["outcome"], "unknown");
    assert!(said.contains("same command again"), "{said}");
    let (status, told, said) = world.run(&format!("{send} --yes"));
    assert_eq!((status, &told["outcome"]), (Some(0), &"finalised".into()));
    assert!(said.contains("nothing new was sent"), "{said}");
    assert_eq!(told["amount_rao"], 7 * TAO + 1);
    assert_eq!(world.free(bob), 7 * TAO + 1);
    let fee = told["fee_rao"].as_u64().unwrap();
    assert_eq!(world.free(world.owner), 10_000 * TAO - 7 * TAO - 1 - fee);

    world.rejected(
        &format!("wallet transfer --dest {bob} --amount 20000 --yes"),
        "FundsUnavailable",
    );
    let said = world.mistake("wallet transfer --dest 5Grw --amount 1 --yes");
    assert!(said.contains("--dest"), "{said}");
}

#[test]
fn an_ed25519_key_sends_money() {
    let world = World::start(Duration::from_millis(20), true);
    let made = "wallet regen-coldkey --wallet.name edward --uri //Edward --crypto-type ed25519";
    let made: Vec<&str> = made.split(' ').collect();
    let made = world
        .place
        .json(&[&made[..], &["--no-password", "--json"]].concat());
    let edward = address(&made["address"]);
    world.ok(&format!("wallet faucet --ss58 {edward} --amount 10"));
    let sent = world.done(&format!(
        "wallet transfer --wallet.name edward --dest {} --amount 4 --yes",
        world.hotkey
    ));
    assert_eq!(world.free(world.hotkey), 4 * TAO);
    let fee = sent["fee_rao"].as_u64().unwrap();
    assert_eq!(world.free(edward), 6 * TAO - fee);
}

#[test]
fn only_a_development_chain_gives_tao_away() {
    let said = World::new(Duration::from_millis(20)).mistake("wallet faucet");
    assert!(said.contains("--dev"), "{said}");
    let world = World::start(Duration::from_millis(20), true);
    let told = world.ok("wallet faucet --amount 2.5");
    assert_eq!(told["given_rao"], 2 * TAO + TAO / 2);
    assert_eq!(world.free(world.owner), 10_002 * TAO + TAO / 2);
    // An account that never was gets one.
    let somebody = agon_keys::Keypair::from_uri("//somebody")
        .unwrap()
        .account();
    world.ok(&format!("wallet faucet --ss58 {somebody}"));
    assert_eq!(world.free(somebody), 10_000 * TAO);
}

#[test]
fn hotkeys_publish_and_are_read() {
    let world = World::with_subnet();
    world.done("commitment set --netuid 1 --data agon:model");
    let told = world.ok("commitment get --netuid 1");
    let commitment = &told["commitments"][0];
    assert_eq!(commitment["text"], "agon:model");
    assert_eq!(address(&commitment["hotkey"]), world.hotkey);
    world.done("commitment set --netuid 1 --data 0xff00 --hex");
    let told = world.ok(&format!(
        "commitment get --netuid 1 --hotkey {}",
        world.hotkey
    ));
    assert_eq!(told["commitments"][0]["data"], "ff00");
    let said = world.mistake("commitment set --netuid 1 --data xyz --hex");
    assert!(said.contains("hexadecimal"), "{said}");
}

#[test]
fn what_is_sealed_is_revealed_in_its_time() {
    let world = World::with_subnet();
    // Twelve seconds: long enough for a slow machine to look before.
    let sealed = world.done("commitment set --netuid 1 --data later --blocks-until-reveal 600");
    let get = || world.ok("commitment get --netuid 1");
    let told = get();
    assert_eq!(told["commitments"], serde_json::json!([]), "{told}");
    assert_eq!(told["sealed"][0]["round"], sealed["round"], "{told}");
    assert_eq!(address(&told["sealed"][0]["hotkey"]), world.hotkey);
    assert_eq!(told["revealed"], serde_json::json!([]), "{told}");

    let begun = std::time::Instant::now();
    let told = loop {
        let told = get();
        if told["sealed"] == serde_json::json!([]) {
            break told;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(told["revealed"][0]["text"], "later", "{told}");
    assert_eq!(address(&told["revealed"][0]["hotkey"]), world.hotkey);

    let long = "x".repeat(779);
    let said = world.mistake(&format!(
        "commitment set --netuid 1 --data {long} --blocks-until-reveal 5"
    ));
    assert!(said.contains("778"), "{said}");
}

#[test]
fn a_server_is_published_and_found() {
    let world = World::with_subnet();
    let publish = "axon publish --netuid 1 --axon.external_ip 192.0.2.7 --axon.external_port 8091";
    assert_eq!(world.done(publish)["address"], "192.0.2.7:8091");
    let told = world.ok("subnet metagraph --netuid 1");
    let axon = &told["neurons"][0]["axon"];
    assert_eq!(
        (&axon["ip"], &axon["port"]),
        (&"192.0.2.7".into(), &8091.into())
    );
    let said = world.mistake(publish);
    assert!(said.contains("blocks remain"), "{said}");
    let said = world.mistake("axon publish --netuid 1 --axon.ip nowhere --axon.port 1");
    assert!(said.contains("--axon.external_ip"), "{said}");
    world.place.json(&[
        "wallet",
        "new-hotkey",
        "--wallet.name=owner",
        "--wallet.hotkey=other",
        "--json",
    ]);
    let said = world.mistake(&format!(
        "{publish} --wallet.name owner --wallet.hotkey other"
    ));
    assert!(said.contains("not registered"), "{said}");
}

#[test]
fn who_is_too_early_hears_how_many_blocks_remain() {
    let world = World::with_subnet();
    let set = "subnet set-hyperparameter --netuid 1 --param min_burn --value";
    assert_eq!(world.done(&format!("{set} 400000"))["value"], 400_000);
    let said = world.mistake(&format!("{set} 500000"));
    assert!(
        said.contains("blocks remain until the owner can change min_burn"),
        "{said}"
    );
    // Another setting has a time of its own, and root need not wait.
    world.done("subnet set-hyperparameter --netuid 1 --param rho --value 11");
    world.sudo("min_burn", "500000");
    let said = world.mistake(&format!("{set} 600000"));
    assert!(said.contains("blocks remain"), "{said}");
}

#[test]
fn a_chain_that_is_not_there_is_named() {
    let place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", free.local_addr().unwrap());
    drop(free);
    let said = place.mistake(&["subnet", "list", "--network", &url]);
    assert!(said.contains(&url), "{said}");
    let said = place.mistake(&["subnet", "list", "--network", "nowhere"]);
    assert!(said.contains("nowhere"), "{said}");
    let mut command = place.command(&["subnet", "list"]);
    let output = command.env("BT_SUBTENSOR_CHAIN_ENDPOINT", &url).output();
    assert!(errors(&output.unwrap()).contains(&url));
}

#[test]
fn nobody_reading_is_no_failure() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = place.command(&["wallet", "list", "--json"]);
    let output = command.stdout(writer).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(errors(&output), "");
}
