//! Capital that is counted twice, and cover that fails when it is needed.

use crate::{Correlation, Manifest};
use alloc::{string::String, vec::Vec};
use cofferdam_core::{AssetId, LayerId};

/// Two layers that name the same capital: what one pays, the other cannot. A suspicion: their commitments may be bounded so that both
/// can be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The earlier layer.
    pub first: LayerId,
    /// The later one.
    pub second: LayerId,
    /// What both count, `org/name`.
    pub capital: String,
}

/// A layer whose money moves with what it covers, or with its own fate (wrong-way risk).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongWay {
    /// Which layer.
    pub layer: LayerId,
    /// What it moves with.
    pub with: Correlation,
}

/// Every pair of layers that name the same capital.
///
/// ```
/// use cofferdam_core::{AssetId, LayerId};
/// use cofferdam_insurance_layer::{Correlation, Manifest, Supports, Trigger, overlaps};
/// let names = |id: &str, capital: &str| Manifest {
///     id: id.into(), api_version: 1, asset: AssetId(0), trigger: Trigger::Indemnity, supports: Supports::NOTHING,
///     correlated: vec![Correlation::Capital(capital.into())],
/// };
/// let layers = [(LayerId(1), names("acme/cover", "acme/vault")), (LayerId(2), names("acme/excess", "acme/vault"))];
/// assert_eq!(overlaps(&layers)[0].capital, "acme/vault");
/// ```
#[must_use]
pub fn overlaps(layers: &[(LayerId, Manifest)]) -> Vec<Overlap> {
    let mut found = Vec::new();
    for (place, (first, manifest)) in layers.iter().enumerate() {
        for capital in capitals(manifest) {
            let later = layers.iter().skip(place.saturating_add(1));
            let same = later.filter(|(_, other)| capitals(other).any(|c| c == capital));
            found.extend(same.map(|(second, _)| Overlap {
                first: *first,
                second: *second,
                capital: capital.clone(),
            }));
        }
    }
    found
}

/// Every layer that moves with one of the assets that are covered, or with its own token.
#[must_use]
pub fn wrong_way(layers: &[(LayerId, Manifest)], covered: &[AssetId]) -> Vec<WrongWay> {
    let mut found = Vec::new();
    for (layer, manifest) in layers {
        let moves = manifest.correlated.iter().filter(|c| match c {
            Correlation::Asset(asset) => covered.contains(asset),
            Correlation::OwnToken => true,
            Correlation::Capital(_) => false,
        });
        found.extend(moves.map(|with| WrongWay { layer: *layer, with: with.clone() }));
    }
    found
}

fn capitals(manifest: &Manifest) -> impl Iterator<Item = &String> {
    manifest.correlated.iter().filter_map(|c| match c {
        Correlation::Capital(name) => Some(name),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{API_VERSION, Supports, Trigger};
    use alloc::vec;

    #[test]
    fn what_moves_together_is_named() {
        let manifest = |correlated| Manifest {
            id: "acme/cover".into(),
            api_version: API_VERSION,
            asset: AssetId(0),
            trigger: Trigger::Indemnity,
            supports: Supports::NOTHING,
            correlated,
        };
        let vault = || Correlation::Capital("acme/vault".into());
        let layers = [
            (LayerId(1), manifest(vec![vault(), Correlation::OwnToken])),
            (LayerId(2), manifest(vec![Correlation::Asset(AssetId(1))])),
            (LayerId(3), manifest(vec![Correlation::Asset(AssetId(2)), vault()])),
        ];
        let pair = Overlap { first: LayerId(1), second: LayerId(3), capital: "acme/vault".into() };
        assert_eq!(overlaps(&layers), [pair]);
        let risks = [
            WrongWay { layer: LayerId(1), with: Correlation::OwnToken },
            WrongWay { layer: LayerId(2), with: Correlation::Asset(AssetId(1)) },
        ];
        assert_eq!(wrong_way(&layers, &[AssetId(1)]), risks);
        assert_eq!(overlaps(&layers[1..]), []);
    }
}
