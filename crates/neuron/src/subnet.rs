//! What is told of subnets: names, owners, pools and prices.

use agon_keys::AccountId;
use serde::Serialize;
use subxt::dynamic::Value;
use subxt::ext::scale_decode::DecodeAsType;

use crate::state::SUBTENSOR;
use crate::{ChainState, ReadError};

/// The netuid of the root network, whose alpha is TAO itself.
pub const ROOT: u16 = 0;

/// One TAO in rao, and one alpha in its smallest unit.
pub const TAO: u64 = 1_000_000_000;

/// What a subnet's owner says of it (`SubnetIdentityV3`): texts, usually UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Identity {
    /// The subnet's name.
    #[serde(serialize_with = "text")]
    pub subnet_name: Vec<u8>,
    /// Where its code is.
    #[serde(serialize_with = "text")]
    pub github_repo: Vec<u8>,
    /// How to reach its owner.
    #[serde(serialize_with = "text")]
    pub subnet_contact: Vec<u8>,
    /// Its page.
    #[serde(serialize_with = "text")]
    pub subnet_url: Vec<u8>,
    /// Its channel or account on Discord.
    #[serde(serialize_with = "text")]
    pub discord: Vec<u8>,
    /// What it is for.
    #[serde(serialize_with = "text")]
    pub description: Vec<u8>,
    /// Its logo.
    #[serde(serialize_with = "text")]
    pub logo_url: Vec<u8>,
    /// Anything else.
    #[serde(serialize_with = "text")]
    pub additional: Vec<u8>,
}

impl Identity {
    /// The fields in the chain's order, with their names.
    pub fn texts(&self) -> [(&'static str, &[u8]); 8] {
        [
            ("subnet_name", &self.subnet_name),
            ("github_repo", &self.github_repo),
            ("subnet_contact", &self.subnet_contact),
            ("subnet_url", &self.subnet_url),
            ("discord", &self.discord),
            ("description", &self.description),
            ("logo_url", &self.logo_url),
            ("additional", &self.additional),
        ]
    }

    pub(crate) fn named(&self) -> Value {
        let fields = self.texts();
        Value::named_composite(fields.map(|(name, text)| (name, Value::from_bytes(text))))
    }
}

/// A subnet at one block, in a few lines. Amounts are rao of TAO or of the subnet's alpha.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subnet {
    /// Its number.
    pub netuid: u16,
    /// What its owner says of it.
    pub identity: Option<Identity>,
    /// The symbol of its token.
    pub symbol: String,
    /// The coldkey that owns it.
    pub owner: AccountId,
    /// The hotkey of its owner.
    pub owner_hotkey: AccountId,
    /// How many neurons it has, and how many it can have.
    pub neurons: u16,
    /// The most neurons.
    pub max_neurons: u16,
    /// Blocks from one epoch to the next.
    pub tempo: u16,
    /// The block in which it was founded.
    pub registered_at: u64,
    /// The first block whose emission it can receive; `None` until its owner has started it.
    pub started_at: Option<u64>,
    /// Whether hotkeys can register.
    pub registration_allowed: bool,
    /// The price of a registration, in TAO rao.
    pub burn: u64,
    /// TAO in its pool.
    pub tao_in: u64,
    /// Alpha in its pool.
    pub alpha_in: u64,
    /// Alpha outside its pool.
    pub alpha_out: u64,
    /// Rao of TAO for one alpha.
    pub price: u64,
}

impl Subnet {
    /// Its name as text; empty if it has none.
    pub fn name(&self) -> String {
        let name = self.identity.as_ref().map(|identity| &identity.subnet_name);
        name.map_or(String::new(), |name| {
            String::from_utf8_lossy(name).into_owned()
        })
    }
}

/// What a trade would bring now, by the chain's own reckoning; rao of TAO and alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Trade {
    /// The TAO that is paid or gained.
    pub tao_amount: u64,
    /// The alpha that is gained or paid.
    pub alpha_amount: u64,
    /// The fee, in TAO.
    pub tao_fee: u64,
    /// The fee, in alpha.
    pub alpha_fee: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct SubnetPrice {
    netuid: u16,
    price: u64,
}

