//! A bucket on a foreign server, beside a foreign client of it: moto and boto3, unmodified.
//!
//! They need a Python environment with `tests/clients/requirements-s3.txt`: the one whose interpreter `AGON_S3_PYTHON`
//! names, else `target/clients-s3`, where `.ci/slow` makes it. Without one the test is skipped and says so, unless
//! `AGON_CLIENTS_REQUIRED` is set.

use super::hub::digest;
use agon_dataset::source::Patience;
use agon_dataset::store::{ArtefactStore, Cache, S3Store, StoreError};
use agon_model::digest::Digest;
use std::env;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const KEY: &str = "AKIAOFTHETEST";
const SECRET: &str = "secret/of+the=test";
/// How long the server may take to begin; it imports a lot.
const START: Duration = Duration::from_secs(120);

fn python() -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients-s3/bin/python");
    let path = env::var_os("AGON_S3_PYTHON").map_or(made, PathBuf::from);
    path.exists().then_some(path)
}

/// The server, gone with its test.
struct Moto {
    python: PathBuf,
    url: String,
    child: Child,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    fn start(python: PathBuf) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self {
            python,
            url: format!("http://{address}"),
            child,
        };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < START, "moto does not begin");
            thread::sleep(Duration::from_millis(100));
        }
        moto
    }

    /// What boto3 prints when it does this with `s3`, its client.
    fn boto(&self, script: &str) -> String {
        let client = format!(
            "import boto3\ns3 = boto3.client('s3', endpoint_url='{}', region_name='us-east-1', \
             aws_access_key_id='{KEY}', aws_secret_access_key='{SECRET}')\n{script}",
            self.url
        );
        let output = Command::new(&self.python).args(["-c", &client]).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn store(&self, place: &str, signs: bool, cache: Option<Cache>) -> S3Store {
        let variable = |name: &str| match name {
            "AWS_ENDPOINT_URL" => Some(self.url.clone()),
            "AWS_ACCESS_KEY_ID" => signs.then(|| KEY.to_owned()),
            "AWS_SECRET_ACCESS_KEY" => signs.then(|| SECRET.to_owned()),
            _ => None,
        };
        let place = place.parse().unwrap();
        S3Store::open(&place, &variable, Patience::default(), cache).unwrap()
    }
}

#[test]
fn a_foreign_server_and_a_foreign_client_see_what_we_see() {
    let Some(python) = python() else {
        let reason = "no Python environment with moto; .ci/slow makes one in target/clients-s3";
        assert!(env::var_os("AGON_CLIENTS_REQUIRED").is_none(), "{reason}");
        // Past the test runner, which keeps what a passing test prints to itself.
        let _ = writeln!(io::stderr(), "SKIPPED tests/submit/moto.rs: {reason}");
        return;
    };
    let moto = Moto::start(python);
    let store = moto.store("models/skin of 2026", true, None);
    let model: Vec<u8> = (0..12_000_000u32).map(|n| (n >> 5) as u8).collect();
    let sha = Digest::of(&model).0;

    let error = store.put(&model).unwrap_err();
    assert!(error.to_string().contains("no bucket models"), "{error}");
    moto.boto("s3.create_bucket(Bucket='models')");
    assert!(matches!(
        store.get(&sha, 1 << 30),
        Err(StoreError::Missing { .. })
    ));
    assert!(!store.contains(&sha).unwrap());
    assert_eq!(store.get_named("me", "a record.json", 9).unwrap(), None);
    for _ in 0..2 {
        store.put(&model).unwrap();
    }
    store.put_named("me", "a record.json", b"{}").unwrap();
    assert_eq!(store.get(&sha, 1 << 30).unwrap(), model);
    assert!(store.contains(&sha).unwrap());
    assert!(matches!(
        store.get(&sha, 1000),
        Err(StoreError::TooLarge {
            size: 12_000_000,
            limit: 1000,
            ..
        })
    ));
    assert_eq!(
        store.get_named("me", "a record.json", 9).unwrap().unwrap(),
        b"{}"
    );

    let hex = digest(&model);
    let key = format!("skin of 2026/{}/{hex}", &hex[..2]);
    let listed = moto.boto(
        "for it in s3.list_objects_v2(Bucket='models')['Contents']: print(it['Key'], it['Size'])",
    );
    assert_eq!(
        listed,
        format!("{key} 12000000\nskin of 2026/named/me/a record.json 2\n")
    );
    let read = moto.boto(&format!(
        "import hashlib\nprint(hashlib.sha256(s3.get_object(Bucket='models', Key='{key}')['Body'].read()).hexdigest())"
    ));
    assert_eq!(read.trim(), hex);

    // Whoever does not sign sees what its owner shows.
    let place = tempfile::tempdir().unwrap();
    let cache = Cache::open(place.path(), 1 << 30).unwrap();
    let anybody = moto.store("models/skin of 2026", false, Some(cache));
    assert!(matches!(
        anybody.get(&sha, 1 << 30),
        Err(StoreError::Hidden { .. })
    ));
    moto.boto(&format!(
        "s3.put_object_acl(Bucket='models', Key='{key}', ACL='public-read')"
    ));
    assert_eq!(anybody.get(&sha, 1 << 30).unwrap(), model);

    // What the foreign client puts under a digest is looked at; what was fetched before needs no server.
    moto.boto(&format!(
        "s3.put_object(Bucket='models', Key='{key}', Body=b'another')"
    ));
    assert!(matches!(
        store.get(&sha, 1 << 30),
        Err(StoreError::Damaged { .. })
    ));
    assert_eq!(anybody.get(&sha, 1 << 30).unwrap(), model);
    store.put(&model).unwrap();
    assert_eq!(store.get(&sha, 1 << 30).unwrap(), model);
    drop(moto);
    assert_eq!(anybody.get(&sha, 1 << 30).unwrap(), model);
}
