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

/// Compares all pallets and APIs that we have and the public chain has too.
pub fn compare(ours: &Tables, public: &Tables) -> Vec<Coverage> {
    let pallets = ours.pallets.iter().filter_map(|(name, ours)| {
        let public = public.pallets.get(name)?;
        Some(
            pallet_lines(ours)
                .into_iter()
                .zip(pallet_lines(public))
                .map(|((kind, ours), (_, public))| Coverage::of(name, kind, ours, &public)),
        )
    });
    let apis = ours.apis.iter().filter_map(|(name, ours)| {
        let public = public.apis.get(name)?;
        Some(Coverage::of(
            name,
            "methods",
            api_lines(ours),
            &api_lines(public),
        ))
    });
    pallets.flatten().chain(apis).collect()
}

impl Coverage {
    fn of(of: &str, kind: &'static str, ours: Lines, public: &Lines) -> Self {
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
