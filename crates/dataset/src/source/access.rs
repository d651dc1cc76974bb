//! Endpoints and credentials, from the environment and the files that the sources' own tools write.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use url::Url;

use super::SourceError;

/// Most bytes of a file with credentials.
const MAX_FILE: u64 = 64 << 10;

/// Where the sources are and who asks. Without `Debug`, so that no secret is printed by accident.
#[derive(Clone)]
pub struct Access {
    /// Kaggle's API, without a slash at the end.
    pub(super) kaggle: Url,
    /// What Kaggle is told about the user: the `Authorization` header.
    pub(super) kaggle_authorization: Option<String>,
    /// The Hub.
    pub(super) hub: Url,
    /// What the Hub is told about the user, if anything.
    pub(super) hub_authorization: Option<String>,
    /// Stands in for the host of plain addresses, for a mirror.
    pub(super) direct: Option<Url>,
}

#[derive(Deserialize)]
struct KaggleFile {
    username: String,
    key: String,
}

impl Access {
    /// Reads the environment through `variable`, and the files below `home`.
    ///
    /// Kaggle: `KAGGLE_API_TOKEN`; `KAGGLE_USERNAME` and `KAGGLE_KEY`; `kaggle.json` in `KAGGLE_CONFIG_DIR`, else in
    /// `~/.kaggle` or `~/.config/kaggle`. The Hub: `HF_TOKEN`; the file `HF_TOKEN_PATH`; `$HF_HOME/token`, else
    /// `~/.cache/huggingface/token`. Endpoints: `KAGGLE_API_ENDPOINT`, `HF_ENDPOINT`, and `AGON_DIRECT_ENDPOINT` for
    /// a mirror of plain addresses.
    ///
    /// # Errors
    /// For a file of credentials that cannot be read, and for an endpoint that is no address or would carry
    /// credentials over a network in the clear. Absent credentials are no error here.
    pub fn from_environment(
        variable: &dyn Fn(&str) -> Option<String>,
        home: Option<&Path>,
    ) -> Result<Self, SourceError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoint = |name: &'static str, usual: &str| {
            let value = variable(name).unwrap_or_else(|| usual.to_owned());
            parse_endpoint(name, &value)
        };
        let direct = match variable("AGON_DIRECT_ENDPOINT") {
            Some(value) => Some(parse_endpoint("AGON_DIRECT_ENDPOINT", &value)?),
            None => None,
        };
        Ok(Self {
            kaggle: endpoint("KAGGLE_API_ENDPOINT", "https://www.kaggle.com/api/v1")?,
            kaggle_authorization: kaggle_authorization(&variable, home)?,
            hub: endpoint("HF_ENDPOINT", "https://huggingface.co")?,
            hub_authorization: hub_token(&variable, home)?.map(|token| format!("Bearer {token}")),
            direct,
        })
    }

    /// The same endpoints, with nothing to tell anybody about the user.
    pub fn anonymous(&self) -> Self {
        Self {
            kaggle_authorization: None,
            hub_authorization: None,
            ..self.clone()
        }
    }

    /// Whether there is something to tell Kaggle.
    pub fn knows_kaggle(&self) -> bool {
        self.kaggle_authorization.is_some()
    }
}

/// An endpoint of the environment, private or on this machine.
pub(crate) fn parse_endpoint(name: &'static str, value: &str) -> Result<Url, SourceError> {
    let refuse = |reason| SourceError::Endpoint {
        name,
        value: value.to_owned(),
        reason,
    };
    let url = Url::parse(value.trim_end_matches('/')).map_err(|_| refuse("it is no address"))?;
    let is_local = match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local => Ok(url),
        "http" => Err(refuse("credentials would be sent in the clear; use https")),
        _ => Err(refuse("it is neither https nor, on this machine, http")),
    }
}

