//! Two phases on a chain: who sealed first owns the model, whoever shows it first.

use agon_arena::commitment::{File, Form, LOCAL_REPOSITORY, Location, Statement};
use agon_arena::event::Events;
use agon_arena::miner::Miner;
use agon_arena::roster::{self, Rules};
use agon_dataset::store::LocalStore;
use agon_keys::Keypair;
use agon_model::digest::Digest;
use agon_neuron::{Call, ChainClient, Outcome, SignedBytes};
use agon_node::{Node, NodeOptions, genesis};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NETUID: u16 = 1;
const RULES: Rules = Rules {
    competition: "tricorder",
    others: &[],
    forms: &[Form::File, Form::TwoPhase],
    stake_limit: None,
};

fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

async fn submit(client: &ChainClient, call: Call, signer: &Keypair) {
    let what = call.to_string();
    let outcome = client.submit(call, signer).await;
    let is_done = matches!(outcome, Outcome::Finalised { .. });
    assert!(is_done, "{what}: {outcome:?}");
}

fn miner(client: &ChainClient, name: &str, place: &Path) -> Miner {
    Miner {
        client: client.clone(),
        netuid: NETUID,
        hotkey: Arc::new(key(name)),
        store: Arc::new(LocalStore::open(place).unwrap()),
        events: Events::new(name, Arc::new(|_, _| {})),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_who_sealed_first_owns_what_both_reveal() {
    let rich = |name: &str| (key(name).account().0.into(), 500_000 * genesis::TAO);
    let node = Node::start(NodeOptions {
        block_time: Duration::from_millis(30).into(),
        genesis: Some(genesis::development(&[
            rich("owner"),
            rich("maker"),
            rich("copier"),
        ])),
        ..NodeOptions::default()
    })
    .await
    .unwrap();
    let client = ChainClient::connect(&node.url()).await.unwrap();
    let found = Call::register_network(key("owner//hot").account());
    submit(&client, found, &key("owner")).await;
    submit(&client, Call::start_call(NETUID), &key("owner")).await;
    for name in ["maker", "copier"] {
        let call = Call::burned_register(NETUID, key(name).account());
        submit(&client, call, &key(name)).await;
    }
    let place = tempfile::tempdir().unwrap();
    let maker = miner(&client, "maker", place.path());
    let copier = miner(&client, "copier", place.path());
    let model = maker.publish(b"a model").unwrap();

    // The copier sees the file as soon as it is shown and commits to it before the maker's reveal is on chain; that is
    // played here by the copier going first.
    let seal = maker.commit_in_two_phases(model, [1; 12], "tricorder", LOCAL_REPOSITORY);
    let sealed = seal.await.unwrap();
    let copied = File {
        repository: LOCAL_REPOSITORY.into(),
        stem: "mine".into(),
        competition: "tricorder".into(),
        digest: model,
    };
    let copied = copier.commit(&copied.into(), model).await.unwrap();
    let state = client.finalized().await.unwrap();
    let entries = roster::read(&state, NETUID, RULES).await.unwrap();
    assert_eq!(entries[0].hotkey, key("maker").account());
    assert_eq!(entries[0].block, sealed);
    let claim = entries[0].claim.as_ref().unwrap();
    assert_eq!(claim.location, Location::Local(model));
    let refused = entries[1].claim.as_ref().unwrap_err();
    assert!(refused.reason.contains("a copy"), "{}", refused.reason);
    assert!(copied.block > sealed);

    // Done again it is what it was, and sends nothing.
    let nonce = state.nonce(key("maker").account()).await.unwrap();
    let again = maker.commit_in_two_phases(model, [1; 12], "tricorder", LOCAL_REPOSITORY);
    assert_eq!(again.await.unwrap(), sealed);
    let state = client.finalized().await.unwrap();
    assert_eq!(state.nonce(key("maker").account()).await.unwrap(), nonce);

    // A reveal of somebody else's seal opens nothing.
    let mine = state.commitments(NETUID).await.unwrap();
    let of_maker = mine.iter().find(|it| it.hotkey == key("maker").account());
    let stolen = Statement::read(&of_maker.unwrap().data, RULES.forms).unwrap();
    copier.commit(&stolen, model).await.unwrap();
    let state = client.finalized().await.unwrap();
    let entries = roster::read(&state, NETUID, RULES).await.unwrap();
    let of_copier = entries
        .iter()
        .find(|it| it.hotkey == key("copier").account());
    let refused = of_copier.unwrap().claim.as_ref().unwrap_err();
    assert!(refused.reason.contains("has no seal"), "{}", refused.reason);

    // What was signed when can be looked up by anybody, in any block.
    let text = |bytes: &[u8], block| SignedBytes {
        block,
        signer: key("copier").account(),
        bytes: bytes.to_vec(),
    };
    let claimed = format!("local:mine:tricorder:{}", Digest::of(b"a model"));
    let wanted = [
        text(claimed.as_bytes(), copied.block),
        text(claimed.as_bytes(), copied.block - 1),
        text(b"never said", copied.block),
        text(claimed.as_bytes(), u64::MAX),
    ];
    // Twice: the second time from memory.
    for _ in 0..2 {
        let found = state.signed(&wanted).await.unwrap();
        assert_eq!(found, [copied.extrinsic_index, None, None, None]);
    }
    node.stop().await;
}
