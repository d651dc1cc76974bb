//! What the node keeps: trie nodes, headers, bodies and the number of the newest block, in one redb database.
//!
//! In an archive trie nodes are only ever added, so the state of every past block stays readable. A pruned chain
//! writes down which nodes each block makes obsolete and deletes them when the last state that needs them leaves
//! the window. A block is one transaction: after a kill the database holds it whole or not at all. Opening reads
//! one header; the length of the history costs nothing.

use agon_runtime::Header;
use codec::{Decode, Encode};
use redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table,
    TableDefinition, WriteTransaction,
};
use sp_core::H256;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{Backend, IterArgs, TrieBackendBuilder, TrieBackendStorage};
use std::{
    fs::{self, File},
    io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

/// The layout of the tables below. Raise it with every change to them.
const SCHEMA: u32 = 2;

/// `schema`; `head`, the number of the newest block; `pruned`, 1 when old states are deleted; `oldest`, the first
/// block whose state is kept.
const META: TableDefinition<&str, u32> = TableDefinition::new("meta");
/// `genesis`, the inputs of the first state as JSON.
const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");
/// Trie nodes by prefixed hash: the block that added the node last (u32, little endian), then the node. The prefix is
/// the node's place in the trie, so one key never stands for two nodes of one state.
const NODES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("nodes");
/// In a pruned chain: the block whose state is the first without a node, and the node's key.
const DEATHS: TableDefinition<(u32, &[u8]), ()> = TableDefinition::new("deaths");
/// SCALE headers by block number.
const HEADERS: TableDefinition<u32, &[u8]> = TableDefinition::new("headers");
/// SCALE `Vec<Vec<u8>>` by block number: each extrinsic as it was submitted, length prefix included.
const BODIES: TableDefinition<u32, &[u8]> = TableDefinition::new("bodies");
/// Block numbers by block hash.
const NUMBERS: TableDefinition<[u8; 32], u32> = TableDefinition::new("numbers");

/// Pages redb keeps in memory.
const PAGE_CACHE_BYTES: usize = 64 << 20;

/// The most nodes one block deletes, so that a smaller window than before does not hold up the chain.
const MAX_DELETED: usize = 20_000;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another node of this process, has it open.
    #[error(
        "{path} is in use: another node is running on it; stop that node or choose another path"
    )]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// It was written by a later version of this program.
    #[error(
        "{path} has schema version {found} and this program knows {SCHEMA}: \
         it was written by a newer version; use that version or choose another path"
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version it states.
        found: u32,
    },
    /// It was written by an earlier version of this program.
    #[error(
        "{path} has schema version {found} and this program writes {SCHEMA}: \
         it was written by an older version; use that version or start a new chain elsewhere"
    )]
    OlderSchema {
        /// The database file.
        path: PathBuf,
        /// The version it states.
        found: u32,
    },
    /// It keeps every state and is to be pruned, or the other way round.
    #[error("{path} was begun {}; continue it so, or start a new chain elsewhere", begun(*pruned))]
    OtherPruning {
        /// The database file.
        path: PathBuf,
        /// Whether it deletes old states.
        pruned: bool,
    },
    /// It is a database, but not a chain's.
    #[error("{path} is not a chain database: it states no schema version; choose another path")]
    NotAChain {
        /// The database file.
        path: PathBuf,
    },
    /// The directory or file cannot be made.
    #[error("cannot create {path}: {source}; check the path and its permissions")]
    Create {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be read or written, or is damaged.
    #[error(
        "cannot open the database {path}: {source}; if the file is damaged, restore it or start over"
    )]
    Database {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        source: Box<redb::Error>,
    },
}

/// A failed read or write of an open database.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database failed, for instance because the disk is full.
    #[error("the chain database failed: {0}")]
    Database(Box<redb::Error>),
    /// A row does not decode.
    #[error("the chain database is damaged: {table} of block {number} cannot be decoded")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The block.
        number: u32,
    },
}

fn begun(pruned: bool) -> &'static str {
    if pruned {
        "with pruning"
    } else {
        "as an archive, which keeps every state"
    }
}

impl<E: Into<redb::Error>> From<E> for StorageError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// What a block does to the trie nodes.
#[derive(Debug, Default)]
pub struct NodeChanges {
    /// Prefixed hash and encoded node.
    pub added: Vec<(Vec<u8>, Vec<u8>)>,
    /// Prefixed hashes of nodes that the states from this block on do not have.
    pub removed: Vec<Vec<u8>>,
}

/// How long states are kept: all of them, or those of so many newest blocks.
pub type Window = Option<NonZeroU32>;

/// The database.
pub struct Storage {
    database: Database,
    window: Window,
}

