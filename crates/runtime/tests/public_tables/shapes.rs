//! Types field by field: what a client decodes with the public chain's metadata it must decode with ours.

use frame_metadata::v14::StorageEntryType;
use frame_metadata::v15::{PalletMetadata, RuntimeMetadataV15};
use scale_info::form::PortableForm;
use scale_info::{Field, PortableRegistry, TypeDef};
use std::collections::BTreeSet;

/// Types that depend on what a runtime consists of, on which no two agree, and those that grew a variant with the
/// framework's version.
const NOT_COMPARED: [&str; 8] = [
    "LazyBlock",
    "UncheckedExtrinsic",
    "RuntimeCall",
    "RuntimeEvent",
    "OriginCaller",
    "RuntimeError",
    "MultiSigner",
    "MultiSignature",
];

/// Two registries side by side.
pub struct Shapes<'a> {
    ours: &'a PortableRegistry,
    public: &'a PortableRegistry,
    seen: BTreeSet<(u32, u32)>,
    /// Where the types differ, and how.
    pub differences: Vec<String>,
}

/// Compares the types of some pallets' and all shared APIs' declarations.
pub fn differences(
    ours: &RuntimeMetadataV15,
    public: &RuntimeMetadataV15,
    pallets: &[&str],
) -> Vec<String> {
    let mut shapes = Shapes {
        ours: &ours.types,
        public: &public.types,
        seen: BTreeSet::new(),
        differences: Vec::new(),
    };
    for name in pallets {
        let find = |metadata: &RuntimeMetadataV15| -> Option<PalletMetadata<PortableForm>> {
            let found = metadata.pallets.iter().find(|pallet| pallet.name == *name);
            found.cloned()
        };
        if let (Some(ours), Some(public)) = (find(ours), find(public)) {
            shapes.pallet(&ours, &public);
        }
    }
    for ours in &ours.apis {
        let Some(public) = public.apis.iter().find(|api| api.name == ours.name) else {
            continue;
        };
        for ours in &ours.methods {
            let Some(public) = public.methods.iter().find(|of| of.name == ours.name) else {
                continue;
            };
            shapes.same(&ours.name, ours.output.id, public.output.id);
            for (ours, public) in ours.inputs.iter().zip(&public.inputs) {
                shapes.same(&ours.name, ours.ty.id, public.ty.id);
            }
        }
    }
    shapes.differences
}

impl Shapes<'_> {
    fn pallet(
        &mut self,
        ours: &PalletMetadata<PortableForm>,
        public: &PalletMetadata<PortableForm>,
    ) {
        let enums = [
            (
                "calls",
                ours.calls.as_ref().map(|of| of.ty.id),
                public.calls.as_ref().map(|of| of.ty.id),
            ),
            (
                "events",
                ours.event.as_ref().map(|of| of.ty.id),
                public.event.as_ref().map(|of| of.ty.id),
            ),
        ];
        for (kind, ours_id, public_id) in enums {
            if let (Some(ours_id), Some(public_id)) = (ours_id, public_id) {
                self.same(&format!("{} {kind}", ours.name), ours_id, public_id);
            }
        }
        let (Some(ours), Some(public)) = (&ours.storage, &public.storage) else {
            return;
        };
        for ours in &ours.entries {
            let Some(public) = public.entries.iter().find(|of| of.name == ours.name) else {
                continue;
            };
            let (ours_value, public_value) = match (&ours.ty, &public.ty) {
                (StorageEntryType::Plain(ours), StorageEntryType::Plain(public)) => (ours, public),
                (
                    StorageEntryType::Map { key, value, .. },
                    StorageEntryType::Map {
                        key: public_key,
                        value: public_value,
                        ..
                    },
                ) => {
                    self.same(&ours.name, key.id, public_key.id);
                    (value, public_value)
                }
                _ => continue,
            };
            self.same(&ours.name, ours_value.id, public_value.id);
        }
    }

    fn differ(&mut self, at: &str, how: &str) {
        self.differences.push(format!("{at}: {how}"));
    }

    fn same(&mut self, at: &str, ours_id: u32, public_id: u32) {
        if !self.seen.insert((ours_id, public_id)) {
            return;
        }
        let (Some(ours), Some(public)) =
            (self.ours.resolve(ours_id), self.public.resolve(public_id))
        else {
            return self.differ(at, "a type is not in its registry");
        };
        let name = ours.path.ident().unwrap_or_default();
        if NOT_COMPARED.contains(&name.as_str()) {
            return;
        }
        let public_name = public.path.ident().unwrap_or_default();
        if name != public_name {
            self.differ(
                at,
                &format!("the type is {name:?}, publicly {public_name:?}"),
            );
        }
        let at = if name.is_empty() {
            at.to_owned()
        } else {
            format!("{at}.{name}")
        };
        match (&ours.type_def, &public.type_def) {
            (TypeDef::Composite(ours), TypeDef::Composite(public)) => {
                self.same_fields(&at, &ours.fields, &public.fields);
            }
            (TypeDef::Variant(ours), TypeDef::Variant(public)) => {
                for variant in &ours.variants {
                    let at = format!("{at}::{}", variant.name);
                    match public.variants.iter().find(|of| of.name == variant.name) {
                        Some(of) if of.index == variant.index => {
                            self.same_fields(&at, &variant.fields, &of.fields);
                        }
                        Some(of) => self.differ(
                            &at,
                            &format!("index {}, publicly {}", variant.index, of.index),
                        ),
                        None => self.differ(&at, "not public"),
                    }
                }
            }
            (TypeDef::Sequence(ours), TypeDef::Sequence(public)) => {
                self.same(&at, ours.type_param.id, public.type_param.id);
            }
            (TypeDef::Compact(ours), TypeDef::Compact(public)) => {
                self.same(&at, ours.type_param.id, public.type_param.id);
            }
            (TypeDef::Array(ours), TypeDef::Array(public)) if ours.len == public.len => {
                self.same(&at, ours.type_param.id, public.type_param.id);
            }
            (TypeDef::Tuple(ours), TypeDef::Tuple(public))
                if ours.fields.len() == public.fields.len() =>
            {
                for (ours, public) in ours.fields.iter().zip(&public.fields) {
                    self.same(&at, ours.id, public.id);
                }
            }
            (TypeDef::Primitive(ours), TypeDef::Primitive(public)) if ours == public => {}
            (ours, public) => self.differ(&at, &format!("{ours:?}, publicly {public:?}")),
        }
    }

    fn same_fields(
        &mut self,
        at: &str,
        ours: &[Field<PortableForm>],
        public: &[Field<PortableForm>],
    ) {
        let names = |fields: &[Field<PortableForm>]| -> Vec<Option<String>> {
            fields.iter().map(|field| field.name.clone()).collect()
        };
        if names(ours) != names(public) {
            let how = format!("fields {:?}, publicly {:?}", names(ours), names(public));
            return self.differ(at, &how);
        }
        for (ours, public) in ours.iter().zip(public) {
            let at = match &ours.name {
                Some(name) => format!("{at}.{name}"),
                None => at.to_owned(),
            };
            self.same(&at, ours.ty.id, public.ty.id);
        }
    }
}
