//! Live miners are sent X-rays: one that was trained, one that does not look, and one that answers nonsense.

use super::common::chain::{Chain, NETUID, key};
use super::common::{Place, ask};
use super::{place, quick};
use agon_model::digest::Digest;
use agon_neuron::Call;
use agon_neuron::axon::{Axon, Connections, Cover, Door, Gate, Replay, Rules, Server, serve};
use agon_neuron::peer::VERSION;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server that answers whatever it is asked with this text.
async fn answering(chain: &Chain, name: &'static str, text: Value) -> Server {
    let door = Door::new(Rules {
        strangers: true,
        ..Rules::default()
    });
    let replay = Arc::new(Replay::in_memory());
    let gate = Gate::new(key(name).account(), replay, Arc::new(door));
    let answer = move |_: Map<String, Value>, _| {
        let text = text.clone();
        async move { Ok(json!({ "output_text": text })) }
    };
    let axon = Axon::new(Arc::new(key(name)), gate).route("Predict", Cover::Nothing, answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = serve(listener, axon.service(), Connections::default(), None).unwrap();
    let ip = Ipv4Addr::LOCALHOST.into();
    let published = Call::serve_axon(NETUID, VERSION, ip, port, 4);
    chain.send(published, name).await;
    server
}

fn line<'a>(board: &'a Value, name: &str) -> &'a Value {
    let account = key(name).account().to_string();
    let lines = board["submissions"].as_array().unwrap();
    let line = lines.iter().find(|line| line["hotkey"] == *account);
    line.unwrap_or_else(|| panic!("{name} is not on the board: {board:#}"))
}

