//! Transactions that come in encrypted: opened by the author, bounded and judged as any other.

use crate::client::{
    Client, Unsigned, account, data, decode_hash, number, options, remark, signed, transfer, unhex,
};
use agon_node::{
    BlockTime, Node, NodeOptions,
    genesis::{TAO, development_pair},
};
use agon_runtime::{RuntimeCall, UncheckedExtrinsic, shield};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use codec::{Decode, Encode};
use jsonrpsee::rpc_params;
use ml_kem::{EncapsulationKey768, kem::Encapsulate};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use sp_core::{Bytes, H256};
use sp_io::hashing::twox_128;
use sp_runtime::{BoundedVec, generic::Era};

/// A development chain, a client, and what a client must know to shield.
struct Shield {
    node: Node,
    client: Client,
    genesis: H256,
    key: Vec<u8>,
}

impl Shield {
    async fn start() -> Self {
        // Blocks that come by themselves could be faster than a client in an era of eight.
        let options = NodeOptions {
            block_time: BlockTime::Instant,
            ..options(None)
        };
        let node = Node::start(options).await.expect("the node starts");
        let client = Client::connect(&node.url()).await;
        let genesis = client.genesis_hash().await;
        let place = [twox_128(b"MevShield"), twox_128(b"NextKey")].concat();
        let key = client
            .ask("state_getStorage", rpc_params![Bytes(place)])
            .await;
        let key = unhex(key.as_str().expect("a new chain has a key"));
        Self {
            node,
            genesis,
            key: Vec::decode(&mut &key[..]).expect("bytes"),
            client,
        }
    }

    /// Encrypts as the public clients do.
    fn encrypt(&self, text: &[u8]) -> Vec<u8> {
        let key = self.key[..].try_into().expect("a key's length");
        let key = EncapsulationKey768::new(key).expect("a key");
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let (encapsulated, secret) = key.encapsulate_with_rng(&mut random);
        let nonce = [9; 24];
        let sealed = XChaCha20Poly1305::new_from_slice(&secret)
            .expect("32 bytes")
            .encrypt(XNonce::from_slice(&nonce), text)
            .expect("it is short");
        let length = (encapsulated.len() as u16).to_le_bytes();
        let hash = twox_128(&self.key);
        [&hash[..], &length, &encapsulated, &nonce, &sealed].concat()
    }

    /// A transaction that brings a cipher text, valid for so many blocks.
    async fn outer_for(&self, period: u64, from: &str, nonce: u32, ciphertext: Vec<u8>) -> Vec<u8> {
        let head = number(&self.client.ask("chain_getHeader", rpc_params![]).await);
        let era = Era::mortal(period, head);
        let birth = rpc_params![era.birth(head)];
        let ciphertext = BoundedVec::try_from(ciphertext).expect("it is short");
        let unsigned = Unsigned {
            call: RuntimeCall::MevShield(shield::Call::submit_encrypted { ciphertext }),
            nonce,
            era,
            birth: decode_hash(&self.client.ask("chain_getBlockHash", birth).await),
            genesis: self.genesis,
        };
        unsigned.sign(&development_pair(from))
    }

    async fn outer(&self, from: &str, nonce: u32, ciphertext: Vec<u8>) -> Vec<u8> {
        self.outer_for(8, from, nonce, ciphertext).await
    }

    fn inner(&self, call: RuntimeCall, from: &str, nonce: u32) -> Vec<u8> {
        signed(call, from, nonce, self.genesis)
    }

    /// What stands in the block of `outer` from it on.
    async fn block_from(&self, outer: &[u8]) -> Vec<Vec<u8>> {
        let block = self.client.finalise(outer).await;
        let block = self.client.ask("chain_getBlock", rpc_params![block]).await;
        let extrinsics = block["block"]["extrinsics"].as_array().expect("a list");
        extrinsics
            .iter()
            .map(|bytes| unhex(bytes.as_str().expect("hexadecimal")))
            .skip_while(|bytes| bytes != outer)
            .collect()
    }

