//! The kind of layer that a stack file names a component by.

use crate::{Component, Limits, LoadError, WasmLayer};
use cofferdam_insurance_layer::registry::{LayerPlugin, Site, typetag};
use cofferdam_insurance_layer::{API_VERSION, InsuranceError, InsuranceLayer, layer_kind};
use std::{collections::BTreeMap, path::Path};

layer_kind! {
    "cofferdam/wasm@1" api 1, pays None, by Discretionary, supports [partial_payment];
    /// A layer in a WebAssembly component.
    struct WasmSpec {
        /// Its file; a relative one is beside the stack file.
        file: String ["path"],
        /// The SHA-256 of its bytes, in hexadecimal.
        sha256: String ["hash"],
        /// What it is configured with.
        with: Option<BTreeMap<String, String>> ["table of strings", "none"],
        /// Fuel for each call, about one for each instruction.
        fuel: Option<u64> ["count", "10000000"],
        /// The memory that it may have.
        memory_mib: Option<u32> ["MiB", "16"],
    }
}

#[typetag::serde(name = "cofferdam/wasm@1")]
impl LayerPlugin for WasmSpec {
    fn build(&self, site: &Site<'_>) -> Result<Box<dyn InsuranceLayer>, InsuranceError> {
        let file = Path::new(site.folder).join(&self.file);
        let component = Component::load(&file, &self.sha256).map_err(|e| match &e {
            LoadError::Hash { found, .. } => site.refuse(
                "sha256",
                format!("{:?}", self.sha256),
                &format!("{found:?}, the hash of the file that is there"),
            ),
            _ => site.refuse(
                "file",
                format!("{:?}", self.file),
                &format!("a component that can be loaded; this one: {e}"),
            ),
        })?;
        let default = Limits::default();
        let memory = match self.memory_mib {
            Some(mib @ 1..=1024) => (mib as usize) << 20,
            Some(other) => return Err(site.refuse("memory_mib", other, "1 to 1024")),
            None => default.memory,
        };
        let limits = Limits { fuel: self.fuel.unwrap_or(default.fuel), memory };
        let parameters = self.with.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let layer = WasmLayer::new(component, parameters, limits).map_err(|e| {
            let with = self.with.clone().unwrap_or_default();
            site.refuse("with", format!("{with:?}"), &format!("what the component takes; it says: {e}"))
        })?;
        let api = layer.described().api_version;
        if api != API_VERSION {
            return Err(site.refuse(
                "file",
                format!("{:?}, written against version {api} of the contract", self.file),
                &format!("version {API_VERSION}"),
            ));
        }
        Ok(Box::new(layer))
    }
}
