//! What this runtime declares is what the public chain declares: names, indices, hashers, types and defaults.
//!
//! The public chain's tables are large and are not part of the project; the test is skipped where they are absent.

use codec::Decode;
use frame_metadata::{
    RuntimeMetadata, RuntimeMetadataPrefixed,
    v14::{StorageEntryModifier, StorageEntryType},
    v15::RuntimeMetadataV15,
};
use scale_info::{PortableRegistry, TypeDef, form::PortableForm};
use serde_json::Value;
use std::path::Path;

fn public_tables() -> Option<Value> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec/finney-424-tables.json");
    let Ok(text) = std::fs::read(&path) else {
        eprintln!("SKIPPED: no public tables at {}", path.display());
        return None;
    };
    Some(serde_json::from_slice(&text).expect("the tables are JSON"))
}

fn metadata() -> RuntimeMetadataV15 {
    let opaque = sp_io::TestExternalities::default()
        .execute_with(|| agon_runtime::Runtime::metadata_at_version(15))
        .expect("version 15 is what clients ask for");
    let prefixed = RuntimeMetadataPrefixed::decode(&mut &opaque[..]).expect("own metadata decode");
    match prefixed.1 {
        RuntimeMetadata::V15(metadata) => metadata,
        _ => panic!("asked for version 15"),
    }
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
                "Option" | "Result" => format!("{name}<{}>", list(parameters)),
                "BoundedVec" => format!("{name}<{}>", list(parameters[..1].to_vec())),
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

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn by_name<'a>(list: &'a Value, name: &str, what: &str) -> &'a Value {
    let items = list
        .as_array()
        .unwrap_or_else(|| panic!("the tables have no {what}"));
    items
        .iter()
        .find(|item| text(item, "n") == name)
        .unwrap_or_else(|| panic!("the public chain has no {what} {name}"))
}

type Variants = Vec<scale_info::Variant<PortableForm>>;

fn variants(types: &PortableRegistry, id: Option<u32>) -> Variants {
    let of = types
        .resolve(id.expect("the pallet declares it"))
        .expect("ids of the registry exist");
    match &of.type_def {
        TypeDef::Variant(of) => of.variants.clone(),
        other => panic!("expected an enum, found {other:?}"),
    }
}

fn assert_variants_are_public(
    types: &PortableRegistry,
    ours: &Variants,
    public: &Value,
    what: &str,
) {
    for variant in ours {
        let expected = by_name(public, &variant.name, what);
        assert_eq!(
            expected["i"], variant.index,
            "index of {what} {}",
            variant.name
        );
        let fields: Vec<[String; 2]> = variant
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| {
                [
                    field.name.clone().unwrap_or_else(|| at.to_string()),
                    type_name(types, field.ty.id),
                ]
            })
            .collect();
        let expected_fields: Vec<[String; 2]> =
            serde_json::from_value(expected["a"].clone()).expect("pairs of name and type");
        assert_eq!(fields, expected_fields, "fields of {what} {}", variant.name);
    }
}

