//! Starting nodes and speaking to them.

use agon_node::{Node, NodeOptions, genesis};
use agon_runtime::{
    AccountId, Balance, Nonce, RuntimeCall, TxExtension, UncheckedExtrinsic, VERSION,
};
use codec::{Decode, Encode};
use jsonrpsee::{
    core::{
        ClientError,
        client::{ClientT, Subscription, SubscriptionClientT},
        traits::ToRpcParams,
    },
    rpc_params,
    types::ErrorObjectOwned,
    ws_client::{WsClient, WsClientBuilder},
};
use serde_json::Value;
use sp_core::{Bytes, H256, Pair, sr25519};
use sp_io::hashing;
use sp_runtime::generic::Era;
use std::{path::Path, time::Duration};

/// A development network on a free port with a block every 20 ms.
pub fn options(database: Option<&Path>) -> NodeOptions {
    NodeOptions {
        database: database.map(Path::to_owned),
        listen: ([127, 0, 0, 1], 0).into(),
        block_time: Duration::from_millis(20).into(),
        genesis: Some(genesis::development(&[])),
        ..NodeOptions::default()
    }
}

/// A node in memory and a connection to it.
pub async fn start() -> (Node, Client) {
    let node = Node::start(options(None)).await.expect("the node starts");
    let client = Client::connect(&node.url()).await;
    (node, client)
}

pub struct Client(WsClient);

impl Client {
    pub async fn connect(url: &str) -> Self {
        let builder = WsClientBuilder::default()
            .max_request_size(64 << 20)
            .max_concurrent_requests(10_000);
        Self(
            builder
                .build(url)
                .await
                .expect("the node takes connections"),
        )
    }

    pub async fn try_ask(
        &self,
        method: &str,
        params: impl ToRpcParams + Send,
    ) -> Result<Value, ClientError> {
        self.0.request(method, params).await
    }

    pub async fn ask(&self, method: &str, params: impl ToRpcParams + Send) -> Value {
        self.try_ask(method, params)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// The error a request ends in.
    pub async fn refused(&self, method: &str, params: impl ToRpcParams + Send) -> ErrorObjectOwned {
        call_error(
            self.try_ask(method, params)
                .await
                .map(|value| value.to_string()),
        )
    }

    pub async fn subscribe(
        &self,
        method: &str,
        stop: &str,
        params: impl ToRpcParams + Send,
    ) -> Subscription<Value> {
        self.0
            .subscribe(method, params, stop)
            .await
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub async fn submit(&self, bytes: &[u8]) -> Result<Value, ErrorObjectOwned> {
        match self
            .try_ask("author_submitExtrinsic", rpc_params![Bytes(bytes.to_vec())])
            .await
        {
            Ok(hash) => Ok(hash),
            other => Err(call_error(other.map(|value| value.to_string()))),
        }
    }

    pub async fn watch(&self, bytes: &[u8]) -> Subscription<Value> {
        let params = rpc_params![Bytes(bytes.to_vec())];
        self.subscribe(
            "author_submitAndWatchExtrinsic",
            "author_unwatchExtrinsic",
            params,
        )
        .await
    }

    /// Submits and waits; the hash of the block that holds the transaction.
    pub async fn finalise(&self, bytes: &[u8]) -> Value {
        let mut updates = self.watch(bytes).await;
        loop {
            let update = next(&mut updates).await;
            if let Some(block) = update.get("finalized") {
                return block.clone();
            }
            assert!(
                update == "ready" || update == "future" || update.get("inBlock").is_some(),
                "{update}"
            );
        }
    }

    pub async fn genesis_hash(&self) -> H256 {
        decode_hash(&self.ask("chain_getBlockHash", rpc_params![0]).await)
    }

    pub async fn height(&self) -> u64 {
        number(&self.ask("chain_getHeader", rpc_params![]).await)
    }

    /// Waits for `count` blocks more.
    pub async fn wait_blocks(&self, count: u64) {
        let target = self.height().await + count;
        let mut heads = self
            .subscribe(
                "chain_subscribeNewHeads",
                "chain_unsubscribeNewHeads",
                rpc_params![],
            )
            .await;
        while number(&next(&mut heads).await) < target {}
    }

    /// An account's free balance after a block, or after the newest.
    pub async fn balance(&self, account: &AccountId, block: Option<&Value>) -> Balance {
        let value = self
            .ask("state_getStorage", rpc_params![account_key(account), block])
            .await;
        let Some(text) = value.as_str() else { return 0 };
        type Account = (Nonce, u32, u32, u32, Balance);
        Account::decode(&mut &unhex(text)[..])
            .expect("an account record")
            .4
    }
}

/// The next notification.
pub async fn next(subscription: &mut Subscription<Value>) -> Value {
    let wait = tokio::time::timeout(Duration::from_secs(60), subscription.next());
    wait.await
        .expect("a notification within a minute")
        .expect("the subscription goes on")
        .expect("JSON")
}

pub fn call_error(result: Result<String, ClientError>) -> ErrorObjectOwned {
    match result {
        Err(ClientError::Call(error)) => error,
        other => panic!("an error answer was expected: {other:?}"),
    }
}

/// The text in an error's `data`.
pub fn data(error: &ErrorObjectOwned) -> String {
    error
        .data()
        .map(|raw| serde_json::from_str(raw.get()).expect("a string"))
        .unwrap_or_default()
}

pub fn number(header: &Value) -> u64 {
    let text = header["number"].as_str().expect("a header");
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a hexadecimal number")
}

pub fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.strip_prefix("0x").expect("0x")).expect("hexadecimal")
}

