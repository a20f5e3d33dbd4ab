//! A stack that was built from a file or from a question, with its names, and the conversions between what people write
//! (names, decimal units) and what rooms compute with (ids, atoms, lots, ticks, quanta). Nothing is rounded here: a number
//! that is not whole in its unit is refused with the unit that would do.

use crate::args::StackArgs;
use crate::document::{Document, Place, read_text};
use crate::error::CliError;
use crate::format::{InstrumentName, Number, Sections, StackInput};
use cofferdam_core::{
    Amount, AssetId, Decimal, DecimalError, Instrument, LayerId, Lots, MarketId, MathError, PoolId, Ppb,
    Quanta, Ticks,
};
use cofferdam_protocols::Preset;
use cofferdam_stack::{AssetTerms, Built, ConfigError, MarketTerms, Parts, RiskStack, StackConfig};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A stack and its names.
#[derive(Debug)]
pub(crate) struct Composed {
    built: Built,
    folder: PathBuf,
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::BadInput(error.to_string())
    }
}

/// A stack that was chosen on the command line or by a question.
#[derive(Clone, Debug)]
pub(crate) enum Chosen {
    /// A stack file.
    File(PathBuf),
    /// A built-in venue.
    Protocol(&'static Preset),
}

impl Chosen {
    /// The built-in venue of this name.
    pub(crate) fn protocol(name: &str) -> Result<Self, CliError> {
        cofferdam_protocols::preset(name).map(Self::Protocol).ok_or_else(|| {
            let known: Vec<&str> = cofferdam_protocols::presets().iter().map(|p| p.name).collect();
            CliError::BadInput(format!("--protocol {name}; accepted: {}", one_of(&known)))
        })
    }

    /// Its specs.
    pub(crate) fn config(&self) -> Result<StackConfig, CliError> {
        Ok(match self {
            Self::File(path) => StackConfig::load(path)?,
            Self::Protocol(preset) => preset.config()?,
        })
    }

    /// What is written in it.
    pub(crate) fn text(&self) -> Result<String, CliError> {
        match self {
            Self::File(path) => read_text(path),
            Self::Protocol(preset) => Ok(preset.stack.to_owned()),
        }
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Protocol(preset) => format!("protocol {}", preset.name),
        }
    }

    fn folder(&self) -> PathBuf {
        match self {
            Self::File(path) => path.parent().map(Path::to_path_buf).unwrap_or_default(),
            Self::Protocol(_) => PathBuf::new(),
        }
    }
}

impl StackArgs {
    /// What was chosen, if anything was.
    pub(crate) fn chosen(&self) -> Result<Option<Chosen>, CliError> {
        match (&self.stack, &self.protocol) {
            (Some(path), _) => Ok(Some(Chosen::File(path.clone()))),
            (None, Some(name)) => Chosen::protocol(name).map(Some),
            (None, None) => Ok(None),
        }
    }
}

impl Composed {
    /// The stack that was chosen.
    pub(crate) fn of(chosen: &Chosen) -> Result<Self, CliError> {
        Ok(Self { built: chosen.config()?.build()?, folder: chosen.folder() })
    }

    /// The stack that a question is put to: the one of `--stack` or `--protocol`, else the one that the question names, with the sections
    /// that the question replaces.
    pub(crate) fn choose(
        flag: Option<&Chosen>,
        document: &Document,
        stack: Option<&StackInput>,
        replace: &Sections,
    ) -> Result<Self, CliError> {
        let at = document.top().field("stack");
        let file = match (flag, stack) {
            (Some(chosen), _) => chosen.clone(),
            (None, Some(StackInput::File(path))) => Chosen::File(document.folder().join(path)),
            (None, Some(StackInput::Inline(stack))) => {
                return Self::from_sections(at.to_string(), stack.clone(), replace, document);
            }
            (None, None) => {
                return Err(CliError::refuse(
                    &at,
                    "the path of a stack file, a whole stack, --stack FILE or --protocol NAME",
                ));
            }
        };
        if replace.is_empty() {
            return Self::of(&file);
        }
        // refused as a stack file is, before anything in it is replaced
        file.config()?;
        let sections: Sections =
            toml::from_str(&file.text()?).map_err(|e| CliError::BadInput(format!("{}: {e}", file.name())))?;
        let mut composed = Self::from_sections(file.name(), sections, replace, document)?;
        composed.folder = file.folder();
        Ok(composed)
    }

