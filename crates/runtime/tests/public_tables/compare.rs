//! Beside the public tables: what is missing, what contradicts, and how much is there.

use crate::model::{Api, Pallet, Tables, Variant};
use std::collections::BTreeMap;
use std::fmt;

/// One kind of declaration of a pallet, or the methods of an API: by name, everything else in one line.
type Lines = BTreeMap<String, String>;

/// How much of one kind of a pallet's declarations, or of an API, is there.
pub struct Coverage {
    /// The pallet or the API.
    pub of: String,
    pub kind: &'static str,
    /// The number of the public pallet; none for an API.
    pub index: Option<u8>,
    /// Whether we have the pallet or the API at all.
    pub is_here: bool,
    /// How many are declared as the public chain does.
    pub same: usize,
    /// How many the public chain declares.
    pub public: usize,
    /// Names that only the public chain declares.
    pub missing: Vec<String>,
    /// What is declared otherwise, or only here.
    pub contradictions: Vec<Contradiction>,
}

/// One declaration that is not the public chain's.
pub struct Contradiction {
    pub name: String,
    pub ours: String,
    /// None where only we declare it.
    pub public: Option<String>,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = shortened(&self.ours);
        match &self.public {
            Some(public) => write!(
                formatter,
                "`{}` is `{ours}`, publicly `{}`",
                self.name,
                shortened(public)
            ),
            None => write!(formatter, "`{}` is not public: `{ours}`", self.name),
        }
    }
}

/// The beginning of a line; encoded constants can be very long.
fn shortened(line: &str) -> String {
    const MOST: usize = 160;
    if line.chars().count() <= MOST {
        return line.to_owned();
    }
    let beginning: String = line.chars().take(MOST / 4).collect();
    format!("{beginning}...")
}

/// Compares all pallets, by their numbers, and APIs that the public chain has with ours.
pub fn compare(ours: &Tables, public: &Tables) -> Vec<Coverage> {
    let mut pallets: Vec<(&String, &Pallet)> = public.pallets.iter().collect();
    pallets.sort_by_key(|(_, pallet)| pallet.index);
    let pallets = pallets.into_iter().flat_map(|(name, public)| {
        let lines = ours.pallets.get(name).map(pallet_lines);
        let kinds = pallet_lines(public).into_iter().enumerate();
        kinds.map(move |(at, (kind, public_lines))| {
            let ours = lines.as_ref().map(|lines| lines[at].1.clone());
            let index = Some(public.index);
            Coverage::of(name, kind, index, ours, &public_lines)
        })
    });
    let apis = public.apis.iter().map(|(name, public)| {
        let ours = ours.apis.get(name).map(api_lines);
        Coverage::of(name, "methods", None, ours, &api_lines(public))
    });
    pallets.chain(apis).collect()
}

impl Coverage {
    fn of(
        of: &str,
        kind: &'static str,
        index: Option<u8>,
        ours: Option<Lines>,
        public: &Lines,
    ) -> Self {
        let is_here = ours.is_some();
        let ours = ours.unwrap_or_default();
        let missing = public
            .keys()
            .filter(|name| !ours.contains_key(*name))
            .cloned()
            .collect();
        let declared = ours.len();
        let contradictions: Vec<Contradiction> = ours
            .into_iter()
            .filter(|(name, line)| public.get(name) != Some(line))
            .map(|(name, ours)| Contradiction {
                public: public.get(&name).cloned(),
                name,
                ours,
            })
            .collect();
        Self {
            of: of.into(),
            kind,
            index,
            is_here,
            same: declared - contradictions.len(),
            public: public.len(),
            missing,
            contradictions,
        }
    }
}

fn pallet_lines(pallet: &Pallet) -> Vec<(&'static str, Lines)> {
    let index = ("index".to_owned(), pallet.index.to_string());
    let prefix = pallet
        .prefix
        .clone()
        .map(|prefix| ("storage prefix".to_owned(), prefix));
    let storage = pallet.storage.iter().map(|item| {
        let key = match &item.key {
            Some(key) => format!("{} by {key} in {}", item.value, item.hashers.join(", ")),
            None => item.value.clone(),
        };
        (
            item.name.clone(),
            format!("{} {key}, else 0x{}", item.modifier, item.default),
        )
    });
    let constants = pallet.constants.iter().map(|constant| {
        (
            constant.name.clone(),
            format!("{} 0x{}", constant.ty, constant.value),
        )
    });
    vec![
        ("place", [index].into_iter().chain(prefix).collect()),
        ("calls", variant_lines(&pallet.calls)),
        ("storage", storage.collect()),
        ("events", variant_lines(&pallet.events)),
        ("errors", variant_lines(&pallet.errors)),
        ("constants", constants.collect()),
    ]
}

fn variant_lines(variants: &[Variant]) -> Lines {
    variants
        .iter()
        .map(|variant| {
            let line = format!("{}: ({})", variant.index, signature(&variant.fields));
            (variant.name.clone(), line)
        })
        .collect()
}

fn api_lines(api: &Api) -> Lines {
    let methods = api.methods.iter().map(|method| {
        let line = format!("({}) -> {}", signature(&method.inputs), method.output);
        (method.name.clone(), line)
    });
    methods
        .chain([("version".to_owned(), api.version.to_string())])
        .collect()
}

/// Names and types as a call writes them.
pub fn signature(fields: &[(String, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, of)| format!("{name}: {of}"))
        .collect();
    fields.join(", ")
}
