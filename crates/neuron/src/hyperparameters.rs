//! The settings of a subnet by the names that the field's tools use.

use serde::{Serialize, Serializer};
use std::fmt;

use subxt::dynamic::Value;
use subxt::ext::scale_value::{Composite, Primitive, ValueDef};

use crate::state::SUBTENSOR;
use crate::{Call, ChainState, ReadError};

/// How a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Flag,
    Number,
    /// Two numbers, the lower first.
    Pair,
}

/// Who has the call that changes a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setter {
    /// `AdminUtils`, for root and in part for the subnet's owner.
    Admin(&'static str),
    /// The subnet module for the owner, `AdminUtils` for root.
    Either(&'static str, &'static str),
    /// The subnet module, for the owner.
    Owner(&'static str),
    /// Nobody.
    None,
}

/// A setting of a subnet: what it is called, where the chain keeps it and which call changes it.
#[derive(Clone, Copy, Debug)]
pub struct Hyperparameter {
    name: &'static str,
    item: &'static str,
    setter: Setter,
    form: Form,
}

/// The value of a [`Hyperparameter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// On or off.
    Flag(bool),
    /// A number; what it counts depends on the setting.
    Number(i128),
    /// A lower and a higher number.
    Pair(u64, u64),
}

/// A value that a setting cannot have, or a setting that nobody can change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// The value has another form.
    #[error("{name} takes {expected}, not `{given}`")]
    Form {
        /// The setting.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was given.
        given: String,
    },
    /// There is no call for it.
    #[error("{0} is fixed by the chain: no call changes it")]
    Fixed(&'static str),
}

const fn setting(
    name: &'static str,
    item: &'static str,
    setter: Setter,
    form: Form,
) -> Hyperparameter {
    Hyperparameter {
        name,
        item,
        setter,
        form,
    }
}

use Form::{Flag, Number, Pair};
use Setter::{Admin, Either, Owner};

/// All of them, by name.
pub const HYPERPARAMETERS: &[Hyperparameter] = &[
    setting(
        "activity_cutoff_factor",
        "ActivityCutoffFactorMilli",
        Owner("set_activity_cutoff_factor"),
        Number,
    ),
    setting(
        "alpha_sigmoid_steepness",
        "AlphaSigmoidSteepness",
        Admin("sudo_set_alpha_sigmoid_steepness"),
        Number,
    ),
    setting(
        "alpha_values",
        "AlphaValues",
        Admin("sudo_set_alpha_values"),
        Pair,
    ),
    setting(
        "bonds_moving_avg",
        "BondsMovingAverage",
        Admin("sudo_set_bonds_moving_average"),
        Number,
    ),
    setting(
        "bonds_penalty",
        "BondsPenalty",
        Admin("sudo_set_bonds_penalty"),
        Number,
    ),
    setting(
        "bonds_reset_enabled",
        "BondsResetOn",
        Admin("sudo_set_bonds_reset_enabled"),
        Flag,
    ),
    setting(
        "burn_half_life",
        "BurnHalfLife",
        Admin("sudo_set_burn_half_life"),
        Number,
    ),
    setting(
        "commit_reveal_period",
        "RevealPeriodEpochs",
        Admin("sudo_set_commit_reveal_weights_interval"),
        Number,
    ),
    setting(
        "commit_reveal_weights_enabled",
        "CommitRevealWeightsEnabled",
        Admin("sudo_set_commit_reveal_weights_enabled"),
        Flag,
    ),
    setting(
        "immune_owner_uids_limit",
        "ImmuneOwnerUidsLimit",
        Admin("sudo_set_owner_immune_neuron_limit"),
        Number,
    ),
    setting(
        "immunity_period",
        "ImmunityPeriod",
        Admin("sudo_set_immunity_period"),
        Number,
    ),
    setting("kappa", "Kappa", Admin("sudo_set_kappa"), Number),
    setting(
        "liquid_alpha_enabled",
        "LiquidAlphaOn",
        Admin("sudo_set_liquid_alpha_enabled"),
        Flag,
    ),
    setting("max_burn", "MaxBurn", Admin("sudo_set_max_burn"), Number),
    setting(
        "max_allowed_uids",
        "MaxAllowedUids",
        Admin("sudo_set_max_allowed_uids"),
        Number,
    ),
    setting(
        "max_validators",
        "MaxAllowedValidators",
        Admin("sudo_set_max_allowed_validators"),
        Number,
    ),
    setting("max_weights_limit", "MaxWeightsLimit", Setter::None, Number),
    setting(
        "min_allowed_uids",
        "MinAllowedUids",
        Admin("sudo_set_min_allowed_uids"),
        Number,
    ),
    setting(
        "min_allowed_weights",
        "MinAllowedWeights",
        Admin("sudo_set_min_allowed_weights"),
        Number,
    ),
    setting("min_burn", "MinBurn", Admin("sudo_set_min_burn"), Number),
    setting(
        "min_non_immune_uids",
        "MinNonImmuneUids",
        Admin("sudo_set_min_non_immune_uids"),
        Number,
    ),
    setting(
        "registration_allowed",
        "NetworkRegistrationAllowed",
        Admin("sudo_set_network_registration_allowed"),
        Flag,
    ),
    setting("rho", "Rho", Admin("sudo_set_rho"), Number),
    setting(
        "serving_rate_limit",
        "ServingRateLimit",
        Admin("sudo_set_serving_rate_limit"),
        Number,
    ),
    setting(
        "subnet_emission_enabled",
        "SubnetEmissionEnabled",
        Admin("sudo_set_subnet_emission_enabled"),
        Flag,
    ),
    setting(
        "subnet_is_active",
        "SubtokenEnabled",
        Admin("sudo_set_subtoken_enabled"),
        Flag,
    ),
    setting(
        "tempo",
        "Tempo",
        Either("set_tempo", "sudo_set_tempo"),
        Number,
    ),
    setting(
        "transfers_enabled",
        "TransferToggle",
        Admin("sudo_set_toggle_transfer"),
        Flag,
    ),
    setting(
        "weights_rate_limit",
        "WeightsSetRateLimit",
        Admin("sudo_set_weights_set_rate_limit"),
        Number,
    ),
    setting(
        "weights_version",
        "WeightsVersionKey",
        Admin("sudo_set_weights_version_key"),
        Number,
    ),
    setting(
        "yuma3_enabled",
        "Yuma3On",
        Admin("sudo_set_yuma3_enabled"),
        Flag,
    ),
];