    fn from_sections(
        name: String,
        mut sections: Sections,
        replace: &Sections,
        document: &Document,
    ) -> Result<Self, CliError> {
        sections.extend(replace.clone());
        let text = toml::to_string(&sections)
            .map_err(|e| CliError::at(&document.top(), format_args!("not a stack: {e}")))?;
        let name = if replace.is_empty() {
            name
        } else {
            format!("{name} with {}", document.top().field("replace"))
        };
        let built = StackConfig::from_toml(&text, &name)?.build()?;
        Ok(Self { built, folder: document.folder().to_path_buf() })
    }

    /// The composed modules.
    pub(crate) const fn stack(&self) -> &RiskStack {
        &self.built.stack
    }

    /// The terms of the stack.
    pub(crate) const fn parts(&self) -> &Parts {
        self.built.stack.parts()
    }

    /// The folder of the stack file.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The asset of a name.
    pub(crate) fn asset(&self, name: &str, at: &Place<'_>) -> Result<&AssetTerms, CliError> {
        let assets = &self.parts().assets;
        assets.iter().find(|a| a.name == name).ok_or_else(|| refuse_name(at, assets.iter().map(|a| &a.name)))
    }

    /// The asset that everything is counted in.
    pub(crate) fn numeraire(&self, at: &Place<'_>) -> Result<&AssetTerms, CliError> {
        let found = self.parts().assets.iter().find(|a| a.numeraire);
        found.ok_or_else(|| CliError::at(at, "the stack has no numeraire; accepted: a stack with one"))
    }

    /// The market of a name.
    pub(crate) fn market(&self, name: &str, at: &Place<'_>) -> Result<&MarketTerms, CliError> {
        let markets = &self.parts().markets;
        markets
            .iter()
            .find(|m| m.name == name)
            .ok_or_else(|| refuse_name(at, markets.iter().map(|m| &m.name)))
    }

    /// The insurance layer of a name.
    pub(crate) fn layer(&self, name: &str, at: &Place<'_>) -> Result<LayerId, CliError> {
        let layers = &self.parts().layers;
        let found = layers.iter().find(|l| l.name == name).map(|l| l.id);
        found.ok_or_else(|| refuse_name(at, layers.iter().map(|l| &l.name)))
    }

    /// What a price is of.
    pub(crate) fn instrument(&self, of: &InstrumentName, at: &Place<'_>) -> Result<Instrument, CliError> {
        match of {
            InstrumentName::Asset(name) => {
                self.asset(name, &at.field("asset")).map(|a| Instrument::Asset(a.id))
            }
            InstrumentName::Market(name) => {
                self.market(name, &at.field("market")).map(|m| Instrument::Market(m.id))
            }
        }
    }

    /// The terms of an asset by its number. Ids come from the stack itself, so a missing one is a fault of ours.
    pub(crate) fn asset_terms(&self, id: AssetId) -> Result<&AssetTerms, CliError> {
        let found = self.parts().assets.iter().find(|a| a.id == id);
        found.ok_or_else(|| CliError::Internal(format!("asset {id} has no terms")))
    }

    /// The terms of a market by its number.
    pub(crate) fn market_terms(&self, id: MarketId) -> Result<&MarketTerms, CliError> {
        let found = self.parts().markets.iter().find(|m| m.id == id);
        found.ok_or_else(|| CliError::Internal(format!("market {id} has no terms")))
    }

    /// The name of a pool, or its number.
    pub(crate) fn pool_name(&self, id: PoolId) -> String {
        let found = self.parts().pools.iter().find(|p| p.id == id);
        found.map_or_else(|| id.to_string(), |p| p.name.clone())
    }

    /// The name of a layer, or its number.
    pub(crate) fn layer_name(&self, id: LayerId) -> String {
        let found = self.parts().layers.iter().find(|l| l.id == id);
        found.map_or_else(|| id.to_string(), |l| l.name.clone())
    }

    /// A price step of an instrument as a power of ten.
    pub(crate) fn tick_exponent(&self, of: Instrument) -> Result<i32, CliError> {
        Ok(match of {
            Instrument::Asset(id) => i32::from(self.asset_terms(id)?.scale.price_exponent),
            Instrument::Market(id) => self.market_terms(id)?.tick_exponent,
        })
    }

    /// A quantum of the numeraire as a power of ten; every asset counts in the same.
    pub(crate) fn quantum_exponent(&self) -> i32 {
        self.parts().assets.first().map_or(0, |a| i32::from(a.scale.quantum_exponent))
    }

