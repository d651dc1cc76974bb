use std::time::Duration;

use agon_neuron::{Call, ChainClient, Deadlines, Outcome, SignedCall, Value};

use crate::world::*;

fn transfer(rao: u64) -> Call {
    Call::transfer_keep_alive(key("Bob").account(), rao)
}

#[tokio::test]
async fn what_was_submitted_can_be_read_at_its_block() {
    let (node, client) = start().await;
    let (alice, bob) = (key("Alice"), key("Bob"));
    let before = client.finalized().await.unwrap();
    let outcome = client.submit(transfer(3 * TAO), &alice).await;
    let Outcome::Finalised { hash, fee, .. } = outcome else {
        panic!("{outcome:?}");
    };
    let after = client.at(hash).await.unwrap();
    let newest = client.finalized().await.unwrap();
    assert!(newest.number() >= after.number() && after.number() > before.number());
    let had = before.balance(bob.account()).await.unwrap();
    for state in [&after, &newest] {
        assert_eq!(state.balance(bob.account()).await.unwrap(), had + 3 * TAO);
    }
    // The earlier state is still what it was.
    assert_eq!(before.balance(bob.account()).await.unwrap(), had);
    let fee = fee.expect("a transfer costs something");
    let spent = before.balance(alice.account()).await.unwrap()
        - after.balance(alice.account()).await.unwrap();
    assert_eq!(spent, 3 * TAO + fee);
    node.stop().await;
}

#[tokio::test]
async fn rejections_carry_the_runtimes_names() {
    let (node, client) = start().await;
    let (alice, dave, nobody) = (key("Alice"), key("Dave"), key("Nobody"));
    assert_eq!(
        refused(&client, transfer(200_000 * TAO), &dave).await,
        "Token.FundsUnavailable"
    );
    let stake = Call::add_stake(hotkey("owner"), 999, TAO);
    let error = refused(&client, stake.clone(), &dave).await;
    assert!(
        error.contains("SubnetNotExists (Custom error: 3)"),
        "{error}"
    );
    // All or nothing: the transfer in front of the failing call is undone too.
    let had = client.finalized().await.unwrap();
    let had = had.balance(key("Bob").account()).await.unwrap();
    let batch = Call::batch_all([transfer(TAO), stake]);
    let error = refused(&client, batch, &dave).await;
    assert_eq!(error, "SubtensorModule.SubnetNotExists");
    let now = client.finalized().await.unwrap();
    assert_eq!(now.balance(key("Bob").account()).await.unwrap(), had);

    let tempo = |netuid: u16| Call::admin("sudo_set_tempo", [netuid.into(), Value::from(10_u16)]);
    let error = refused(&client, Call::sudo(tempo(1)), &dave).await;
    assert!(error.contains("Invalid signing address"), "{error}");
    // The sudo call itself succeeds; what it carries does not.
    let error = refused(&client, Call::sudo(tempo(999)), &alice).await;
    assert!(error.starts_with("AdminUtils."), "{error}");
    // Refused by the pool: an account that cannot pay.
    let error = refused(&client, transfer(1), &nobody).await;
    assert!(
        error.contains("fees") || error.contains("Payment"),
        "{error}"
    );
    // Refused before anything is sent.
    let error = refused(&client, Call::admin("sudo_set_nothing", []), &alice).await;
    assert!(
        error.contains("AdminUtils.sudo_set_nothing was not sent"),
        "{error}"
    );
    node.stop().await;
}

#[tokio::test]
async fn sending_again_does_not_happen_again() {
    let (node, client) = start().await;
    let alice = key("Alice");
    let signed = client.prepare(transfer(TAO), &alice).await.unwrap();
    let nonce = signed.nonce();
    let first = client.send(&signed).await;
    assert!(matches!(first, Outcome::Finalised { .. }), "{first:?}");
    assert_eq!(client.send(&signed).await, first);

    // After a restart: another process with the journal's copy.
    let journal = serde_json::to_string(&signed).unwrap();
    let signed: SignedCall = serde_json::from_str(&journal).unwrap();
    let later = ChainClient::connect(&node.url()).await.unwrap();
    // Together, and when other transactions of the account have followed.
    done(&later, transfer(TAO), &alice).await;
    let (left, right) = tokio::join!(later.send(&signed), client.send(&signed));
    assert_eq!((&left, &right), (&first, &first));
    let state = client.finalized().await.unwrap();
    assert_eq!(state.nonce(alice.account()).await.unwrap(), nonce + 2);
    node.stop().await;
}

