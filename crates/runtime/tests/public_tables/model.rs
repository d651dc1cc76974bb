//! What a chain declares, in the form of the public tables.

use blake2::{Blake2b, Digest, digest::consts::U8};
use codec::Decode;
use frame_metadata::{
    RuntimeMetadata, RuntimeMetadataPrefixed,
    v14::StorageEntryType,
    v15::{PalletMetadata, RuntimeMetadataV15},
};
use scale_info::{PortableRegistry, TypeDef, form::PortableForm};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything a chain declares.
#[derive(Deserialize)]
pub struct Tables {
    pub pallets: BTreeMap<String, Pallet>,
    pub apis: BTreeMap<String, Api>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Pallet {
    pub index: u8,
    pub prefix: Option<String>,
    pub calls: Vec<Variant>,
    pub events: Vec<Variant>,
    pub errors: Vec<Variant>,
    pub storage: Vec<Item>,
    pub constants: Vec<Constant>,
}

/// A call, an event or an error.
#[derive(Deserialize)]
pub struct Variant {
    #[serde(rename = "i")]
    pub index: u8,
    #[serde(rename = "n")]
    pub name: String,
    /// Names and types.
    #[serde(rename = "a")]
    pub fields: Vec<(String, String)>,
    #[serde(skip)]
    pub about: String,
}

/// A storage item.
#[derive(Deserialize)]
pub struct Item {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "mod")]
    pub modifier: String,
    #[serde(rename = "h")]
    pub hashers: Vec<String>,
    #[serde(rename = "k")]
    pub key: Option<String>,
    #[serde(rename = "v")]
    pub value: String,
    /// What stands for an absent value, in hexadecimal.
    #[serde(rename = "d")]
    pub default: String,
    #[serde(skip)]
    pub about: String,
}

#[derive(Deserialize)]
pub struct Constant {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "t")]
    pub ty: String,
    /// In hexadecimal.
    #[serde(rename = "v")]
    pub value: String,
}

/// A runtime API.
#[derive(Deserialize)]
pub struct Api {
    #[serde(rename = "ver")]
    pub version: u32,
    pub methods: Vec<Method>,
}

#[derive(Deserialize)]
pub struct Method {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "i")]
    pub inputs: Vec<(String, String)>,
    #[serde(rename = "o")]
    pub output: String,
    #[serde(skip)]
    pub about: String,
}

/// A file about the public chain from the directory that `AGON_PUBLIC_TABLES` names or that lies beside the project.
fn public_file(name: &str) -> Option<Vec<u8>> {
    let directory = std::env::var_os("AGON_PUBLIC_TABLES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec"),
        PathBuf::from,
    );
    let content = std::fs::read(directory.join(name));
    if content.is_err() {
        eprintln!("SKIPPED: the public chain's {name} is not here");
    }
    content.ok()
}

/// The public chain's tables; none where they are absent, which is said aloud.
pub fn public_tables() -> Option<Tables> {
    let text = public_file("finney-424-tables.json")?;
    Some(serde_json::from_slice(&text).expect("the tables have the known form"))
}

/// The public chain's metadata; none where they are absent, which is said aloud.
pub fn public_metadata() -> Option<RuntimeMetadataV15> {
    public_file("finney-metadata-v15-spec424.scale").map(|bytes| decode(&bytes))
}

/// Our metadata.
pub fn metadata() -> RuntimeMetadataV15 {
    let opaque = sp_io::TestExternalities::default()
        .execute_with(|| agon_runtime::Runtime::metadata_at_version(15))
        .expect("version 15 is what clients ask for");
    decode(&opaque)
}

fn decode(mut bytes: &[u8]) -> RuntimeMetadataV15 {
    let prefixed = RuntimeMetadataPrefixed::decode(&mut bytes).expect("metadata decode");
    match prefixed.1 {
        RuntimeMetadata::V15(metadata) => metadata,
        _ => panic!("asked for version 15"),
    }
}

impl Tables {
    /// What we declare.
    pub fn ours() -> Self {
        let metadata = metadata();
        let types = &metadata.types;
        let pallets = metadata
            .pallets
            .iter()
            .map(|pallet| (pallet.name.clone(), Pallet::read(types, pallet)))
            .collect();
        let apis = metadata
            .apis
            .iter()
            .map(|api| {
                let methods = api.methods.iter().map(|method| Method {
                    name: method.name.clone(),
                    inputs: method
                        .inputs
                        .iter()
                        .map(|input| (input.name.clone(), type_name(types, input.ty.id)))
                        .collect(),
                    output: type_name(types, method.output.id),
                    about: about(&method.docs),
                });
                let methods = methods.collect();
                let version = api_version(&api.name);
                (api.name.clone(), Api { version, methods })
            })
            .collect();
        Self { pallets, apis }
    }
}

