//! What is on the disk survives, and what does not belong there is refused.

use crate::client::{Client, account, options, signed, transfer};
use agon_node::{
    ContinueError, Node, OpenError, StartError,
    genesis::{TAO, development},
};
use jsonrpsee::rpc_params;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::json;
use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

// The layout on the disk, written down a second time: a change to it is a new schema version.
const META: TableDefinition<&str, u32> = TableDefinition::new("meta");
const HEADERS: TableDefinition<u32, &[u8]> = TableDefinition::new("headers");
const BODIES: TableDefinition<u32, &[u8]> = TableDefinition::new("bodies");

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("chain").join("chain.redb");
    (home, path)
}

async fn start_on(path: &Path) -> (Node, Client) {
    let node = Node::start(options(Some(path)))
        .await
        .expect("the node starts");
    let client = Client::connect(&node.url()).await;
    (node, client)
}

async fn refused(path: &Path) -> StartError {
    match Node::start(options(Some(path))).await {
        Ok(_) => panic!("the node started"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_chain_goes_on_where_it_stood() {
    let (_home, path) = home();
    let (node, client) = start_on(&path).await;
    let genesis = client.genesis_hash().await;
    let first = client
        .finalise(&signed(transfer(&account("Eve"), TAO), "Alice", 0, genesis))
        .await;
    node.stop().await;

    let head = stored_head(&path);
    let (node, client) = start_on(&path).await;
    assert_eq!(client.genesis_hash().await, genesis);
    assert!(client.height().await >= u64::from(head));
    assert_eq!(
        client.balance(&account("Eve"), Some(&first)).await,
        2_001 * TAO
    );
    assert_eq!(client.balance(&account("Eve"), None).await, 2_001 * TAO);
    client
        .finalise(&signed(transfer(&account("Eve"), TAO), "Alice", 1, genesis))
        .await;
    assert_eq!(client.balance(&account("Eve"), None).await, 2_002 * TAO);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_does_not_need_the_history() {
    let (_home, path) = home();
    let (node, client) = start_on(&path).await;
    let genesis = client.genesis_hash().await;
    client
        .finalise(&signed(transfer(&account("Eve"), TAO), "Alice", 0, genesis))
        .await;
    client.wait_blocks(10).await;
    node.stop().await;

    // Whoever read the blocks in between at start would now stumble.
    let head = stored_head(&path);
    let database = Database::open(&path).expect("the file is free again");
    let write = database.begin_write().expect("a transaction");
    for number in 1..head {
        write
            .open_table(HEADERS)
            .expect("headers")
            .insert(number, &b"not a header"[..])
            .expect("a row");
        write
            .open_table(BODIES)
            .expect("bodies")
            .remove(number)
            .expect("a row");
    }
    write.commit().expect("a commit");
    drop(database);

    let (node, client) = start_on(&path).await;
    assert_eq!(client.balance(&account("Eve"), None).await, 2_001 * TAO);
    client
        .finalise(&signed(transfer(&account("Eve"), TAO), "Alice", 1, genesis))
        .await;
    // The damage is told to those who ask for it.
    let error = client.refused("chain_getBlockHash", rpc_params![1]).await;
    assert_eq!(
        error.message(),
        "Client error: the chain database is damaged: the header of block 1 cannot be decoded"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_the_same_file_is_refused() {
    let (_home, path) = home();
    let (node, _client) = start_on(&path).await;
    let error = refused(&path).await;
    assert!(
        matches!(error, StartError::Open(OpenError::Locked { .. })),
        "{error}"
    );
    assert!(
        error.to_string().contains("another node is running"),
        "{error}"
    );
    node.stop().await;
    let (node, _client) = start_on(&path).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let (node, client) = crate::client::start().await;
    let mut second = options(None);
    second.listen = node.local_address();
    match Node::start(second).await {
        Err(StartError::AddressInUse { address }) => assert_eq!(address, node.local_address()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two nodes share a port"),
    }
    client.wait_blocks(1).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused() {
    let (_home, path) = home();
    start_on(&path).await.0.stop().await;
    let database = Database::open(&path).expect("the file is free again");
    let write = database.begin_write().expect("a transaction");
    write
        .open_table(META)
        .expect("meta")
        .insert("schema", 3)
        .expect("a row");
    write.commit().expect("a commit");
    drop(database);
    let error = refused(&path).await;
    assert!(
        matches!(
            error,
            StartError::Open(OpenError::NewerSchema { found: 3, .. })
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("written by a newer version"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_files_are_refused_and_left_alone() {
    let (_home, path) = home();
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(&path, "not a database, but somebody's diary").expect("a file");
    let error = refused(&path).await;
    assert!(
        matches!(error, StartError::Open(OpenError::Database { .. })),
        "{error}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("the file"),
        "not a database, but somebody's diary"
    );

    std::fs::remove_file(&path).expect("removed");
    let database = Database::create(&path).expect("a database");
    let write = database.begin_write().expect("a transaction");
    write
        .open_table(TableDefinition::<u32, u32>::new("recipes"))
        .expect("a table");
    write.commit().expect("a commit");
    drop(database);
    let error = refused(&path).await;
    assert!(
        matches!(error, StartError::Open(OpenError::NotAChain { .. })),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_genesis_is_refused() {
    let (_home, path) = home();
    start_on(&path).await.0.stop().await;
    let mut other = options(Some(&path));
    other.genesis = Some(development(&[(account("Guest"), TAO)]));
    let Err(error) = Node::start(other).await else {
        panic!("the node started")
    };
    assert!(
        matches!(
            error,
            StartError::Continue(ContinueError::OtherGenesis { .. })
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("belongs to another chain"),
        "{error}"
    );
    // The refusal has changed nothing.
    start_on(&path).await.0.stop().await;

    // The inputs are compared, so their order does not matter, and without any the chain goes on.
    let mut same = options(Some(&path));
    same.genesis.as_mut().expect("a genesis").endowed.reverse();
    Node::start(same)
        .await
        .expect("the same chain")
        .stop()
        .await;
    let mut any = options(Some(&path));
    any.genesis = None;
    Node::start(any)
        .await
        .expect("whatever is there")
        .stop()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_whose_runtime_made_another_first_state_goes_on() {
    let (_home, path) = home();
    let (node, client) = start_on(&path).await;
    client.wait_blocks(2).await;
    node.stop().await;
    // As an older runtime would have left it: another genesis block, begun from the same inputs.
    let database = Database::open(&path).expect("the file is free again");
    let write = database.begin_write().expect("a transaction");
    {
        let mut headers = write.open_table(HEADERS).expect("headers");
        let mut first = headers
            .get(0)
            .expect("a read")
            .expect("a row")
            .value()
            .to_vec();
        first[40] ^= 1; // inside the state root
        headers.insert(0, &first[..]).expect("a row");
    }
    write.commit().expect("a commit");
    drop(database);
    let (node, client) = start_on(&path).await;
    client.wait_blocks(1).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_refused() {
    let (_home, path) = home();
    start_on(&path).await.0.stop().await;
    let database = Database::open(&path).expect("the file is free again");
    let write = database.begin_write().expect("a transaction");
    let mut meta = write.open_table(META).expect("meta");
    meta.insert("schema", 1).expect("a row");
    drop(meta);
    write.commit().expect("a commit");
    drop(database);
    let error = refused(&path).await;
    assert!(
        error.to_string().contains("written by an older version"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_not_whole_replaces_nothing() {
    use agon_node::snapshot::{self, SnapshotError};
    let (home, path) = home();
    let (node, client) = start_on(&path).await;
    client.wait_blocks(5).await;
    node.stop().await;
    let copy = home.path().join("copy.redb");
    let taken = snapshot::take(&path, &copy).expect("a whole chain");
    assert_eq!(taken.number, stored_head(&path));
    assert!(matches!(
        snapshot::take(&path, &copy),
        Err(SnapshotError::Exists(_))
    ));
    assert!(matches!(
        snapshot::restore(&copy, &path, false),
        Err(SnapshotError::Exists(_))
    ));

    let database = Database::open(&copy).expect("the copy");
    let write = database.begin_write().expect("a transaction");
    write
        .open_table(HEADERS)
        .expect("headers")
        .remove(2)
        .expect("a row");
    write.commit().expect("a commit");
    drop(database);
    let before = std::fs::read(&path).expect("the chain");
    let error = snapshot::restore(&copy, &path, true).expect_err("block 2 is missing");
    assert!(error.to_string().contains("block 2 is missing"), "{error}");
    std::fs::write(&copy, "not a database").expect("a file");
    assert!(snapshot::restore(&copy, &path, true).is_err());
    assert!(std::fs::read(&path).expect("the chain").len() == before.len());
    let mut directory = std::fs::read_dir(path.parent().expect("a parent")).expect("a directory");
    assert!(!directory.any(|entry| {
        entry
            .expect("an entry")
            .path()
            .to_string_lossy()
            .ends_with("unfinished")
    }));

    let (node, client) = start_on(&path).await;
    client.wait_blocks(1).await;
    let running = snapshot::restore(&path, &path, true).expect_err("a node runs on it");
    assert!(
        matches!(running, SnapshotError::Open(OpenError::Locked { .. })),
        "{running}"
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_genesis_is_refused() {
    let mut options = options(None);
    options.genesis = Some(development(&[(account("Guest"), 1)]));
    let Err(error) = Node::start(options).await else {
        panic!("the node started")
    };
    assert!(
        matches!(error, StartError::Continue(ContinueError::Begin(_))),
        "{error}"
    );
}

/// Set in children of this test program: the database they seal blocks on.
const CHILD: &str = "AGON_NODE_TEST_DATABASE";

/// Runs one test of this program as a child that seals blocks on `path`, through `wrapper` (a shell command line that
/// ends in executing its arguments).
fn spawn_child(test: &str, path: &Path, wrapper: &str) -> Reaped {
    let child = Command::new("sh")
        .args(["-c", wrapper, "sh"])
        .arg(env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    Reaped(child)
}

/// A child's part: pays Eve for ever and prints, for each payment that was finalised, its block and what she owns.
async fn pay_and_tell(path: PathBuf) {
    let (_node, client) = start_on(&path).await;
    let genesis = client.genesis_hash().await;
    let alice = account("Alice").to_string();
    loop {
        let nonce = client.ask("account_nextIndex", rpc_params![&alice]).await;
        let nonce = nonce.as_u64().expect("a nonce") as u32;
        let block = client
            .finalise(&signed(
                transfer(&account("Eve"), TAO),
                "Alice",
                nonce,
                genesis,
            ))
            .await;
        let owns = client.balance(&account("Eve"), Some(&block)).await;
        println!("paid-in {} {owns}", block.as_str().expect("a hash"));
    }
}

/// A child's part: seals as fast as it can until it cannot, and prints why.
async fn seal_and_tell(path: PathBuf) {
    let mut options = options(Some(&path));
    options.block_time = Duration::from_millis(1).into();
    let node = Node::start(options).await.expect("the node starts");
    println!("gave-up {}", node.failed().await);
    node.stop().await;
}

/// A child that is gone when its parent's test ends, however it ends.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both err when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a child that begin with `word`, without it.
fn told<'a>(child: &'a mut Reaped, word: &'a str) -> impl Iterator<Item = String> + 'a {
    let output = BufReader::new(child.0.stdout.take().expect("a pipe"));
    let lines = output.lines().map_while(Result::ok);
    lines.filter_map(move |line| Some(line.split_once(word)?.1.trim().to_owned()))
}

fn stored_head(path: &Path) -> u32 {
    let database = Database::open(path).expect("the file is free again");
    let read = database.begin_read().expect("a transaction");
    let meta = read.open_table(META).expect("meta");
    meta.get("head").expect("a read").expect("a head").value()
}

async fn kill_repeatedly(test: &str, kills: u32) {
    let (_home, path) = home();
    let mut before = 2_000 * TAO;
    for round in 0..kills {
        let mut child = spawn_child(test, &path, "exec \"$@\"");
        let last = told(&mut child, "paid-in")
            .take(3)
            .last()
            .expect("the child pays");
        // Killed at another moment of a block each time, while it still seals.
        std::thread::sleep(Duration::from_millis(u64::from(round * 7 % 23)));
        drop(child);
        let (block, owned) = last.split_once(' ').expect("a block and a balance");
        let (block, owned): (_, u64) = (json!(block), owned.parse().expect("a balance"));
        assert!(owned > before, "the chain went on: {owned} after {before}");

        let (node, client) = start_on(&path).await;
        assert!(
            client
                .ask("chain_getHeader", rpc_params![&block])
                .await
                .is_object(),
            "{block} was final and is lost"
        );
        assert_eq!(client.balance(&account("Eve"), Some(&block)).await, owned);
        before = client.balance(&account("Eve"), None).await;
        assert!(before >= owned, "a payment is lost: {before} of {owned}");
        node.stop().await;
    }
}

const QUICK_KILLS: &str = "durability::a_killed_node_loses_no_finalised_block";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_no_finalised_block() {
    match env::var_os(CHILD) {
        Some(path) => pay_and_tell(path.into()).await,
        None => kill_repeatedly(QUICK_KILLS, 3).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: kills a node 40 times"]
async fn a_node_killed_many_times_loses_no_finalised_block() {
    // The children run the quick test: an ignored one would not run there.
    kill_repeatedly(QUICK_KILLS, 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_node_with_its_reason() {
    if let Some(path) = env::var_os(CHILD) {
        return seal_and_tell(path.into()).await;
    }
    let (_home, path) = home();
    // A limit on the file's size, in blocks of 512 or 1,024 bytes, stands in for a full disk.
    let limited = "trap '' XFSZ; ulimit -f 2600; exec \"$@\"";
    let mut child = spawn_child(
        "durability::a_full_disk_ends_the_node_with_its_reason",
        &path,
        limited,
    );
    let reason: Vec<String> = told(&mut child, "gave-up").collect();
    drop(child);
    assert_eq!(reason.len(), 1, "the node says once why it stops");
    assert!(
        reason[0].contains("could not be sealed: the chain database failed"),
        "{reason:?}"
    );
    // What was final is still there once there is room.
    let head = stored_head(&path);
    let (node, client) = start_on(&path).await;
    assert!(client.height().await >= u64::from(head));
    client.wait_blocks(1).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: seals 2,000 blocks"]
async fn a_long_chain_is_reopened_and_read_from_end_to_end() {
    let (_home, path) = home();
    let mut options = options(Some(&path));
    options.block_time = Duration::from_millis(1).into();
    let node = Node::start(options).await.expect("the node starts");
    let client = Client::connect(&node.url()).await;
    let genesis = client.genesis_hash().await;
    client.wait_blocks(1_000).await;
    client
        .finalise(&signed(transfer(&account("Eve"), TAO), "Alice", 0, genesis))
        .await;
    client.wait_blocks(1_000).await;
    node.stop().await;

    let (node, client) = start_on(&path).await;
    assert!(client.height().await >= 2_000);
    for (block, tao) in [(0, 2_000), (1_000, 2_000), (2_000, 2_001)] {
        let hash = client.ask("chain_getBlockHash", rpc_params![block]).await;
        assert_eq!(
            client.balance(&account("Eve"), Some(&hash)).await,
            tao * TAO
        );
    }
    node.stop().await;
}