impl ChainState {
    /// All subnets, ascending.
    ///
    /// # Errors
    /// As every read.
    pub async fn subnet_list(&self) -> Result<Vec<Subnet>, ReadError> {
        let netuids = self.subnets().await?;
        self.describe(&netuids).await
    }

    /// One subnet; `None` if it does not exist.
    ///
    /// # Errors
    /// As every read.
    pub async fn subnet(&self, netuid: u16) -> Result<Option<Subnet>, ReadError> {
        if !self.subnet_exists(netuid).await? {
            return Ok(None);
        }
        Ok(self.describe(&[netuid]).await?.pop())
    }

    /// One request an item, however many subnets there are. What an older or a later runtime does
    /// not have is shown as if nobody had set it.
    async fn describe(&self, netuids: &[u16]) -> Result<Vec<Subnet>, ReadError> {
        let (names, places, pools) = tokio::try_join!(
            async {
                tokio::try_join!(
                    self.column::<Identity>("SubnetIdentitiesV3", netuids),
                    self.column::<Vec<u8>>("TokenSymbol", netuids),
                    self.column::<[u8; 32]>("SubnetOwner", netuids),
                    self.column::<[u8; 32]>("SubnetOwnerHotkey", netuids),
                )
            },
            async {
                tokio::try_join!(
                    self.column::<u16>("SubnetworkN", netuids),
                    self.column::<u16>("MaxAllowedUids", netuids),
                    self.column::<u16>("Tempo", netuids),
                    self.column::<u64>("NetworkRegisteredAt", netuids),
                    self.column::<u64>("FirstEmissionBlockNumber", netuids),
                    self.column::<bool>("NetworkRegistrationAllowed", netuids),
                    self.column::<u64>("Burn", netuids),
                )
            },
            async {
                tokio::try_join!(
                    self.column::<u64>("SubnetTAO", netuids),
                    self.column::<u64>("SubnetAlphaIn", netuids),
                    self.column::<u64>("SubnetAlphaOut", netuids),
                    self.prices(netuids),
                )
            },
        )?;
        let (mut identity, symbol, owner, owner_hotkey) = names;
        let (neurons, max_neurons, tempo, registered_at, started_at, open, burn) = places;
        let (tao_in, alpha_in, alpha_out, prices) = pools;
        let account = |key: Option<[u8; 32]>| AccountId(key.unwrap_or_default());
        let subnets = netuids.iter().enumerate().map(|(i, &netuid)| Subnet {
            netuid,
            identity: identity[i].take(),
            symbol: String::from_utf8_lossy(symbol[i].as_deref().unwrap_or_default()).into_owned(),
            owner: account(owner[i]),
            owner_hotkey: account(owner_hotkey[i]),
            neurons: neurons[i].unwrap_or_default(),
            max_neurons: max_neurons[i].unwrap_or_default(),
            tempo: tempo[i].unwrap_or_default(),
            registered_at: registered_at[i].unwrap_or_default(),
            started_at: started_at[i],
            registration_allowed: open[i].unwrap_or_default(),
            burn: burn[i].unwrap_or_default(),
            tao_in: tao_in[i].unwrap_or_default(),
            alpha_in: alpha_in[i].unwrap_or_default(),
            alpha_out: alpha_out[i].unwrap_or_default(),
            price: prices[i],
        });
        Ok(subnets.collect())
    }

