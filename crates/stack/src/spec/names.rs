//! Names and numbers. The file speaks of names; ids are handed out in the order of appearance, from zero.

use cofferdam_core::{AssetId, LayerId, MarketId, PoolId};

/// The names of a stack, and back.
///
/// ```
/// use cofferdam_core::MarketId;
/// use cofferdam_stack::Names;
/// assert_eq!(Names::default().market("ETH-PERP"), None);
/// assert_eq!(Names::default().market_name(MarketId(0)), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub(crate) assets: Vec<String>,
    pub(crate) markets: Vec<String>,
    pub(crate) pools: Vec<String>,
    pub(crate) layers: Vec<String>,
    pub(crate) breakers: Vec<String>,
}

macro_rules! names {
    ($($what:literal $list:ident $one:ident $name:ident $id:ident;)*) => { $(
        #[doc = concat!("The id of the ", $what, " of this name.")]
        #[must_use]
        pub fn $one(&self, name: &str) -> Option<$id> {
            let index = self.$list.iter().position(|n| n == name)?;
            u32::try_from(index).ok().map($id)
        }

        #[doc = concat!("The name of a ", $what, ".")]
        #[must_use]
        pub fn $name(&self, id: $id) -> Option<&str> {
            usize::try_from(id.0).ok().and_then(|i| self.$list.get(i)).map(String::as_str)
        }

        #[doc = concat!("All names of this sort, in the order of their ids: one per ", $what, ".")]
        #[must_use]
        pub fn $list(&self) -> &[String] {
            &self.$list
        }
    )* };
}

impl Names {
    names! {
        "asset" assets asset asset_name AssetId;
        "market" markets market market_name MarketId;
        "pool" pools pool pool_name PoolId;
        "layer" layers layer layer_name LayerId;
    }

    /// The place of the breaker of this name.
    #[must_use]
    pub fn breaker(&self, name: &str) -> Option<u32> {
        self.breakers.iter().position(|n| n == name).and_then(|i| u32::try_from(i).ok())
    }

    /// The name of the breaker at a place.
    #[must_use]
    pub fn breaker_name(&self, index: u32) -> Option<&str> {
        usize::try_from(index).ok().and_then(|i| self.breakers.get(i)).map(String::as_str)
    }

    /// The names of all breakers, in order.
    #[must_use]
    pub fn breakers(&self) -> &[String] {
        &self.breakers
    }
}

/// Why a name is refused, if it is. Letters, digits, dot, underscore and hyphen of ASCII only: nothing that looks like
/// something else.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (name.is_empty() || name.len() > 64 || !name.chars().all(good))
        .then_some("1 to 64 of the ASCII letters, digits, '.', '_' and '-'")
}