impl Storage {
    /// Opens or creates the database at `path`, and the directories above it.
    pub fn open(path: &Path, window: Window) -> Result<Self, OpenError> {
        if !path.exists() {
            Self::create(path, window)?;
        }
        Self::prepare(open_file(path, path)?, path, window)
    }

    /// Opens the database at `path`, which must exist, whatever it keeps. Not to append to.
    pub fn open_existing(path: &Path) -> Result<Self, OpenError> {
        let database = open_file(path, path)?;
        check_schema(&database, path)?;
        Ok(Self {
            database,
            window: None,
        })
    }

    /// Creates the database beside `path` and renames it: the library cannot open a file whose creation
    /// was interrupted.
    fn create(path: &Path, window: Window) -> Result<(), OpenError> {
        let failed = |source| OpenError::Create {
            path: path.to_owned(),
            source,
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let unfinished = beside(path, "unfinished");
        if unfinished.exists() {
            fs::remove_file(&unfinished).map_err(failed)?;
        }
        drop(Self::prepare(open_file(&unfinished, path)?, path, window)?);
        fs::rename(&unfinished, path)
            .and_then(|()| File::open(directory)?.sync_all())
            .map_err(failed)
    }

    /// A database that is gone when it is dropped.
    pub fn in_memory(window: Window) -> Result<Self, OpenError> {
        let path = Path::new("(in memory)");
        let database = Database::builder()
            .set_cache_size(PAGE_CACHE_BYTES)
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .map_err(|error| OpenError::Database {
                path: path.to_owned(),
                source: Box::new(error.into()),
            })?;
        Self::prepare(database, path, window)
    }

    /// Checks what an old database is, creates the tables of a new one.
    fn prepare(database: Database, path: &Path, window: Window) -> Result<Self, OpenError> {
        let failed = |source: redb::Error| OpenError::Database {
            path: path.to_owned(),
            source: Box::new(source),
        };
        if let Schema::Empty = stated_schema(&database).map_err(failed)? {
            create_tables(&database, window).map_err(failed)?;
        }
        check_schema(&database, path)?;
        let pruned = || Ok(number(&database, "pruned")?.unwrap_or_default() == 1);
        let pruned = pruned().map_err(failed)?;
        if pruned != window.is_some() {
            return Err(OpenError::OtherPruning {
                path: path.to_owned(),
                pruned,
            });
        }
        Ok(Self { database, window })
    }

    /// The inputs of the first state, as they were given to [`Storage::begin`].
    pub fn genesis(&self) -> Result<Option<String>, StorageError> {
        let table = self.database.begin_read()?.open_table(TEXTS)?;
        Ok(table.get("genesis")?.map(|row| row.value().to_owned()))
    }

    /// The newest block's header; `None` before the genesis block is stored.
    pub fn head(&self) -> Result<Option<Header>, StorageError> {
        let head = number(&self.database, "head")?;
        head.map_or(Ok(None), |number| self.header(number))
    }

    /// The header of a block.
    pub fn header(&self, number: u32) -> Result<Option<Header>, StorageError> {
        let table = self.database.begin_read()?.open_table(HEADERS)?;
        table
            .get(number)?
            .map(|row| decode("the header", number, row.value()))
            .transpose()
    }

    /// The extrinsics of a block, each as it was submitted.
    pub fn body(&self, number: u32) -> Result<Option<Vec<Vec<u8>>>, StorageError> {
        let table = self.database.begin_read()?.open_table(BODIES)?;
        table
            .get(number)?
            .map(|row| decode("the body", number, row.value()))
            .transpose()
    }

    /// The number of the block with this hash.
    pub fn number(&self, hash: &H256) -> Result<Option<u32>, StorageError> {
        Ok(self
            .database
            .begin_read()?
            .open_table(NUMBERS)?
            .get(hash.0)?
            .map(|row| row.value()))
    }

    /// The trie nodes of the state after block `number`; `None` when that state is deleted.
    pub fn nodes(&self, number: u32) -> Result<Option<Nodes>, StorageError> {
        // One transaction, so that the nodes cannot go between the question and the answer.
        let read = self.database.begin_read()?;
        let oldest = read.open_table(META)?.get("oldest")?;
        if oldest.is_some_and(|oldest| number < oldest.value()) {
            return Ok(None);
        }
        Ok(Some(Nodes(read.open_table(NODES)?)))
    }

    /// Stores the genesis block and what its state was made of.
    pub fn begin(
        &self,
        header: &Header,
        nodes: &NodeChanges,
        genesis: &str,
    ) -> Result<(), StorageError> {
        let write = self.database.begin_write()?;
        write.open_table(TEXTS)?.insert("genesis", genesis)?;
        self.store(write, header, &[], nodes)
    }

    /// Stores the next block. When this returns the block survives a kill and a loss of power, unless it is not to be
    /// `durable`: then the next durable one makes it so.
    pub fn append(
        &self,
        header: &Header,
        body: &[Vec<u8>],
        nodes: &NodeChanges,
        durable: bool,
    ) -> Result<(), StorageError> {
        let mut write = self.database.begin_write()?;
        if durable {
            // Costs a second flush a block and saves a walk over the whole database after a kill.
            write.set_quick_repair(true);
        } else {
            write.set_durability(Durability::None)?;
        }
        self.store(write, header, body, nodes)
    }

    fn store(
        &self,
        write: WriteTransaction,
        header: &Header,
        body: &[Vec<u8>],
        nodes: &NodeChanges,
    ) -> Result<(), StorageError> {
        let number = header.number;
        {
            let mut table = write.open_table(NODES)?;
            for (key, node) in &nodes.added {
                let row = [&number.to_le_bytes()[..], node].concat();
                table.insert(&key[..], &row[..])?;
            }
            write
                .open_table(HEADERS)?
                .insert(number, &header.encode()[..])?;
            write
                .open_table(BODIES)?
                .insert(number, &body.encode()[..])?;
            write.open_table(NUMBERS)?.insert(header.hash().0, number)?;
            let mut meta = write.open_table(META)?;
            meta.insert("head", number)?;
            if let Some(window) = self.window {
                let oldest = (number + 1).saturating_sub(window.get());
                meta.insert("oldest", oldest)?;
                let mut deaths = write.open_table(DEATHS)?;
                for key in &nodes.removed {
                    deaths.insert((number, &key[..]), ())?;
                }
                delete_dead(&mut table, &mut deaths, oldest)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Copies the database as it stands now to a new file at `path`. Blocks may be appended meanwhile.
    pub fn copy_to(&self, path: &Path) -> Result<(), StorageError> {
        let read = self.database.begin_read()?;
        let target = Database::builder()
            .set_cache_size(PAGE_CACHE_BYTES)
            .create(path)?;
        copy_table(&read, &target, TEXTS)?;
        copy_table(&read, &target, NODES)?;
        copy_table(&read, &target, DEATHS)?;
        copy_table(&read, &target, HEADERS)?;
        copy_table(&read, &target, BODIES)?;
        copy_table(&read, &target, NUMBERS)?;
        copy_table(&read, &target, META)
    }

    /// Checks every page of the file, that the headers lead from the newest block to the genesis block, and that the
    /// newest state is whole.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&mut self) -> Result<Header, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        if !self
            .database
            .check_integrity()
            .map_err(|error| text(&error))?
        {
            return Err("pages of the file are damaged".into());
        }
        let head = self.head().map_err(|error| text(&error))?;
        let head = head.ok_or("it holds no block")?;
        let mut parent = H256::zero();
        for number in 0..=head.number {
            let header = self.header(number).map_err(|error| text(&error))?;
            let header = header.ok_or_else(|| format!("block {number} is missing"))?;
            let hash = header.hash();
            if header.number != number || header.parent_hash != parent {
                return Err(format!("block {number} does not follow the one before it"));
            }
            if self.number(&hash).map_err(|error| text(&error))? != Some(number) {
                return Err(format!("block {number} is not found by its hash"));
            }
            let body = self.body(number).map_err(|error| text(&error))?;
            if body.is_none() {
                return Err(format!("the body of block {number} is missing"));
            }
            parent = hash;
        }
        let nodes = self.nodes(head.number).map_err(|error| text(&error))?;
        let nodes = nodes.ok_or("the newest state is deleted")?;
        let state = TrieBackendBuilder::<_, BlakeTwo256>::new(nodes, head.state_root).build();
        for pair in state.pairs(IterArgs::default())? {
            pair?;
        }
        Ok(head)
    }
}

/// Deletes the nodes that no state from block `oldest` on has.
fn delete_dead(
    nodes: &mut Table<'_, &'static [u8], &'static [u8]>,
    deaths: &mut Table<'_, (u32, &'static [u8]), ()>,
    oldest: u32,
) -> Result<(), StorageError> {
    let none: &[u8] = &[];
    let mut dead = Vec::new();
    for row in deaths
        .range((0, none)..(oldest + 1, none))?
        .take(MAX_DELETED)
    {
        let (key, _) = row?;
        let (number, key) = key.value();
        dead.push((number, key.to_vec()));
    }
    for (number, key) in dead {
        deaths.remove((number, &key[..]))?;
        // A later block may have put the same node back in its place.
        let is_older = nodes.get(&key[..])?.is_some_and(|row| {
            let added = row
                .value()
                .first_chunk()
                .map(|added| u32::from_le_bytes(*added));
            added.is_none_or(|added| added < number)
        });
        if is_older {
            nodes.remove(&key[..])?;
        }
    }
    Ok(())
}

/// How many rows are copied in one transaction.
const COPIED_AT_ONCE: usize = 50_000;

fn copy_table<K: redb::Key + 'static, V: redb::Value + 'static>(
    read: &ReadTransaction,
    target: &Database,
    definition: TableDefinition<K, V>,
) -> Result<(), StorageError> {
    let table = read.open_table(definition)?;
    let mut rows = table.iter()?.peekable();
    loop {
        let mut write = target.begin_write()?;
        write.set_quick_repair(true);
        let mut copy = write.open_table(definition)?;
        for row in rows.by_ref().take(COPIED_AT_ONCE) {
            let (key, value) = row?;
            copy.insert(key.value(), value.value())?;
        }
        drop(copy);
        write.commit()?;
        if rows.peek().is_none() {
            return Ok(());
        }
    }
}

/// `path` with one more extension.
pub fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".");
    beside.push(extension);
    beside.into()
}

