//! Submission, order, refusal and fate of transactions.

use crate::client::{
    Unsigned, account, data, decode_hash, next, remark, signed, start, transfer, unhex,
};
use agon_node::genesis::{TAO, development_pair};
use jsonrpsee::rpc_params;
use serde_json::json;
use sp_io::hashing::blake2_256;
use sp_runtime::generic::Era;

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_finalised_and_moves_the_balance() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let (alice, dave) = (account("Alice"), account("Dave"));
    assert_eq!(client.balance(&alice, None).await, 1_000_000 * TAO);
    assert_eq!(client.balance(&dave, None).await, 2_000 * TAO);

    let bytes = signed(transfer(&dave, 5 * TAO), "Alice", 0, genesis);
    let mut updates = client.watch(&bytes).await;
    assert_eq!(next(&mut updates).await, "ready");
    let included = next(&mut updates).await;
    let block = included["inBlock"].clone();
    assert_eq!(next(&mut updates).await, json!({ "finalized": block }));

    assert_eq!(client.balance(&dave, None).await, 2_005 * TAO);
    let left = client.balance(&alice, None).await;
    assert!(
        left < 999_995 * TAO && left > 999_994 * TAO,
        "the sender pays a small fee: {left}"
    );
    assert_eq!(
        client
            .ask("account_nextIndex", rpc_params![alice.to_string()])
            .await,
        1
    );

    // The block holds the bytes that were sent, after the inherents: the time and, now and then, the beacon's pulses.
    let block = client.ask("chain_getBlock", rpc_params![block]).await;
    let extrinsics = block["block"]["extrinsics"]
        .as_array()
        .expect("a list")
        .clone();
    assert!(matches!(extrinsics.len(), 2 | 3));
    let last = extrinsics.last().and_then(|bytes| bytes.as_str());
    assert_eq!(unhex(last.expect("hexadecimal")), bytes);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_gap_holds_back_only_what_is_behind_it() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let eve = account("Eve");
    let mut late = client
        .watch(&signed(transfer(&eve, TAO), "Alice", 1, genesis))
        .await;
    assert_eq!(next(&mut late).await, "future");
    client
        .finalise(&signed(transfer(&eve, TAO), "Bob", 0, genesis))
        .await;
    assert_eq!(client.balance(&eve, None).await, 2_001 * TAO);
    let alice = account("Alice").to_string();
    assert_eq!(
        client
            .ask("system_accountNextIndex", rpc_params![&alice])
            .await,
        0
    );

    client
        .finalise(&signed(transfer(&eve, TAO), "Alice", 0, genesis))
        .await;
    assert!(next(&mut late).await.get("inBlock").is_some());
    assert_eq!(client.balance(&eve, None).await, 2_003 * TAO);
    assert_eq!(
        client
            .ask("system_accountNextIndex", rpc_params![&alice])
            .await,
        2
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_or_the_same_nonce_are_refused_while_they_wait() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let first = signed(remark(1), "Alice", 3, genesis);
    let hash = client.submit(&first).await.expect("the pool takes it");
    assert_eq!(decode_hash(&hash).0, blake2_256(&first));

    let again = client.submit(&first).await.expect_err("the same bytes");
    assert_eq!(
        (again.code(), again.message()),
        (1013, "Transaction Already Imported")
    );
    assert_eq!(data(&again), hash.as_str().expect("a hash"));
    let other = client
        .submit(&signed(remark(2), "Alice", 3, genesis))
        .await
        .expect_err("the same nonce");
    assert_eq!(
        (other.code(), other.message()),
        (1014, "Priority is too low")
    );

    assert_eq!(
        client.ask("author_pendingExtrinsics", rpc_params![]).await,
        json!([sp_core::Bytes(first)])
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_runtime_refuses_is_refused_with_its_reason() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let refused = async |bytes: &[u8]| {
        let error = client.submit(bytes).await.expect_err("invalid");
        assert_eq!(
            (error.code(), error.message()),
            (1010, "Invalid Transaction")
        );
        data(&error)
    };

    let mut forged = signed(remark(0), "Alice", 0, genesis);
    let middle = 60; // inside the signature
    forged[middle] ^= 1;
    assert_eq!(refused(&forged).await, "Transaction has a bad signature");

    let foreign = signed(remark(0), "Alice", 0, sp_core::H256::repeat_byte(7));
    assert_eq!(refused(&foreign).await, "Transaction has a bad signature");

    client
        .finalise(&signed(remark(0), "Alice", 0, genesis))
        .await;
    assert_eq!(
        refused(&signed(remark(9), "Alice", 0, genesis)).await,
        "Transaction is outdated"
    );

    let pauper = signed(remark(0), "Nobody", 0, genesis);
    assert_eq!(
        refused(&pauper).await,
        "Inability to pay some fees (e.g. account balance too low)"
    );

    // An era that ended: the hash signed for is not that of the present era's first block, which the next block
    // may be itself.
    client.wait_blocks(6).await;
    let birth = decode_hash(&client.ask("chain_getBlockHash", rpc_params![1]).await);
    let old = Unsigned {
        call: remark(0),
        nonce: 1,
        era: Era::mortal(4, 1),
        birth,
        genesis,
    };
    let reason = refused(&old.sign(&development_pair("Alice"))).await;
    let known = [
        "Transaction has a bad signature",
        "Transaction has an ancient birth block",
    ];
    assert!(known.contains(&reason.as_str()), "{reason}");
    // An era that has not begun.
    let early = Unsigned {
        call: remark(0),
        nonce: 1,
        era: Era::mortal(65_536, 60_000),
        birth,
        genesis,
    };
    assert_eq!(
        refused(&early.sign(&development_pair("Alice"))).await,
        "Transaction has an ancient birth block"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mortal_transaction_behind_a_gap_is_dropped_when_its_era_ends() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let head = client.ask("chain_getHeader", rpc_params![]).await;
    let born = crate::client::number(&head);
    let birth = decode_hash(&client.ask("chain_getBlockHash", rpc_params![born]).await);
    let unsigned = Unsigned {
        call: remark(0),
        nonce: 1,
        era: Era::mortal(32, born),
        birth,
        genesis,
    };
    let mut updates = client
        .watch(&unsigned.sign(&development_pair("Alice")))
        .await;
    assert_eq!(next(&mut updates).await, "future");
    assert_eq!(next(&mut updates).await, "invalid");
    assert_eq!(
        client.ask("author_pendingExtrinsics", rpc_params![]).await,
        json!([])
    );
    assert!(client.height().await >= born + 31);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_dispatch_stands_in_a_block_and_costs_its_fee() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let dave = account("Dave");
    client
        .finalise(&signed(
            transfer(&account("Eve"), 3_000 * TAO),
            "Dave",
            0,
            genesis,
        ))
        .await;
    let left = client.balance(&dave, None).await;
    assert!(left < 2_000 * TAO && left > 1_999 * TAO, "{left}");
    assert_eq!(client.balance(&account("Eve"), None).await, 2_000 * TAO);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_from_one_account_keeps_its_order() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let count = 24;
    // Sent backwards: every transaction but the last is behind a gap when it arrives.
    for nonce in (1..count).rev() {
        client
            .submit(&signed(remark(nonce as u8), "Bob", nonce, genesis))
            .await
            .expect("the pool takes it");
    }
    client.finalise(&signed(remark(0), "Bob", 0, genesis)).await;
    let bob = account("Bob").to_string();
    while client.ask("author_pendingExtrinsics", rpc_params![]).await != json!([]) {
        client.wait_blocks(1).await;
    }
    assert_eq!(
        client
            .ask("system_accountNextIndex", rpc_params![bob])
            .await,
        count
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_info_states_weight_class_and_fee() {
    let (node, client) = start().await;
    let bytes = signed(
        transfer(&account("Eve"), TAO),
        "Alice",
        0,
        client.genesis_hash().await,
    );
    let info = client
        .ask(
            "payment_queryInfo",
            rpc_params![sp_core::Bytes(bytes.clone())],
        )
        .await;
    assert_eq!(info["class"], "normal");
    let fee: u64 = info["partialFee"]
        .as_str()
        .expect("a number in a string")
        .parse()
        .expect("a number");
    assert!(fee >= bytes.len() as u64, "a rao a byte at least: {fee}");
    node.stop().await;
}
