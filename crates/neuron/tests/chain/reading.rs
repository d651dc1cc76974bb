use agon_neuron::{Call, H256, ReadError};

use crate::world::*;

#[tokio::test]
async fn blocks_are_found_by_number_and_by_hash() {
    let (node, client) = start().await;
    let state = client.wait_for_block(3).await.unwrap();
    assert!(state.number() >= 3);
    assert_eq!(
        state.block_hash(0).await.unwrap(),
        Some(client.genesis_hash())
    );
    assert_eq!(
        state.block_hash(state.number()).await.unwrap(),
        Some(state.hash())
    );
    assert_eq!(state.block_hash(state.number() + 1).await.unwrap(), None);
    let two = client
        .block_hash(2)
        .await
        .unwrap()
        .expect("block 2 is final");
    assert_eq!(client.at(two).await.unwrap().number(), 2);
    assert_eq!(client.block_hash(u64::MAX).await.unwrap(), None);
    let error = client.at(H256([7; 32])).await.unwrap_err();
    assert!(matches!(error, ReadError::NoSuchBlock { .. }), "{error:?}");
    // A block that is final already is not waited for.
    client.wait_for_block(1).await.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn absent_things_have_defaults_and_do_not_fail() {
    let (node, client) = start().await;
    let state = client.finalized().await.unwrap();
    let nobody = key("Nobody").account();
    assert_eq!(state.balance(nobody).await.unwrap(), 0);
    assert_eq!(state.nonce(nobody).await.unwrap(), 0);
    assert!(!state.subnet_exists(999).await.unwrap());
    assert_eq!(state.uid(999, nobody).await.unwrap(), None);
    assert_eq!(state.stake(999, nobody).await.unwrap(), 0);
    assert!(state.weights(999).await.unwrap().is_empty());
    assert!(state.metagraph(999).await.unwrap().is_empty());
    assert!(state.commitments(999).await.unwrap().is_empty());
    node.stop().await;
}

/// Validators run their loops as tasks, which may move between threads.
#[tokio::test]
async fn everything_can_run_in_a_task() {
    fn sendable<T: Send>(_: T) {}
    let (node, client) = start().await;
    let state = client.finalized().await.unwrap();
    let alice = key("Alice");
    let call = || Call::start_call(1);
    let signed = client.prepare(call(), &alice).await.unwrap();
    sendable(state.metagraph(1));
    sendable(state.commitments(1));
    sendable(client.prepare(call(), &alice));
    sendable(client.send(&signed));
    sendable(client.submit(call(), &alice));
    node.stop().await;
}
