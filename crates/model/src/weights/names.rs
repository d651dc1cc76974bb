//! timm's and torchvision's names of EfficientNet weights, turned into ours.

use std::collections::BTreeMap;

use super::{Stored, Tensors};

/// The first tensor of each library's network: it shows what stands before all names.
const TIMM: &str = "conv_stem.weight";
const TORCHVISION: &str = "features.0.0.weight";

/// The tensors of the trunk under our names without the prefix; what belongs to other parts is left out. `None` where
/// there is no network of a known library.
pub(super) fn ours(tensors: &Tensors) -> Option<BTreeMap<String, &Stored>> {
    let before = |first: &str| {
        let before = tensors.keys().filter_map(|name| name.strip_suffix(first));
        before
            .filter(|before| before.is_empty() || before.ends_with('.'))
            .min_by_key(|before| before.len())
    };
    let (prefix, torchvision) = match (before(TIMM), before(TORCHVISION)) {
        (Some(prefix), _) => (prefix, false),
        (None, Some(prefix)) => (prefix, true),
        (None, None) => return None,
    };
    let own: BTreeMap<&str, &Stored> = tensors
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
        .filter(|(name, _)| !name.starts_with("classifier."))
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .collect();
    let renamed = own.iter().map(|(&name, &tensor)| {
        let timm = match torchvision {
            // What is not recognised keeps its name, and is reported as unexpected.
            true => timm_name(name, &own).unwrap_or_else(|| name.into()),
            false => name.to_owned(),
        };
        (our_name(&timm), tensor)
    });
    Some(renamed.collect())
}

/// Our name for one of timm's: batch normalisations call their tensors as the operator does.
fn our_name(name: &str) -> String {
    let Some((module, role)) = name.rsplit_once('.') else {
        return name.into();
    };
    let layer = module.rsplit('.').next().unwrap_or(module);
    let role = match (layer.starts_with("bn"), role) {
        (true, "weight") => "scale",
        (true, "running_mean") => "mean",
        (true, "running_var") => "var",
        (_, role) => role,
    };
    format!("{module}.{role}")
}

/// timm's name for one of torchvision's. Blocks without expansion number their layers differently.
fn timm_name(name: &str, all: &BTreeMap<&str, &Stored>) -> Option<String> {
    let rest = name.strip_prefix("features.")?;
    let parts: Vec<&str> = rest.split('.').collect();
    match parts.as_slice() {
        ["0", "0", role] => Some(format!("conv_stem.{role}")),
        ["0", "1", role] => Some(format!("bn1.{role}")),
        [_, "0", role] => Some(format!("conv_head.{role}")),
        [_, "1", role] => Some(format!("bn2.{role}")),
        [stage, block, "block", layer @ .., role] => {
            let last = format!("features.{stage}.{block}.block.3.0.weight");
            let layer = match (all.contains_key(last.as_str()), layer) {
                (true, ["0", "0"]) | (false, ["2", "0"]) => "conv_pw",
                (true, ["0", "1"]) | (false, ["0", "1"]) => "bn1",
                (true, ["1", "0"]) | (false, ["0", "0"]) => "conv_dw",
                (true, ["1", "1"]) | (false, ["2", "1"]) => "bn2",
                (true, ["2", "fc1"]) | (false, ["1", "fc1"]) => "se.conv_reduce",
                (true, ["2", "fc2"]) | (false, ["1", "fc2"]) => "se.conv_expand",
                (true, ["3", "0"]) => "conv_pwl",
                (true, ["3", "1"]) => "bn3",
                _ => return None,
            };
            let stage = stage.parse::<usize>().ok()?.checked_sub(1)?;
            Some(format!("blocks.{stage}.{block}.{layer}.{role}"))
        }
        _ => None,
    }
}