impl Hyperparameter {
    /// The one with this name; the chain's name of the storage item is understood too.
    pub fn named(name: &str) -> Option<&'static Self> {
        HYPERPARAMETERS
            .iter()
            .find(|setting| setting.name == name || setting.item.eq_ignore_ascii_case(name))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a call changes it.
    pub fn can_be_set(&self) -> bool {
        self.setter != Setter::None
    }

    /// What the runtime remembers an owner's change of it by; `None` if it does not, as where only root may change it.
    pub(crate) fn limited_as(&self) -> Option<&'static str> {
        match self.name {
            "bonds_reset_enabled" => Some("BondsResetEnabled"),
            "commit_reveal_period" => Some("WeightCommitInterval"),
            "commit_reveal_weights_enabled" => Some("CommitRevealEnabled"),
            "immune_owner_uids_limit" => Some("ImmuneNeuronLimit"),
            "liquid_alpha_enabled" => Some("LiquidAlphaEnabled"),
            "transfers_enabled" => Some("TransferEnabled"),
            "yuma3_enabled" => Some("Yuma3Enabled"),
            "max_validators"
            | "max_weights_limit"
            | "min_allowed_uids"
            | "min_non_immune_uids"
            | "registration_allowed"
            | "subnet_is_active"
            | "weights_rate_limit" => None,
            _ => Some(self.item),
        }
    }

    /// The call that sets it to the value that `text` says: `true`/`false`, a whole number, or two
    /// with a comma. `root` chooses the call for the chain's root where the owner has another one.
    ///
    /// # Errors
    /// When the value has another form, or nobody can set it.
    pub fn set(&self, netuid: u16, text: &str, root: bool) -> Result<Call, BadSetting> {
        let wrong = |expected| BadSetting::Form {
            name: self.name,
            expected,
            given: text.to_owned(),
        };
        let number = |text: &str| {
            let number = text.trim().parse::<i128>().ok()?;
            Some(match u128::try_from(number) {
                Ok(number) => Value::u128(number),
                Err(_) => Value::i128(number),
            })
        };
        let values = match self.form {
            Flag => match text {
                "true" | "on" | "1" => vec![true.into()],
                "false" | "off" | "0" => vec![false.into()],
                _ => return Err(wrong("`true` or `false`")),
            },
            Number => vec![number(text).ok_or_else(|| wrong("a whole number"))?],
            Pair => {
                let pair = text.split_once(',');
                let pair = pair.and_then(|(low, high)| Some(vec![number(low)?, number(high)?]));
                pair.ok_or_else(|| wrong("two whole numbers such as `45875,58982`"))?
            }
        };
        let arguments = [netuid.into()].into_iter().chain(values);
        Ok(match self.setter {
            Admin(call) | Either(_, call) if root => Call::admin(call, arguments),
            Admin(call) => Call::admin(call, arguments),
            Owner(call) | Either(call, _) => Call::subtensor(call, arguments),
            Setter::None => return Err(BadSetting::Fixed(self.name)),
        })
    }
}

/// What stands in the way of an owner who wants to change a subnet's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// How many blocks before each epoch the settings are frozen.
    pub window: u64,
    /// The block of the epoch after which they can be changed again.
    pub epoch: u64,
    /// Whether one epoch's freeze begins before the last one ends, so that only root can change them.
    pub endless: bool,
}

