//! Layers of crates that know the contract of insurance alone: read by their own type, built with what names and numbers mean here.

use super::{ConfigError, Context, LayerSpec, Registry, read};
use cofferdam_core::LayerId;
use cofferdam_insurance_layer::{
    Entry,
    registry::{LayerKind, LayerPlugin, Site, kinds},
};
use toml::Value;

/// What stands in `insurance.layers[].terms`.
#[derive(Debug)]
pub(crate) enum Terms {
    /// Of a spec of the stack.
    Spec(Box<dyn LayerSpec>),
    /// Of a crate that depends on `cofferdam-insurance-layer`.
    Plugin(&'static LayerKind, Box<dyn LayerPlugin>),
}

impl Terms {
    pub(crate) fn read(
        registry: &Registry,
        value: Value,
        file: &str,
        path: &str,
    ) -> Result<Self, ConfigError> {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
        if let Some(plugin) = kinds().find(|k| k.kind == kind) {
            return read::read(&value, file, path).map(|terms| Self::Plugin(plugin, terms));
        }
        registry.module(value, file, path).map(Self::Spec).map_err(|mut error| {
            if error.path == read::join(path, "kind") {
                let mut others: Vec<&str> = kinds().map(|k| k.kind).collect();
                others.sort_unstable();
                others.iter().for_each(|k| error.accepted.push_str(&format!(", {k}")));
            }
            error
        })
    }

    pub(crate) fn build(
        &self,
        ctx: &Context<'_>,
        layer: LayerId,
        numeraire: &str,
    ) -> Result<Entry, ConfigError> {
        let (kind, plugin) = match self {
            Self::Spec(spec) => return spec.build(ctx, layer),
            Self::Plugin(kind, plugin) => (kind, plugin),
        };
        let named = |said: Result<(), _>| said.map_err(|e| ctx.refuse_as(e));
        named(kind.check())?;
        named(kind.check_currency(numeraire))?;
        let site = Site {
            layer,
            quantum_exponent: ctx.quantum_exponent(),
            assets: ctx.names().assets(),
            markets: ctx.names().markets(),
            folder: ctx.folder(),
        };
        let terms = ctx.check(plugin, plugin.build(&site))?;
        Ok(Entry::custom(layer, terms))
    }
}
