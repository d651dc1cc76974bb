//! timm's and torchvision's names of trunk weights, turned into ours.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Stored, Tensors};

/// Whose names a file has. Ours are timm's of EfficientNet and MobileNet, and what both libraries call the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// timm's EfficientNet or MobileNet.
    Timm,
    /// torchvision's EfficientNet.
    Torchvision,
    /// VGG of either.
    Vgg,
    /// ResNet of either.
    ResNet,
}

/// The first tensor of each family's networks: it shows what stands before all names.
const FIRST: [(Family, &str); 4] = [
    (Family::Timm, "conv_stem.weight"),
    (Family::Torchvision, "features.0.0.weight"),
    (Family::Vgg, "features.0.weight"),
    (Family::ResNet, "conv1.weight"),
];

/// What the classifiers of all of them are called.
const CLASSIFIERS: [&str; 4] = ["classifier.", "fc.", "head.", "pre_logits."];

/// The tensors of the trunk under our names without the prefix; what belongs to other parts is left out. `None` where
/// there is no network of a known library.
pub(super) fn ours(tensors: &Tensors) -> Option<BTreeMap<String, Cow<'_, Stored>>> {
    let before = |first: &str| {
        let before = tensors.keys().filter_map(|name| name.strip_suffix(first));
        before
            .filter(|before| before.is_empty() || before.ends_with('.'))
            .min_by_key(|before| before.len())
    };
    let (family, prefix) = FIRST
        .into_iter()
        .find_map(|(family, first)| Some((family, before(first)?)))?;
    let own: BTreeMap<&str, &Stored> = tensors
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
        .filter(|(name, _)| !CLASSIFIERS.iter().any(|part| name.starts_with(part)))
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .collect();
    let renamed = own.iter().map(|(&name, &tensor)| {
        let timm = match family {
            // What is not recognised keeps its name, and is reported as unexpected.
            Family::Torchvision => timm_name(name, &own).unwrap_or_else(|| name.into()),
            _ => name.to_owned(),
        };
        (our_name(&timm), Cow::Borrowed(tensor))
    });
    let mut renamed: BTreeMap<String, Cow<'_, Stored>> = renamed.collect();
    if family == Family::ResNet {
        add_biases(&mut renamed);
    }
    Some(renamed)
}

/// Our ResNet has a bias behind each convolution, where the libraries have none: nought is the same network.
fn add_biases(tensors: &mut BTreeMap<String, Cow<'_, Stored>>) {
    let kernels = tensors.iter().filter(|(_, tensor)| tensor.dims.len() == 4);
    let biases: Vec<(String, usize)> = kernels
        .filter_map(|(name, tensor)| {
            let bias = format!("{}.bias", name.strip_suffix(".weight")?);
            Some((bias, tensor.dims[0]))
        })
        .collect();
    for (bias, channels) in biases {
        tensors.entry(bias).or_insert_with(|| {
            Cow::Owned(Stored {
                dims: vec![channels],
                data: vec![0.0; channels],
            })
        });
    }
}

/// Our name for one of timm's: batch normalisations call their tensors as the operator does.
fn our_name(name: &str) -> String {
    let Some((module, role)) = name.rsplit_once('.') else {
        return name.into();
    };
    let layer = module.rsplit('.').next().unwrap_or(module);
    let is_norm = layer.starts_with("bn") || module.ends_with("downsample.1");
    let role = match (is_norm, role) {
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
