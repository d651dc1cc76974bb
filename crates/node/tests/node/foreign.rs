//! Clients we did not write.

use crate::client::{Client, account, options};
use agon_node::{
    BlockTime, Node,
    genesis::{TAO, development_pair},
};
use sp_core::{Pair, sr25519};
use subxt::{
    OnlineClient, PolkadotConfig,
    dynamic::{self, Value},
    utils::{AccountId32, MultiSignature},
};

struct Signer(sr25519::Pair);

impl subxt::tx::Signer<PolkadotConfig> for Signer {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.public().0)
    }
    fn sign(&self, payload: &[u8]) -> MultiSignature {
        MultiSignature::Sr25519(self.0.sign(payload).0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subxt_reads_submits_and_watches() {
    // Its transactions live for 32 blocks, which must not pass while a busy machine signs one.
    let mut options = options(None);
    options.block_time = BlockTime::Instant;
    let node = Node::start(options).await.expect("the node starts");
    let client = Client::connect(&node.url()).await;
    let api = OnlineClient::<PolkadotConfig>::from_insecure_url(node.url())
        .await
        .expect("subxt connects");
    let at = api.at_current_block().await.expect("a block");
    let eve: [u8; 32] = account("Eve").into();
    let destination = Value::unnamed_variant("Id", [Value::from_bytes(eve)]);
    let call = dynamic::tx(
        "Balances",
        "transfer_keep_alive",
        vec![destination, Value::u128(u128::from(TAO))],
    );
    let signer = Signer(development_pair("Alice"));
    let progress = at
        .transactions()
        .sign_and_submit_then_watch_default(&call, &signer)
        .await
        .expect("it is taken");
    let events = progress
        .wait_for_finalized_success()
        .await
        .expect("it is finalised and succeeds");
    let names: Vec<String> = events
        .iter()
        .map(|event| event.expect("it decodes").event_name().to_owned())
        .collect();
    assert!(names.iter().any(|name| name == "Transfer"), "{names:?}");

    let at = api.at_current_block().await.expect("a block");
    let address = dynamic::storage::<([u8; 32],), Value>("System", "Account");
    let record = at
        .storage()
        .fetch(address, (eve,))
        .await
        .expect("Eve exists")
        .decode()
        .expect("it decodes");
    assert!(
        record.to_string().contains(&(2_001 * TAO).to_string()),
        "{record}"
    );
    assert_eq!(client.balance(&account("Eve"), None).await, 2_001 * TAO);
    node.stop().await;
}