    /// A scenario's value, in ticks, of any sign.
    pub(crate) fn value_ticks(&self, of: Instrument, x: Number, at: &Place<'_>) -> Result<Ticks, CliError> {
        let units = whole(x.0, self.tick_exponent(of)?, "ticks", at)?;
        i64::try_from(units).map(Ticks::new).map_err(|_| too_large(at))
    }

    /// A price above zero, in ticks.
    pub(crate) fn ticks(&self, of: Instrument, x: Number, at: &Place<'_>) -> Result<Ticks, CliError> {
        let units = whole(x.0, self.tick_exponent(of)?, "ticks", at)?;
        let ticks = i64::try_from(units).map_err(|_| too_large(at))?;
        if ticks > 0 { Ok(Ticks::new(ticks)) } else { Err(CliError::refuse(at, "a price above zero")) }
    }

    /// A size, in lots.
    pub(crate) fn lots(&self, market: &MarketTerms, x: Number, at: &Place<'_>) -> Result<Lots, CliError> {
        let units = whole(x.0, market.lot_exponent, "lots", at)?;
        let lots = i64::try_from(units).map(Lots::new).map_err(|_| too_large(at))?;
        within(lots.try_add(Lots::ZERO), at)
    }

    /// An amount, in atoms.
    pub(crate) fn amount(&self, asset: &AssetTerms, x: Number, at: &Place<'_>) -> Result<Amount, CliError> {
        let atoms = whole(x.0, atom_exponent(asset), "atoms", at)?;
        within(Amount::new(atoms).try_add(Amount::ZERO), at)
    }

    /// A value, in quanta.
    pub(crate) fn quanta(&self, x: Number, at: &Place<'_>) -> Result<Quanta, CliError> {
        let quanta = whole(x.0, self.quantum_exponent(), "quanta", at)?;
        within(Quanta::new(quanta).try_add(Quanta::ZERO), at)
    }

    /// Quanta as a decimal number.
    pub(crate) fn value(&self, x: Quanta) -> Number {
        Number::of(x.get(), self.quantum_exponent())
    }

    /// Ticks as a decimal number.
    pub(crate) fn price(&self, of: Instrument, x: Ticks) -> Result<Number, CliError> {
        Ok(Number::of(i128::from(x.get()), self.tick_exponent(of)?))
    }

    /// Lots as a decimal number of units of the base asset.
    pub(crate) fn size(&self, market: MarketId, x: i128) -> Result<Number, CliError> {
        Ok(Number::of(x, self.market_terms(market)?.lot_exponent))
    }

    /// Atoms as a decimal number of units.
    pub(crate) fn units(&self, asset: AssetId, x: i128) -> Result<Number, CliError> {
        Ok(Number::of(x, atom_exponent(self.asset_terms(asset)?)))
    }
}

/// An atom of an asset as a power of ten.
fn atom_exponent(asset: &AssetTerms) -> i32 {
    i32::from(asset.scale.decimals).saturating_neg()
}

/// A ratio with at most nine decimals.
pub(crate) fn ratio(x: Number, at: &Place<'_>) -> Result<Ppb, CliError> {
    Ppb::from_decimal(&x.0).map_err(|_| CliError::refuse(at, "a ratio with at most 9 decimals"))
}

/// The number as a whole number of units of `10^exponent`.
pub(crate) fn whole(x: Decimal, exponent: i32, unit: &str, at: &Place<'_>) -> Result<i128, CliError> {
    x.to_units(exponent).map_err(|e| match e {
        DecimalError::TooManyDecimals { .. } => {
            let step = Decimal::from_units(1, exponent);
            CliError::refuse(at, format_args!("a whole number of {unit} of {step}"))
        }
        _ => too_large(at),
    })
}

pub(crate) fn too_large(at: &Place<'_>) -> CliError {
    CliError::refuse(at, "a smaller number")
}

/// A result of arithmetic on what stands at a place.
pub(crate) fn within<T>(x: Result<T, MathError>, at: &Place<'_>) -> Result<T, CliError> {
    x.map_err(|_| too_large(at))
}

fn refuse_name<'a>(at: &Place<'_>, names: impl Iterator<Item = &'a String>) -> CliError {
    let names: Vec<&str> = names.map(String::as_str).collect();
    CliError::refuse(at, one_of(&names))
}

/// `one of a, b, c`
pub(crate) fn one_of<T: Display>(names: &[T]) -> String {
    let names: Vec<String> = names.iter().map(T::to_string).collect();
    if names.is_empty() { "nothing: there is none".into() } else { format!("one of {}", names.join(", ")) }
}