    /// Rao of TAO for one alpha of each subnet: as the chain reckons, or TAO over alpha in the
    /// pool where it cannot be asked. A subnet with an empty pool trades one for one, as root.
    ///
    /// # Errors
    /// As every read.
    pub async fn prices(&self, netuids: &[u16]) -> Result<Vec<u64>, ReadError> {
        let told = self
            .runtime::<_, Vec<SubnetPrice>>("SwapRuntimeApi", "current_alpha_price_all", ())
            .await?
            .unwrap_or_default();
        let (tao, alpha) = tokio::try_join!(
            self.column::<u64>("SubnetTAO", netuids),
            self.column::<u64>("SubnetAlphaIn", netuids),
        )?;
        let prices = netuids.iter().enumerate().map(|(i, &netuid)| {
            let told = told.iter().find(|price| price.netuid == netuid);
            match (netuid, told) {
                (ROOT, _) => TAO,
                (_, Some(told)) => told.price,
                _ => pool_price(tao[i].unwrap_or_default(), alpha[i].unwrap_or_default()),
            }
        });
        Ok(prices.collect())
    }

    /// What staking `rao` of TAO in a subnet would bring; `None` if the chain cannot be asked.
    ///
    /// # Errors
    /// As every read.
    pub async fn simulate_buy(&self, netuid: u16, rao: u64) -> Result<Option<Trade>, ReadError> {
        self.runtime("SwapRuntimeApi", "sim_swap_tao_for_alpha", (netuid, rao))
            .await
    }

    /// What withdrawing `alpha` rao from a subnet would bring; `None` if the chain cannot be asked.
    ///
    /// # Errors
    /// As every read.
    pub async fn simulate_sale(&self, netuid: u16, alpha: u64) -> Result<Option<Trade>, ReadError> {
        self.runtime("SwapRuntimeApi", "sim_swap_alpha_for_tao", (netuid, alpha))
            .await
    }

    /// What founding a subnet costs now, in rao; `None` if the chain cannot be asked.
    ///
    /// # Errors
    /// As every read.
    pub async fn subnet_cost(&self) -> Result<Option<u64>, ReadError> {
        let api = "SubnetRegistrationRuntimeApi";
        self.runtime(api, "get_network_registration_cost", ()).await
    }

    /// The netuids of the subnets where a hotkey has a uid, ascending.
    ///
    /// # Errors
    /// As every read.
    pub async fn memberships(&self, hotkey: AccountId) -> Result<Vec<u16>, ReadError> {
        let all: Vec<(([u8; 32], u16), bool)> = self
            .pairs(SUBTENSOR, "IsNetworkMember", (hotkey.0,))
            .await?;
        let member = all.into_iter().filter(|(_, member)| *member);
        let mut netuids: Vec<u16> = member.map(|((_, netuid), _)| netuid).collect();
        netuids.sort_unstable();
        Ok(netuids)
    }

    /// One item of the subnet module for many subnets; `None` where there is neither a value nor a
    /// default, or the runtime has no such item.
    async fn column<V>(&self, item: &str, netuids: &[u16]) -> Result<Vec<Option<V>>, ReadError>
    where
        V: DecodeAsType,
    {
        if !self.has_storage(SUBTENSOR, item) {
            return Ok(netuids.iter().map(|_| None).collect());
        }
        let keys = netuids.iter().map(|&netuid| (netuid,)).collect();
        self.try_many(SUBTENSOR, item, keys).await
    }
}

fn pool_price(tao: u64, alpha: u64) -> u64 {
    match alpha {
        0 => TAO,
        alpha => {
            let price = u128::from(tao) * u128::from(TAO) / u128::from(alpha);
            u64::try_from(price).unwrap_or(u64::MAX)
        }
    }
}

fn text<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_has_a_price() {
        assert_eq!(pool_price(0, 0), TAO);
        assert_eq!(pool_price(1_000 * TAO, 4_000 * TAO), TAO / 4);
        assert_eq!(pool_price(u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn an_identity_is_shown_as_text() {
        let identity = Identity {
            subnet_name: "Skin".into(),
            discord: vec![0xff],
            ..Identity::default()
        };
        let json = serde_json::to_value(&identity).unwrap();
        assert_eq!(json["subnet_name"], "Skin");
        assert_eq!(json["discord"], "\u{fffd}");
    }
}