fn kaggle_authorization(
    variable: &dyn Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<Option<String>, SourceError> {
    if let Some(token) = variable("KAGGLE_API_TOKEN") {
        return header("KAGGLE_API_TOKEN", &token).map(|token| Some(format!("Bearer {token}")));
    }
    let basic = |username: &str, key: &str| {
        let pair = BASE64_STANDARD.encode(format!("{username}:{key}"));
        Some(format!("Basic {pair}"))
    };
    if let (Some(username), Some(key)) = (variable("KAGGLE_USERNAME"), variable("KAGGLE_KEY")) {
        return Ok(basic(&username, &key));
    }
    let named = variable("KAGGLE_CONFIG_DIR").map(PathBuf::from);
    let usual = home.map(|home| [home.join(".kaggle"), home.join(".config/kaggle")]);
    let folders = match named {
        Some(folder) => vec![folder],
        None => usual.into_iter().flatten().collect(),
    };
    for folder in folders {
        let path = folder.join("kaggle.json");
        if let Some(text) = read_file(&path)? {
            let file: KaggleFile = serde_json::from_str(&text).map_err(|_| {
                SourceError::Credentials(format!(
                    "{} is not the token file that Kaggle gives: a JSON object with username and key",
                    path.display()
                ))
            })?;
            return Ok(basic(&file.username, &file.key));
        }
    }
    Ok(None)
}

fn hub_token(
    variable: &dyn Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<Option<String>, SourceError> {
    if let Some(token) = variable("HF_TOKEN") {
        return header("HF_TOKEN", &token).map(Some);
    }
    let named = variable("HF_TOKEN_PATH").map(PathBuf::from);
    let in_home = variable("HF_HOME").map(|home| PathBuf::from(home).join("token"));
    let usual = home.map(|home| home.join(".cache/huggingface/token"));
    match named.or(in_home).or(usual) {
        Some(path) => match read_file(&path)? {
            Some(text) if !text.trim().is_empty() => {
                header(&path.display().to_string(), &text).map(Some)
            }
            _ => Ok(None),
        },
        None => Ok(None),
    }
}

/// A token as it can stand in a header.
fn header(place: &str, token: &str) -> Result<String, SourceError> {
    let token = token.trim();
    match token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token.to_owned()),
        false => Err(SourceError::Credentials(format!(
            "{place} holds more than a token"
        ))),
    }
}

/// A small file; `None` if it is not there.
fn read_file(path: &Path) -> Result<Option<String>, SourceError> {
    let unreadable = |error: std::io::Error| {
        SourceError::Credentials(format!("cannot read {}: {error}", path.display()))
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    let mut text = String::new();
    file.take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::fs;

    fn access(variables: &[(&str, &str)], home: Option<&Path>) -> Result<Access, String> {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        Access::from_environment(&variable, home).map_err(|error| error.to_string())
    }

    #[test]
    fn credentials_come_from_the_environment_before_files() {
        let home = tempfile::tempdir().unwrap();
        let none = access(&[], Some(home.path())).unwrap();
        assert!(!none.knows_kaggle() && none.hub_authorization.is_none());
        assert_eq!(none.kaggle.as_str(), "https://www.kaggle.com/api/v1");

        fs::create_dir_all(home.path().join(".kaggle")).unwrap();
        let file = home.path().join(".kaggle/kaggle.json");
        fs::write(&file, r#"{"username":"me","key":"secret"}"#).unwrap();
        fs::create_dir_all(home.path().join(".cache/huggingface")).unwrap();
        fs::write(home.path().join(".cache/huggingface/token"), "hf_x\n").unwrap();
        let found = access(&[], Some(home.path())).unwrap();
        // "me:secret"
        let basic = "Basic bWU6c2VjcmV0";
        assert_eq!(found.kaggle_authorization.as_deref(), Some(basic));
        assert_eq!(found.hub_authorization.as_deref(), Some("Bearer hf_x"));

        let variables = [
            ("KAGGLE_USERNAME", "you"),
            ("KAGGLE_KEY", "k"),
            ("HF_TOKEN", "t"),
        ];
        let found = access(&variables, Some(home.path())).unwrap();
        assert_ne!(found.kaggle_authorization.as_deref(), Some(basic));
        assert_eq!(found.hub_authorization.as_deref(), Some("Bearer t"));

        fs::write(&file, "not json").unwrap();
        let said = access(&[], Some(home.path())).err().unwrap();
        assert!(said.contains("kaggle.json is not the token file") && !said.contains("secret"));
        assert!(access(&[("HF_TOKEN", "a b")], None).is_err());
    }

    #[test]
    fn endpoints_are_private_or_here() {
        let local = access(&[("HF_ENDPOINT", "http://127.0.0.1:5/hub/")], None).unwrap();
        assert_eq!(local.hub.as_str(), "http://127.0.0.1:5/hub");
        for value in ["http://example.org", "ftp://x", "nonsense"] {
            let said = access(&[("KAGGLE_API_ENDPOINT", value)], None)
                .err()
                .unwrap();
            assert!(said.contains("KAGGLE_API_ENDPOINT"), "{said}");
        }
    }
}