fn number(database: &Database, name: &str) -> Result<Option<u32>, redb::Error> {
    let table = database.begin_read()?.open_table(META)?;
    Ok(table.get(name)?.map(|row| row.value()))
}

/// A snapshot of the trie nodes.
pub struct Nodes(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl TrieBackendStorage<BlakeTwo256> for Nodes {
    fn get(&self, key: &H256, prefix: (&[u8], Option<u8>)) -> Result<Option<Vec<u8>>, String> {
        let key = sp_trie::prefixed_key::<BlakeTwo256>(key, prefix);
        let row = self.0.get(&key[..]).map_err(|error| error.to_string())?;
        let node = row.map(|row| row.value().get(4..).map(<[u8]>::to_vec));
        node.map_or(Ok(None), |node| {
            node.map(Some)
                .ok_or_else(|| "a trie node is damaged".into())
        })
    }
}

/// What a database says of its own layout.
enum Schema {
    Empty,
    Unstated,
    Stated(u32),
}

fn stated_schema(database: &Database) -> Result<Schema, redb::Error> {
    let read = database.begin_read()?;
    match read.open_table(META) {
        Ok(table) => Ok(table
            .get("schema")?
            .map_or(Schema::Unstated, |row| Schema::Stated(row.value()))),
        Err(redb::TableError::TableDoesNotExist(_)) if read.list_tables()?.next().is_none() => {
            Ok(Schema::Empty)
        }
        Err(
            redb::TableError::TableDoesNotExist(_) | redb::TableError::TableTypeMismatch { .. },
        ) => Ok(Schema::Unstated),
        Err(error) => Err(error.into()),
    }
}

fn check_schema(database: &Database, path: &Path) -> Result<(), OpenError> {
    let path = path.to_owned();
    match stated_schema(database) {
        Ok(Schema::Stated(SCHEMA)) => Ok(()),
        Ok(Schema::Stated(found)) if found > SCHEMA => Err(OpenError::NewerSchema { path, found }),
        Ok(Schema::Stated(found)) => Err(OpenError::OlderSchema { path, found }),
        Ok(Schema::Unstated | Schema::Empty) => Err(OpenError::NotAChain { path }),
        Err(source) => Err(OpenError::Database {
            path,
            source: Box::new(source),
        }),
    }
}

fn create_tables(database: &Database, window: Window) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        meta.insert("schema", SCHEMA)?;
        meta.insert("pruned", u32::from(window.is_some()))?;
    }
    write.open_table(TEXTS)?;
    write.open_table(NODES)?;
    write.open_table(DEATHS)?;
    write.open_table(HEADERS)?;
    write.open_table(BODIES)?;
    write.open_table(NUMBERS)?;
    write.commit()?;
    Ok(())
}

fn decode<T: Decode>(
    table: &'static str,
    number: u32,
    mut bytes: &[u8],
) -> Result<T, StorageError> {
    T::decode(&mut bytes).map_err(|_| StorageError::Damaged { table, number })
}

/// Opens or creates the file of the database that users know as `path`.
fn open_file(file: &Path, path: &Path) -> Result<Database, OpenError> {
    Database::builder()
        .set_cache_size(PAGE_CACHE_BYTES)
        .create(file)
        .map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::Locked {
                path: path.to_owned(),
            },
            other => OpenError::Database {
                path: path.to_owned(),
                source: Box::new(other.into()),
            },
        })
}
