//! The zip that `torch.save` writes: a pickle that describes tensors, and a file for each storage.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use super::pickle::{self, Object, Objects, View};
use super::{Kind, MAX_ELEMENTS, Stored, Tensors};

/// The pickle of the largest published networks has a few hundred kilobytes.
const MAX_PICKLE: u64 = 16 << 20;
const MAX_ENTRIES: usize = 1 << 16;

/// Under which keys training scripts keep the weights, the averaged ones first.
const KEYS: [&str; 4] = ["state_dict_ema", "model_ema", "state_dict", "model"];

pub(super) fn read(bytes: &[u8]) -> Result<Tensors, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    if archive.len() > MAX_ENTRIES {
        return Err(format!("the zip has {} entries", archive.len()));
    }
    let mut names = archive.file_names().filter_map(Result::ok);
    let pickled = names.find(|name| name.ends_with("/data.pkl"));
    let pickled = pickled.ok_or("the zip has no data.pkl")?.into_owned();
    drop(names);
    let root = pickled.trim_end_matches("data.pkl").to_owned();
    let order = format!("{root}byteorder");
    if archive.index_for_name(&order).is_some() && entry(&mut archive, &order, 16)? != b"little" {
        return Err("its numbers are not little-endian".into());
    }
    let objects = pickle::read(&entry(&mut archive, &pickled, MAX_PICKLE)?)?;
    let views = views(&objects)?;

    let mut storages: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut tensors = Tensors::new();
    let mut budget = MAX_ELEMENTS;
    for (name, view) in views {
        let Some(kind) = kind(&view.storage_type) else {
            continue;
        };
        let spend = |budget: usize, elements: usize| {
            let left = budget.checked_sub(elements);
            left.ok_or_else(|| format!("more than {MAX_ELEMENTS} elements"))
        };
        if !storages.contains_key(view.key.as_str()) {
            let bytes = entry(&mut archive, &format!("{root}data/{}", view.key), u64::MAX)?;
            if bytes.len() % kind.bytes() != 0 {
                return Err(format!("storage {} has {} bytes", view.key, bytes.len()));
            }
            budget = spend(budget, bytes.len() / kind.bytes())?;
            storages.insert(&view.key, kind.decode(&bytes));
        }
        let storage = &storages[view.key.as_str()];
        let elements = view.dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        budget = spend(budget, elements.unwrap_or(usize::MAX))?;
        let data = gather(view, storage).ok_or_else(|| {
            format!(
                "{name} reaches beyond its storage of {} elements",
                storage.len()
            )
        })?;
        let dims = view.dims.clone();
        tensors.insert(name.to_owned(), Stored { dims, data });
    }
    Ok(tensors)
}

fn entry(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, String> {
    let entry = archive
        .by_name(name)
        .map_err(|error| format!("{name}: {error}"))?;
    // torch.save compresses nothing, so an entry is never larger than the file that was already measured.
    if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
        return Err(format!("{name} is compressed or encrypted"));
    }
    if entry.size() > limit {
        return Err(format!("{name} has {} bytes", entry.size()));
    }
    let mut bytes = Vec::new();
    let read = entry.take(limit).read_to_end(&mut bytes);
    read.map_err(|error| format!("{name}: {error}"))?;
    Ok(bytes)
}

fn kind(storage_type: &str) -> Option<Kind> {
    match storage_type {
        "HalfStorage" => Some(Kind::Half),
        "BFloat16Storage" => Some(Kind::Brain),
        "FloatStorage" => Some(Kind::Single),
        "DoubleStorage" => Some(Kind::Double),
        _ => None,
    }
}

/// The tensors of the dictionary of weights, by name.
fn views(objects: &Objects) -> Result<Vec<(&str, &View)>, String> {
    let root = objects.root();
    let nested = KEYS.iter().find_map(|key| {
        let inner = objects.entry(root, key)?;
        matches!(objects.get(inner), Object::Dictionary(_)).then_some(inner)
    });
    let mut found = vec![];
    if let Object::Dictionary(entries) = objects.get(nested.unwrap_or(root)) {
        for &(key, value) in entries {
            if let (Object::Text(name), Object::Tensor(view)) =
                (objects.get(key), objects.get(value))
            {
                found.push((name.as_str(), view));
            }
        }
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err("holds no dictionary of tensors; save model.state_dict()".into()),
    }
}

/// The elements of a view, row-major; `None` if one lies outside the storage.
fn gather(view: &View, storage: &[f32]) -> Option<Vec<f32>> {
    let View {
        dims,
        strides,
        offset,
        ..
    } = view;
    if dims.contains(&0) {
        return Some(vec![]);
    }
    let last = dims
        .iter()
        .zip(strides)
        .try_fold(*offset, |last, (&dim, &stride)| {
            last.checked_add((dim - 1).checked_mul(stride)?)
        })?;
    if last >= storage.len() {
        return None;
    }
    let mut places = vec![*offset];
    for (&dim, &stride) in dims.iter().zip(strides) {
        let steps = |place: usize| (0..dim).map(move |step| place + step * stride);
        places = places.into_iter().flat_map(steps).collect();
    }
    Some(places.into_iter().map(|place| storage[place]).collect())
}