    async fn next_nonce(&self, name: &str) -> serde_json::Value {
        let address = account(name).to_string();
        self.client
            .ask("account_nextIndex", rpc_params![address])
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shielded_follows_in_the_same_block() {
    let shield = Shield::start().await;
    let dave = account("Dave");
    let inner = shield.inner(transfer(&dave, 5 * TAO), "Alice", 1);
    let outer = shield.outer("Alice", 0, shield.encrypt(&inner)).await;
    assert_eq!(shield.block_from(&outer).await, [outer.clone(), inner]);
    assert_eq!(shield.client.balance(&dave, None).await, 2_005 * TAO);
    assert_eq!(shield.next_nonce("Alice").await, 2);

    // Another account may carry it, and what fails inside stands in the block as it would openly.
    let inner = shield.inner(transfer(&dave, 2_000_000 * TAO), "Bob", 0);
    let outer = shield.outer("Alice", 2, shield.encrypt(&inner)).await;
    assert_eq!(shield.block_from(&outer).await, [outer.clone(), inner]);
    assert_eq!(shield.client.balance(&dave, None).await, 2_005 * TAO);
    assert_eq!(shield.next_nonce("Alice").await, 3);
    assert_eq!(shield.next_nonce("Bob").await, 1);
    shield.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_with_the_nonce_of_a_shielded_one_gives_way() {
    let shield = Shield::start().await;
    let open = shield.inner(remark(1), "Alice", 1);
    let mut updates = shield.client.watch(&open).await;
    assert_eq!(crate::client::next(&mut updates).await, "future");
    let inner = shield.inner(remark(2), "Alice", 1);
    let outer = shield.outer("Alice", 0, shield.encrypt(&inner)).await;
    assert_eq!(shield.block_from(&outer).await, [outer.clone(), inner]);
    assert_eq!(crate::client::next(&mut updates).await, "invalid");
    assert_eq!(shield.next_nonce("Alice").await, 2);
    shield
        .client
        .finalise(&shield.inner(remark(3), "Alice", 2))
        .await;
    shield.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_stand_in_a_block_is_left_out() {
    let shield = Shield::start().await;
    let call = || transfer(&account("Dave"), TAO);
    let mut forged = shield.inner(call(), "Bob", 0);
    forged[60] ^= 1; // inside the signature
    let mut long = shield.inner(call(), "Bob", 0);
    long.push(0);
    let time = RuntimeCall::Timestamp(pallet_timestamp::Call::set { now: 1 });
    let inherent = UncheckedExtrinsic::new_bare(time).encode();
    let mut changed = shield.encrypt(&shield.inner(call(), "Bob", 0));
    changed[100] ^= 1; // inside the encapsulated secret
    let mut cut = shield.encrypt(&shield.inner(call(), "Bob", 0));
    cut.pop();
    let hostile = [
        shield.encrypt(&shield.inner(call(), "Bob", 1)), // a nonce that is not due
        shield.encrypt(&shield.inner(call(), "Nobody", 0)), // nobody pays
        shield.encrypt(&signed(call(), "Bob", 0, H256::repeat_byte(7))),
        shield.encrypt(&forged),
        shield.encrypt(&long),
        shield.encrypt(&inherent),
        shield.encrypt(&[0]),
        shield.encrypt(&[0xff; 4096]),
        changed,
        cut,
    ];
    for (nonce, ciphertext) in (0..).zip(hostile) {
        let outer = shield.outer("Alice", nonce, ciphertext).await;
        let block = shield.block_from(&outer).await;
        assert_eq!(block, std::slice::from_ref(&outer), "{nonce}");
        assert_eq!(shield.next_nonce("Alice").await, nonce + 1);
    }
    assert_eq!(shield.next_nonce("Bob").await, 0);
    assert_eq!(
        shield.client.balance(&account("Dave"), None).await,
        2_000 * TAO
    );
    shield.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_layer_is_opened() {
    let shield = Shield::start().await;
    let innermost = shield.inner(remark(1), "Alice", 2);
    let middle = shield.outer("Alice", 1, shield.encrypt(&innermost)).await;
    let outer = shield.outer("Alice", 0, shield.encrypt(&middle)).await;
    assert_eq!(shield.block_from(&outer).await, [outer.clone(), middle]);
    assert_eq!(shield.next_nonce("Alice").await, 2);
    shield.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_refused_at_once() {
    let shield = Shield::start().await;
    let right = shield.encrypt(&shield.inner(remark(1), "Alice", 1));
    let refused = async |outer: Vec<u8>| {
        let error = shield.client.submit(&outer).await.expect_err("invalid");
        assert_eq!(error.code(), 1010);
        data(&error)
    };
    let mut other_key = right.clone();
    other_key[0] ^= 1;
    for (ciphertext, reason) in [
        (Vec::new(), "Custom error: 23"),
        (right[..1_000].to_vec(), "Custom error: 23"),
        (other_key, "Custom error: 24"),
    ] {
        let outer = shield.outer("Alice", 0, ciphertext).await;
        assert_eq!(refused(outer).await, reason);
    }
    let outer = shield.outer_for(16, "Alice", 0, right.clone()).await;
    assert_eq!(refused(outer).await, "Transaction is outdated");
    let outer = shield.outer("Alice", 0, right).await;
    assert_eq!(shield.block_from(&outer).await.len(), 2);
    shield.node.stop().await;
}
