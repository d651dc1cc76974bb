//! What the node keeps: trie nodes, headers, bodies and the number of the newest block, in one redb database.
//!
//! Trie nodes are only ever added, so the state of every past block stays readable. A block is one durable
//! transaction: after a kill the database holds it whole or not at all. Opening reads one header; the length
//! of the history costs nothing.

use agon_runtime::Header;
use codec::{Decode, Encode};
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};
use sp_core::H256;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::TrieBackendStorage;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The layout of the tables below. Raise it with every change to them.
const SCHEMA: u32 = 1;

/// `schema` and `head`, the number of the newest block.
const META: TableDefinition<&str, u32> = TableDefinition::new("meta");
/// Trie nodes by prefixed hash.
const NODES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("nodes");
/// SCALE headers by block number.
const HEADERS: TableDefinition<u32, &[u8]> = TableDefinition::new("headers");
/// SCALE `Vec<Vec<u8>>` by block number: each extrinsic as it was submitted, length prefix included.
const BODIES: TableDefinition<u32, &[u8]> = TableDefinition::new("bodies");
/// Block numbers by block hash.
const NUMBERS: TableDefinition<[u8; 32], u32> = TableDefinition::new("numbers");

/// Pages redb keeps in memory.
const PAGE_CACHE_BYTES: usize = 64 << 20;

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

impl<E: Into<redb::Error>> From<E> for StorageError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// The trie nodes a block adds: prefixed hash and encoded node.
pub type NewNodes = Vec<(Vec<u8>, Vec<u8>)>;

/// The database.
pub struct Storage {
    database: Database,
}

impl Storage {
    /// Opens or creates the database at `path`, and the directories above it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            Self::create(path)?;
        }
        Self::prepare(open_file(path, path)?, path)
    }

    /// Creates the database beside `path` and renames it: the library cannot open a file whose creation
    /// was interrupted.
    fn create(path: &Path) -> Result<(), OpenError> {
        let failed = |source| OpenError::Create {
            path: path.to_owned(),
            source,
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = Path::new(&unfinished);
        if unfinished.exists() {
            fs::remove_file(unfinished).map_err(failed)?;
        }
        drop(Self::prepare(open_file(unfinished, path)?, path)?);
        fs::rename(unfinished, path)
            .and_then(|()| File::open(directory)?.sync_all())
            .map_err(failed)
    }

    /// A database that is gone when it is dropped.
    pub fn in_memory() -> Result<Self, OpenError> {
        let path = Path::new("(in memory)");
        let database = Database::builder()
            .set_cache_size(PAGE_CACHE_BYTES)
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .map_err(|error| OpenError::Database {
                path: path.to_owned(),
                source: Box::new(error.into()),
            })?;
        Self::prepare(database, path)
    }

    /// Checks the schema version of an old database, creates the tables of a new one.
    fn prepare(database: Database, path: &Path) -> Result<Self, OpenError> {
        let failed = |source: redb::Error| OpenError::Database {
            path: path.to_owned(),
            source: Box::new(source),
        };
        match stated_schema(&database).map_err(failed)? {
            Schema::Empty => create_tables(&database).map_err(failed)?,
            Schema::Stated(SCHEMA) => {}
            Schema::Stated(found) => {
                return Err(OpenError::NewerSchema {
                    path: path.to_owned(),
                    found,
                });
            }
            Schema::Unstated => {
                return Err(OpenError::NotAChain {
                    path: path.to_owned(),
                });
            }
        }
        Ok(Self { database })
    }

    /// The newest block's header; `None` before the genesis block is stored.
    pub fn head(&self) -> Result<Option<Header>, StorageError> {
        let number = self
            .database
            .begin_read()?
            .open_table(META)?
            .get("head")?
            .map(|row| row.value());
        number.map_or(Ok(None), |number| self.header(number))
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

    /// The trie nodes of every block stored so far.
    pub fn nodes(&self) -> Result<Nodes, StorageError> {
        Ok(Nodes(self.database.begin_read()?.open_table(NODES)?))
    }

    /// Stores the next block; when this returns the block survives a kill and a loss of power.
    pub fn append(
        &self,
        header: &Header,
        body: &[Vec<u8>],
        nodes: &NewNodes,
    ) -> Result<(), StorageError> {
        let mut write = self.database.begin_write()?;
        // Costs a second flush a block and saves a walk over the whole database after a kill.
        write.set_quick_repair(true);
        {
            let mut table = write.open_table(NODES)?;
            for (key, node) in nodes {
                table.insert(&key[..], &node[..])?;
            }
            write
                .open_table(HEADERS)?
                .insert(header.number, &header.encode()[..])?;
            write
                .open_table(BODIES)?
                .insert(header.number, &body.encode()[..])?;
            write
                .open_table(NUMBERS)?
                .insert(header.hash().0, header.number)?;
            write.open_table(META)?.insert("head", header.number)?;
        }
        // redb's default durability is immediate: the commit returns when the bytes are on the disk.
        write.commit()?;
        Ok(())
    }
}

/// A snapshot of the trie nodes.
pub struct Nodes(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl TrieBackendStorage<BlakeTwo256> for Nodes {
    fn get(&self, key: &H256, prefix: (&[u8], Option<u8>)) -> Result<Option<Vec<u8>>, String> {
        let key = sp_trie::prefixed_key::<BlakeTwo256>(key, prefix);
        let row = self.0.get(&key[..]).map_err(|error| error.to_string())?;
        Ok(row.map(|row| row.value().to_vec()))
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

fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(META)?.insert("schema", SCHEMA)?;
    write.open_table(NODES)?;
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