#[test]
fn live_miners_are_paid_by_what_they_find() {
    let place = place("400");
    place.wallets(&["miner", "validator", "lazy"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let chain = runtime.block_on(Chain::new(&["miner", "lazy", "hostile", "away"]));
    let url = chain.url();
    let network = ["--netuid", "1", "--subtensor.chain_endpoint", &url];
    let lazy = runtime.block_on(answering(&chain, "lazy", json!("first")));
    let hostile = json!(["first", "second"]);
    let hostile = runtime.block_on(answering(&chain, "hostile", hostile));
    let mine = [
        "miner",
        "healthcare",
        "--wallet.name",
        "miner",
        "--num_epochs",
        "20",
        "--training_mode",
        "fast",
        "--batch_size",
        "8",
        "--store",
        "store",
        "--axon.port",
        "0",
        "--blacklist.min_stake",
        "1",
        "--threshold",
        "0.4",
        "--health.port",
        "0",
    ];
    let mine = [&mine[..], &quick(&[])[2..], &network].concat();
    let miner = place.background(place.command(&mine), "answered until Ctrl-C");
    runtime.block_on(chain.next_epoch());

    let asks = |name: &str, image: &str| {
        let question = json!({ "input_image": image }).to_string();
        let words = [
            "query",
            "--wallet.name",
            name,
            "--name",
            "Predict",
            "--json",
        ];
        let to = ["--data", &question, "--uids", &uid(&place, &url)];
        let told = place.run(&[&words[..], &to, &network].concat());
        serde_json::from_slice::<Value>(&told.stdout).unwrap()["outcomes"][0].clone()
    };
    // Registered, and without stake.
    let refused = asks("lazy", "");
    assert_eq!(refused["status"], 403, "{refused}");
    assert!(refused["reason"].to_string().contains("too little stake"));
    let refused = asks("validator", "AAAA");
    assert_eq!(refused["status"], 400, "{refused}");
    assert!(refused["reason"].to_string().contains("JPEG"), "{refused}");

    let validate = ["validator", "healthcare", "--wallet.name", "validator"];
    let asking = [
        "--form",
        "challenge",
        "--data-dir",
        "synthetic_data",
        "--labels",
        "first,second",
        "--judging.split",
        "20",
        "--judging.sample",
        "45",
        "--neuron.timeout",
        "10",
        "--logging.logging_dir",
        "neurons",
        "--rounds",
        "1",
        "--json",
    ];
    let validate = [&validate[..], &asking, &network].concat();
    // Whoever is killed while asking asks again.
    place.kill_at(&validate, "round 1 begins");
    let told = place.json(&validate);
    let ledger = told["ledger"].as_str().unwrap();
    let board = place.json(&["board", "--ledger", ledger, "--json"]);
    assert_eq!(board["competition"], "healthcare-challenge");
    assert_eq!(
        board["submissions"].as_array().unwrap().len(),
        3,
        "{board:#}"
    );
    let (good, lazily, nonsense) = (
        line(&board, "miner"),
        line(&board, "lazy"),
        line(&board, "hostile"),
    );
    let figure = |line: &Value, name: &str| line["figures"][name].as_f64().unwrap();
    let score = |line: &Value| line["score"].as_f64().unwrap();
    assert_eq!(figure(good, "understood"), 1.0, "{board:#}");
    assert_eq!(good["weight"], 65535, "{board:#}");
    assert!(score(good) > 1.3 * figure(good, "constant"), "{board:#}");
    assert!(score(lazily) <= figure(lazily, "constant"), "{board:#}");
    let weight = lazily["weight"].as_u64().unwrap();
    assert!((1..50_000).contains(&weight), "{board:#}");
    // Two findings in a list are no text of findings.
    assert_eq!(
        (&nonsense["outcome"], score(nonsense), &nonsense["weight"]),
        (&"scored".into(), 0.0, &0.into()),
        "{board:#}"
    );
    assert_eq!(figure(nonsense, "answered"), 1.0);
    assert_eq!(figure(nonsense, "understood"), 0.0);

    // Its weights can be made again, its questions cannot be asked again.
    let replay = ["ledger", "replay", "--ledger", ledger];
    assert!(place.run(&replay).status.success());
    let robust = [&replay[..], &["--scoring", "robust"]].concat();
    assert_eq!(place.run(&robust).status.code(), Some(1));
    let rejudge = ["validator", "rejudge", "--ledger", ledger];
    let data = ["--data-dir", "synthetic_data", "--store", "store"];
    let said = place.mistake(&[&rejudge[..], &data].concat());
    assert!(said.contains("cannot be asked the same again"), "{said}");

    // With a stake `lazy` validates and is not asked. Two validators draw the same one.
    runtime.block_on(async {
        chain.stake("lazy").await;
        chain.next_epoch().await;
    });
    let asked = |name: &str, more: [&str; 2]| -> Vec<String> {
        let draw = ["--judging.seed", "7", "--neuron.name", name];
        let mut words = [&validate[..], &draw, &more].concat();
        let questions = words.iter().position(|word| *word == "45").unwrap();
        words[questions] = "2";
        let told = place.json(&words);
        let ledger = told["ledger"].as_str().unwrap();
        let board = place.json(&["board", "--ledger", ledger, "--json"]);
        let lines = board["submissions"].as_array().unwrap().iter();
        let hotkeys = lines.map(|line| line["hotkey"].as_str().unwrap().to_owned());
        hotkeys.collect()
    };
    let address = |name: &str| key(name).account().to_string();
    let limited = asked("second", ["--vpermit_tao_limit", "1"]);
    assert!(!limited.contains(&address("lazy")), "{limited:?}");
    assert!(limited.contains(&address("hostile")), "{limited:?}");
    let drawn = asked("third", ["--neuron.sample_size", "1"]);
    assert_eq!(drawn.len(), 1);
    assert_eq!(asked("fourth", ["--neuron.sample_size", "1"]), drawn);

    // The miner tells how it is, and what it has done.
    let health = || -> Value {
        let (status, body) = ask(miner.health(), "GET /health");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let told = health();
    assert_eq!(
        (&told["stuck"], &told["chain_reachable"]),
        (&false.into(), &true.into()),
        "{told:#}"
    );
    let count = |what: &str| told["questions"][what].as_u64().unwrap();
    assert!(count("answered") >= 45 && count("refused") >= 2, "{told:#}");
    let part = |name: &str| {
        let participants = told["participants"].as_array().unwrap();
        let found = participants.iter().find(|one| one["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {told:#}"))
    };
    assert_eq!(part("axon")["last_event"], "serving");
    let training = part("training");
    assert_eq!(
        (&training["last_event"], &training["epoch"]),
        (&"waiting".into(), &20.into())
    );
    let commitments = runtime.block_on(async {
        let state = chain.client.finalized().await.unwrap();
        state.commitments(NETUID).await.unwrap()
    });
    let account = key("miner").account();
    let mine = commitments.iter().find(|it| it.hotkey == account).unwrap();
    let best = std::fs::read(place.path("run/best.onnx")).unwrap();
    let mined = part("miner");
    assert_eq!(mined["last_event"], "committed");
    let commitment = json!({"digest": Digest::of(&best), "block": mine.block});
    assert_eq!(mined["commitment"], commitment, "{told:#}");
    assert_eq!(mined["not_committed"], Value::Null);
    let (_, metrics) = ask(miner.health(), "GET /metrics");
    for line in [
        "agon_chain_reachable 1".to_owned(),
        "agon_stuck 0".to_owned(),
        "agon_training_epoch{who=\"training\"} 20".to_owned(),
        format!("agon_committed_block{{who=\"miner\"}} {}", mine.block),
        "agon_axon_requests{outcome=\"served\"} ".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} is missing:\n{metrics}");
    }
    // That the chain is gone is told, and is not the miner's end.
    runtime.block_on(async { drop(chain) });
    let since = Instant::now();
    while health()["chain_reachable"] != false {
        assert!(since.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(miner.interrupt(), Some(0));
    runtime.block_on(async {
        lazy.stop().await;
        hostile.stop().await;
    });
}

/// The uid of the miner.
fn uid(place: &Place, url: &str) -> String {
    let words = ["subnet", "metagraph", "--netuid", "1", "--json"];
    let told = place.json(&[&words[..], &["--subtensor.chain_endpoint", url]].concat());
    let account = key("miner").account().to_string();
    let neurons = told["neurons"].as_array().unwrap();
    let mine = neurons.iter().find(|neuron| neuron["hotkey"] == *account);
    mine.unwrap()["uid"].to_string()
}

#[test]
fn flags_that_would_mean_nothing_are_refused() {
    let place = place("40");
    let validate = |more: &str| {
        let words = format!(
            "validator healthcare --netuid 1 --subtensor.chain_endpoint ws://127.0.0.1:9 --data-dir synthetic_data \
             --labels first,second --logging.logging_dir neurons {more}"
        );
        place.mistake(&words.split_whitespace().collect::<Vec<_>>())
    };
    let said = validate("--form challenge --store store");
    assert!(said.contains("--store means nothing here"), "{said}");
    let said = validate("--form challenge --models.cache_dir cache");
    assert!(said.contains("--models.cache_dir means nothing"), "{said}");
    let said = validate("--form models --neuron.timeout 5 --store store");
    assert!(said.contains("--neuron.timeout means nothing"), "{said}");
    let said = validate("--neuron.sample_size 5 --store store");
    assert!(said.contains("--neuron.sample_size means"), "{said}");
    assert!(validate("--form both").contains("challenge"));
    assert!(validate("").contains("--store DIR is needed"));
    // The same X-rays are public: answers could be looked up.
    let said = validate("--form challenge --public synthetic_data");
    assert!(said.contains("it judges memory"), "{said}");
    let mine = |more: &str| {
        let words = format!(
            "miner healthcare --netuid 1 --subtensor.chain_endpoint ws://127.0.0.1:9 {more}"
        );
        place.mistake(&words.split_whitespace().collect::<Vec<_>>())
    };
    let said = mine("--axon.ip 0.0.0.0 --axon.port 0");
    assert!(said.contains("--axon.external_ip"), "{said}");
    assert!(mine("--threshold 1.5").contains("from 0 to below 1"));
    assert!(mine("--hf_repo_id chest").contains("owner/name"));
    assert!(mine("--blacklist.min_stake many").contains("an amount is"));
}