pub fn decode_hash(value: &Value) -> H256 {
    H256::from_slice(&unhex(value.as_str().expect("a hash")))
}

/// `System.Account`'s storage prefix.
pub fn accounts_prefix() -> Bytes {
    Bytes([hashing::twox_128(b"System"), hashing::twox_128(b"Account")].concat())
}

/// The storage key of one account.
pub fn account_key(account: &AccountId) -> Bytes {
    let bytes: &[u8; 32] = account.as_ref();
    Bytes(
        [
            &accounts_prefix()[..],
            &hashing::blake2_128(bytes)[..],
            &bytes[..],
        ]
        .concat(),
    )
}

/// A transaction in the making.
pub struct Unsigned {
    pub call: RuntimeCall,
    pub nonce: Nonce,
    pub era: Era,
    /// The hash of the era's first block; the genesis hash when immortal.
    pub birth: H256,
    pub genesis: H256,
}

impl Unsigned {
    pub fn sign(self, pair: &sr25519::Pair) -> Vec<u8> {
        let extension: TxExtension = (
            frame_system::CheckNonZeroSender::new(),
            frame_system::CheckSpecVersion::new(),
            frame_system::CheckTxVersion::new(),
            frame_system::CheckGenesis::new(),
            agon_runtime::shield::CheckMortality(self.era),
            frame_system::CheckNonce::from(self.nonce),
            frame_system::CheckWeight::new(),
            pallet_transaction_payment::ChargeTransactionPayment::from(0),
            agon_runtime::admission::SudoTransactionExtension,
            agon_runtime::shield::CheckShieldedTxValidity,
            agon_runtime::admission::SubtensorTransactionExtension,
            frame_metadata_hash_extension::CheckMetadataHash::new(false),
        );
        let additional = (
            VERSION.spec_version,
            VERSION.transaction_version,
            self.genesis,
            self.birth,
            None::<[u8; 32]>,
        );
        let mut payload = (&self.call, &extension, additional).encode();
        if payload.len() > 256 {
            payload = hashing::blake2_256(&payload).to_vec();
        }
        let signature = pair.sign(&payload).into();
        UncheckedExtrinsic::new_signed(
            self.call,
            AccountId::from(pair.public()).into(),
            signature,
            extension,
        )
        .encode()
    }
}

/// An immortal transaction.
pub fn signed(call: RuntimeCall, from: &str, nonce: Nonce, genesis: H256) -> Vec<u8> {
    let unsigned = Unsigned {
        call,
        nonce,
        era: Era::Immortal,
        birth: genesis,
        genesis,
    };
    unsigned.sign(&genesis::development_pair(from))
}

pub fn transfer(to: &AccountId, value: Balance) -> RuntimeCall {
    RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
        dest: to.clone().into(),
        value,
    })
}

pub fn remark(byte: u8) -> RuntimeCall {
    RuntimeCall::System(frame_system::Call::remark { remark: vec![byte] })
}

pub fn account(name: &str) -> AccountId {
    genesis::development_account(name)
}