#[tokio::test]
async fn a_call_without_an_answer_is_found_later() {
    // No block comes before the first attempt gives up.
    let genesis = genesis(100_000 * TAO);
    let node = start_at(any_port(), Duration::from_secs(2), genesis).await;
    let deadlines = Deadlines {
        submit: Duration::from_millis(300),
        ..Deadlines::default()
    };
    let hasty = ChainClient::connect_with(&node.url(), deadlines)
        .await
        .unwrap();
    let client = ChainClient::connect(&node.url()).await.unwrap();
    let (alice, bob) = (key("Alice"), key("Bob"));
    let before = client.finalized().await.unwrap();
    let signed = hasty.prepare(transfer(TAO), &alice).await.unwrap();
    let outcome = hasty.send(&signed).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    // The pool has it; being asked again it does not take it twice.
    let Outcome::Finalised { hash, .. } = client.send(&signed).await else {
        panic!("{outcome:?}");
    };
    let state = client.at(hash).await.unwrap();
    let had = before.balance(bob.account()).await.unwrap();
    assert_eq!(state.balance(bob.account()).await.unwrap(), had + TAO);
    assert_eq!(
        state.nonce(alice.account()).await.unwrap(),
        signed.nonce() + 1
    );
    node.stop().await;
}

#[tokio::test]
async fn another_nodes_refusal_decides_nothing_once_one_may_have_it() {
    let slow = Duration::from_secs(1);
    let node = start_at(any_port(), slow, genesis(100_000 * TAO)).await;
    // The same genesis and other blocks: it refuses what was signed for the first.
    let other = start_at(any_port(), slow, genesis(100_000 * TAO)).await;
    let client = ChainClient::connect(&node.url()).await.unwrap();
    client.wait_for_block(1).await.unwrap();
    let hasty = Deadlines {
        submit: Duration::from_millis(200),
        ..Deadlines::default()
    };
    let hasty = ChainClient::connect_with(&node.url(), hasty).await.unwrap();
    let elsewhere = ChainClient::connect_with(&other.url(), impatient())
        .await
        .unwrap();
    let alice = key("Alice");
    let signed = client.prepare(transfer(TAO), &alice).await.unwrap();
    // Never offered to anybody, a refusal is an outcome.
    let outcome = elsewhere.send(&signed).await;
    assert!(matches!(outcome, Outcome::Rejected { .. }), "{outcome:?}");
    let outcome = hasty.send(&signed).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    let outcome = elsewhere.send(&signed).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    // Nor does a journal know how far its writer came.
    let journal = serde_json::to_string(&signed).unwrap();
    let read: SignedCall = serde_json::from_str(&journal).unwrap();
    let outcome = elsewhere.send(&read).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
    let outcome = client.send(&read).await;
    assert!(matches!(outcome, Outcome::Finalised { .. }), "{outcome:?}");
    node.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_call_that_was_never_sent_expires() {
    let (node, client) = start().await;
    let alice = key("Alice");
    let signed = client.prepare(transfer(TAO), &alice).await.unwrap();
    client.wait_for_block(signed.last_block()).await.unwrap();
    let Outcome::Rejected { error } = client.send(&signed).await else {
        panic!("it cannot be in a block");
    };
    assert!(error.starts_with("expired"), "{error}");
    let state = client.finalized().await.unwrap();
    assert_eq!(state.nonce(alice.account()).await.unwrap(), signed.nonce());
    node.stop().await;
}

#[tokio::test]
async fn only_one_call_takes_a_nonce() {
    let (node, client) = start().await;
    let alice = key("Alice");
    let one = client.prepare(transfer(TAO), &alice).await.unwrap();
    let two = client.prepare(transfer(2 * TAO), &alice).await.unwrap();
    assert_eq!(one.nonce(), two.nonce());
    let outcome = client.send(&one).await;
    assert!(matches!(outcome, Outcome::Finalised { .. }), "{outcome:?}");
    let Outcome::Rejected { error } = client.send(&two).await else {
        panic!("the nonce is taken");
    };
    assert!(error.contains("nonce"), "{error}");
    node.stop().await;
}

#[tokio::test]
async fn a_call_for_another_chain_is_not_sent() {
    let (node, client) = start().await;
    let other = start_at(any_port(), Duration::from_millis(20), genesis(9 * TAO)).await;
    let elsewhere = ChainClient::connect(&other.url()).await.unwrap();
    let signed = client.prepare(transfer(TAO), &key("Alice")).await.unwrap();
    let Outcome::Rejected { error } = elsewhere.send(&signed).await else {
        panic!("another chain must not take it");
    };
    assert!(error.contains("signed for the chain"), "{error}");
    node.stop().await;
    other.stop().await;
}