impl Pallet {
    fn read(types: &PortableRegistry, pallet: &PalletMetadata<PortableForm>) -> Self {
        let storage = pallet.storage.as_ref();
        Self {
            index: pallet.index,
            prefix: storage.map(|storage| storage.prefix.clone()),
            calls: variants(types, pallet.calls.as_ref().map(|calls| calls.ty.id)),
            events: variants(types, pallet.event.as_ref().map(|event| event.ty.id)),
            errors: variants(types, pallet.error.as_ref().map(|error| error.ty.id)),
            storage: storage.map_or_else(Vec::new, |storage| {
                let items = storage.entries.iter().map(|item| {
                    let (hashers, key, value) = match &item.ty {
                        StorageEntryType::Plain(value) => (vec![], None, value.id),
                        StorageEntryType::Map {
                            hashers,
                            key,
                            value,
                        } => {
                            let hashers = hashers.iter().map(|hasher| format!("{hasher:?}"));
                            (hashers.collect(), Some(type_name(types, key.id)), value.id)
                        }
                    };
                    Item {
                        name: item.name.clone(),
                        modifier: format!("{:?}", item.modifier),
                        hashers,
                        key,
                        value: type_name(types, value),
                        default: hexadecimal(&item.default),
                        about: about(&item.docs),
                    }
                });
                items.collect()
            }),
            constants: pallet
                .constants
                .iter()
                .map(|constant| Constant {
                    name: constant.name.clone(),
                    ty: type_name(types, constant.ty.id),
                    value: hexadecimal(&constant.value),
                })
                .collect(),
        }
    }
}

fn variants(types: &PortableRegistry, id: Option<u32>) -> Vec<Variant> {
    let Some(of) = id.and_then(|id| types.resolve(id)) else {
        return vec![];
    };
    let TypeDef::Variant(of) = &of.type_def else {
        panic!("calls, events and errors are enums");
    };
    let variants = of.variants.iter().map(|variant| Variant {
        index: variant.index,
        name: variant.name.clone(),
        fields: variant
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| {
                let name = field.name.clone().unwrap_or_else(|| at.to_string());
                (name, type_name(types, field.ty.id))
            })
            .collect(),
        about: about(&variant.docs),
    });
    variants.collect()
}

/// The first paragraph of a documentation, in one line.
fn about(docs: &[String]) -> String {
    let lines = docs.iter().map(|line| line.trim());
    let lines: Vec<&str> = lines
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The version we say an API has; clients find it by the hash of the name.
fn api_version(name: &str) -> u32 {
    let id = Blake2b::<U8>::digest(name.as_bytes());
    agon_runtime::VERSION
        .apis
        .iter()
        .find(|(of, _)| *of == id[..])
        .map(|(_, version)| *version)
        .expect("the runtime's version lists its APIs")
}

/// A type as the tables write it.
fn type_name(types: &PortableRegistry, id: u32) -> String {
    let of = types.resolve(id).expect("ids of the registry exist");
    let list = |ids: Vec<u32>| {
        ids.into_iter()
            .map(|id| type_name(types, id))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match &of.type_def {
        TypeDef::Composite(_) | TypeDef::Variant(_) => {
            let name = of.path.ident().unwrap_or_default();
            let parameters: Vec<u32> = of
                .type_params
                .iter()
                .filter_map(|parameter| Some(parameter.ty?.id))
                .collect();
            match name.as_str() {
                "Option" | "Result" | "BTreeMap" | "BTreeSet" => {
                    format!("{name}<{}>", list(parameters))
                }
                "BoundedVec" | "WeakBoundedVec" => {
                    format!("{name}<{}>", list(parameters[..1].to_vec()))
                }
                _ => name,
            }
        }
        TypeDef::Sequence(of) => format!("Vec<{}>", type_name(types, of.type_param.id)),
        TypeDef::Array(of) => format!("[{}; {}]", type_name(types, of.type_param.id), of.len),
        TypeDef::Tuple(of) => format!(
            "({})",
            list(of.fields.iter().map(|field| field.id).collect())
        ),
        TypeDef::Compact(of) => format!("Compact<{}>", type_name(types, of.type_param.id)),
        TypeDef::Primitive(primitive) => format!("{primitive:?}").to_lowercase(),
        TypeDef::BitSequence(_) => "BitSequence".into(),
    }
}