impl ChainState {
    /// Whether a subnet's settings are frozen for its owner, because an epoch is near, in the next block.
    ///
    /// # Errors
    /// As every read.
    pub async fn freeze(&self, netuid: u16) -> Result<Option<Freeze>, ReadError> {
        let (window, epoch) = tokio::try_join!(
            self.read::<_, u16>(SUBTENSOR, "AdminFreezeWindow", ()),
            self.epoch(netuid)
        )?;
        let window = u64::from(window);
        let next = self.number().saturating_add(1);
        let near = epoch
            .next_block
            .filter(|epoch| epoch.saturating_sub(next) < window);
        Ok(near.map(|near| Freeze {
            window,
            epoch: near,
            // In the block of the epoch itself the next one is a whole tempo away.
            endless: window > u64::from(epoch.tempo),
        }))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Pair(low, high) => write!(f, "{low},{high}"),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => match i64::try_from(*number) {
                Ok(number) => serializer.serialize_i64(number),
                // Above that many readers lose digits.
                Err(_) => serializer.serialize_str(&number.to_string()),
            },
            Self::Pair(low, high) => [low, high].serialize(serializer),
        }
    }
}

impl ChainState {
    /// The settings of a subnet that this runtime has, by name.
    ///
    /// # Errors
    /// As every read.
    pub async fn settings(
        &self,
        netuid: u16,
    ) -> Result<Vec<(&'static Hyperparameter, Setting)>, ReadError> {
        let known = HYPERPARAMETERS
            .iter()
            .filter(|setting| self.has_storage(SUBTENSOR, setting.item));
        let reads = known.map(|setting| async move {
            let value = self.of_subnet::<Value>(setting.item, netuid).await?;
            Ok::<_, ReadError>((setting, read(&value)))
        });
        let settings = futures::future::try_join_all(reads).await?;
        let readable = settings
            .into_iter()
            .filter_map(|(setting, value)| Some((setting, value?)));
        Ok(readable.collect())
    }
}

/// A setting through at most a few newtypes; `None` for what is none.
fn read(value: &Value) -> Option<Setting> {
    let mut value = value;
    for _ in 0..4 {
        match &value.value {
            ValueDef::Primitive(Primitive::Bool(flag)) => return Some(Setting::Flag(*flag)),
            ValueDef::Primitive(Primitive::U128(number)) => {
                return i128::try_from(*number).ok().map(Setting::Number);
            }
            ValueDef::Primitive(Primitive::I128(number)) => return Some(Setting::Number(*number)),
            ValueDef::Composite(Composite::Unnamed(inner)) if inner.len() == 2 => {
                let number = |value| match read(value)? {
                    Setting::Number(number) => u64::try_from(number).ok(),
                    _ => None,
                };
                return Some(Setting::Pair(number(&inner[0])?, number(&inner[1])?));
            }
            ValueDef::Composite(inner) => value = inner.values().next()?,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        let names: Vec<_> = HYPERPARAMETERS.iter().map(Hyperparameter::name).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
        assert_eq!(Hyperparameter::named("Tempo").unwrap().name(), "tempo");
        assert!(Hyperparameter::named("temperature").is_none());
    }

    #[test]
    fn values_have_the_form_of_their_setting() {
        let set = |name, text| Hyperparameter::named(name).unwrap().set(1, text, false);
        assert_eq!(
            set("tempo", "360").unwrap().to_string(),
            "SubtensorModule.set_tempo"
        );
        let root = Hyperparameter::named("tempo").unwrap().set(1, "9", true);
        assert_eq!(root.unwrap().to_string(), "AdminUtils.sudo_set_tempo");
        assert!(set("alpha_values", "45875,58982").is_ok());
        assert!(set("alpha_sigmoid_steepness", "-1000").is_ok());
        for (name, text) in [
            ("tempo", "fast"),
            ("yuma3_enabled", "2"),
            ("alpha_values", "45875"),
            ("kappa", "0.5"),
        ] {
            let error = set(name, text).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
        let error = set("max_weights_limit", "1").unwrap_err();
        assert_eq!(error, BadSetting::Fixed("max_weights_limit"));
    }

    #[test]
    fn values_are_read_through_newtypes() {
        let pair = Value::unnamed_composite([Value::u128(1), Value::u128(2)]);
        assert_eq!(read(&pair), Some(Setting::Pair(1, 2)));
        let wrapped = Value::unnamed_composite([Value::u128(7)]);
        assert_eq!(read(&wrapped), Some(Setting::Number(7)));
        assert_eq!(read(&Value::i128(-3)), Some(Setting::Number(-3)));
        assert_eq!(read(&Value::bool(true)), Some(Setting::Flag(true)));
        assert_eq!(read(&Value::string("no")), None);
    }
}