#[test]
fn our_pallets_are_the_public_ones() {
    let Some(tables) = public_tables() else {
        return;
    };
    let metadata = metadata();
    let types = &metadata.types;
    for name in [
        "SubtensorModule",
        "Commitments",
        "AdminUtils",
        "Drand",
        "Swap",
    ] {
        let ours = metadata
            .pallets
            .iter()
            .find(|pallet| pallet.name == name)
            .expect("the pallet is in the runtime");
        let public = &tables["pallets"][name];
        assert_eq!(public["index"], ours.index, "index of {name}");
        let calls = variants(types, ours.calls.as_ref().map(|calls| calls.ty.id));
        assert_variants_are_public(types, &calls, &public["calls"], "call");
        let events = variants(types, ours.event.as_ref().map(|event| event.ty.id));
        assert_variants_are_public(types, &events, &public["events"], "event");
        // Clients know an error by its place alone, so the list is whole.
        let errors = variants(types, ours.error.as_ref().map(|error| error.ty.id));
        assert_variants_are_public(types, &errors, &public["errors"], "error");
        assert_eq!(
            Some(errors.len()),
            public["errors"].as_array().map(Vec::len),
            "errors of {name}"
        );

        let Some(storage) = &ours.storage else {
            continue;
        };
        assert_eq!(storage.prefix, text(public, "prefix"));
        for item in &storage.entries {
            let expected = by_name(&public["storage"], &item.name, "storage item");
            let (hashers, key, value) = match &item.ty {
                StorageEntryType::Plain(value) => (vec![], Value::Null, value),
                StorageEntryType::Map {
                    hashers,
                    key,
                    value,
                } => {
                    let hashers = hashers.iter().map(|hasher| format!("{hasher:?}")).collect();
                    (hashers, type_name(types, key.id).into(), value)
                }
            };
            let item_name = &item.name;
            assert_eq!(
                expected["h"],
                serde_json::json!(hashers),
                "hashers of {item_name}"
            );
            assert_eq!(expected["k"], key, "key of {item_name}");
            assert_eq!(
                text(expected, "v"),
                type_name(types, value.id),
                "value of {item_name}"
            );
            assert_eq!(
                text(expected, "mod"),
                format!("{:?}", item.modifier),
                "modifier of {item_name}"
            );
            if item.modifier == StorageEntryModifier::Default {
                let default: String = item
                    .default
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                assert_eq!(text(expected, "d"), default, "default of {item_name}");
            }
        }
    }
}

#[test]
fn other_pallets_stand_at_their_public_indices() {
    let Some(tables) = public_tables() else {
        return;
    };
    for pallet in metadata().pallets {
        assert_eq!(
            tables["pallets"][&pallet.name]["index"], pallet.index,
            "index of {}",
            pallet.name
        );
    }
}

#[test]
fn our_runtime_apis_are_public_ones() {
    let Some(tables) = public_tables() else {
        return;
    };
    let metadata = metadata();
    let types = &metadata.types;
    for name in [
        "NeuronInfoRuntimeApi",
        "SubnetInfoRuntimeApi",
        "SubnetRegistrationRuntimeApi",
        "SwapRuntimeApi",
    ] {
        let ours = metadata
            .apis
            .iter()
            .find(|api| api.name == name)
            .expect("the metadata list the API");
        for method in &ours.methods {
            let expected = by_name(&tables["apis"][name]["methods"], &method.name, "method");
            let inputs: Vec<[String; 2]> = method
                .inputs
                .iter()
                .map(|input| [input.name.clone(), type_name(types, input.ty.id)])
                .collect();
            assert_eq!(
                expected["i"],
                serde_json::json!(inputs),
                "arguments of {}",
                method.name
            );
            assert_eq!(
                text(expected, "o"),
                type_name(types, method.output.id),
                "result of {}",
                method.name
            );
        }
    }
}

/// What clients look for in the metadata by exact path.
#[test]
fn clients_find_the_types_they_look_for() {
    let metadata = metadata();
    let paths: Vec<String> = metadata
        .types
        .types
        .iter()
        .map(|of| of.ty.path.segments.join("::"))
        .collect();
    for path in [
        "agon_runtime::RuntimeCall",
        "agon_runtime::RuntimeEvent",
        "frame_system::EventRecord",
        "sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic",
    ] {
        assert!(paths.iter().any(|found| found == path), "{path}");
    }
    let extensions: Vec<&str> = metadata
        .extrinsic
        .signed_extensions
        .iter()
        .map(|extension| extension.identifier.as_str())
        .collect();
    assert_eq!(
        extensions,
        [
            "CheckNonZeroSender",
            "CheckSpecVersion",
            "CheckTxVersion",
            "CheckGenesis",
            "CheckMortality",
            "CheckNonce",
            "CheckWeight",
            "ChargeTransactionPayment",
            "SudoTransactionExtension",
            "SubtensorTransactionExtension",
            "CheckMetadataHash"
        ]
    );
    assert_eq!(metadata.extrinsic.version, 4);
}
