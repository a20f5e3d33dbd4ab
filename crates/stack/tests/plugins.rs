//! Layers of crates that know the contract of insurance alone.

use cofferdam_insurance_layer::core_values::Quanta;
use cofferdam_insurance_layer::registry::{LayerPlugin, Site, kinds, typetag};
use cofferdam_insurance_layer::{InsuranceError, InsuranceLayer, Loss, Standing, layer_kind};
use cofferdam_stack::{ConfigError, Room, StackConfig, modules};

const TOWER: &str = include_str!("../../../examples/eth-january-2021/stacks/tower.toml");

#[derive(Debug)]
struct UpTo(Quanta);

impl InsuranceLayer for UpTo {
    fn respond(&self, _: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        Ok(left.min(self.0))
    }
}

layer_kind! {
    "acme/up-to@1" api 1, pays None, by Indemnity, supports [];
    /// Pays each loss in a market up to a sum.
    struct UpToSpec {
        /// The most it pays of one loss, above zero.
        sum: String ["amount of the numeraire"],
        /// Whose losses.
        market: Option<String> ["name of a market", "all"],
    }
}

#[typetag::serde(name = "acme/up-to@1")]
impl LayerPlugin for UpToSpec {
    fn build(&self, site: &Site<'_>) -> Result<Box<dyn InsuranceLayer>, InsuranceError> {
        if let Some(name) = &self.market {
            let _known = site.market("market", name)?;
        }
        let sum = site.quanta("sum", &self.sum)?;
        if sum <= Quanta::ZERO {
            return Err(site.refuse("sum", &self.sum, "above zero"));
        }
        Ok(Box::new(UpTo(sum)))
    }
}

macro_rules! same_terms {
    ($kind:literal, $api:literal, $currency:expr, $name:ident) => {
        layer_kind! {
            $kind api $api, pays $currency, by Discretionary, supports [renewal, cancel];
            /// A layer that does not fit.
            struct $name {}
        }
        #[typetag::serde(name = $kind)]
        impl LayerPlugin for $name {
            fn build(&self, _: &Site<'_>) -> Result<Box<dyn InsuranceLayer>, InsuranceError> {
                Ok(Box::new(UpTo(Quanta::new(1))))
            }
        }
    };
}

same_terms!("acme/next@1", 2, None, Next);
same_terms!("acme/in-ether@1", 1, Some("ETH"), InEther);
same_terms!("acme/in-dollars@1", 1, Some("USDT"), InDollars);

fn build(terms: &str) -> Result<Vec<String>, ConfigError> {
    let table = format!("[[insurance.layers]]\nname = \"acme\"\nescrow = \"1000\"\nterms = {{ {terms} }}\n");
    let text = TOWER.replace("[allocation]", &format!("{table}\n[allocation]"));
    let built = StackConfig::from_toml(&text, "stack.toml")?.build()?;
    Ok(built.names.layers().to_vec())
}

#[test]
fn a_linked_kind_is_listed_with_its_parameters() {
    let all = modules();
    let module = all.iter().find(|m| m.kind == "acme/up-to@1").unwrap();
    assert_eq!((module.room, module.summary), (Room::Layer, "Pays each loss in a market up to a sum."));
    let parameters: Vec<_> = module.parameters.iter().map(|p| (p.name, p.unit, p.default)).collect();
    assert_eq!(
        parameters,
        [("sum", "amount of the numeraire", None), ("market", "name of a market", Some("all"))]
    );
    assert!(module.breaks.is_empty());
    let kind = kinds().find(|k| k.kind == "acme/in-dollars@1").unwrap();
    let manifest = kind.manifest(cofferdam_core::AssetId(7));
    assert_eq!((manifest.id.as_str(), manifest.asset.0), ("acme/in-dollars", 7));
    assert!(manifest.supports.renewal && manifest.supports.cancel && !manifest.supports.reinstatement);
}

#[test]
fn a_stack_file_names_it() {
    let expected = ["fund", "quota-share", "excess-of-loss", "stop-loss", "acme"];
    assert_eq!(build("kind = 'acme/up-to@1', sum = '10.5', market = 'ETH-PERP'").unwrap(), expected);
    assert_eq!(build("kind = 'acme/in-dollars@1'").unwrap(), expected);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    const PATH: &str = "stack.toml: insurance.layers[4].terms";
    for (terms, message) in [
        ("kind = 'acme/up-to@1', sum = '0'", r#".sum: "0"; accepted: above zero"#),
        (
            "kind = 'acme/up-to@1', sum = '0.0000001'",
            r#".sum: "0.0000001"; accepted: a whole number of quanta of 0.000001, below 2^120"#,
        ),
        (
            "kind = 'acme/up-to@1', sum = 'ten'",
            r#".sum: "ten"; accepted: a decimal string such as "0.001", without exponent"#,
        ),
        ("kind = 'acme/up-to@1', sum = 10.5", ".sum: floating point `10.5`; accepted: a string"),
        ("kind = 'acme/up-to@1'", ".sum: missing; accepted: a value for this field"),
        ("kind = 'acme/up-to@1', sum = '1', of = 2", ".of: unknown field; accepted: sum, market"),
        ("kind = 'acme/up-to@1', sum = '1', market = 'BTC'", r#".market: "BTC"; accepted: ETH-PERP"#),
        (
            "kind = 'acme/next@1'",
            r#".kind: "acme/next@1", written against version 2 of the contract; accepted: a kind written against version 1"#,
        ),
        (
            "kind = 'acme/in-ether@1'",
            r#".kind: "acme/in-ether@1", which pays in ETH; accepted: a layer that pays in USDT"#,
        ),
        (
            "kind = 'acme/nobody@1'",
            concat!(
                r#".kind: "acme/nobody@1" is not known; accepted: cofferdam/aggregate-stop-loss@1, "#,
                "cofferdam/excess-of-loss@1, cofferdam/fund@1, cofferdam/market-fund@1, cofferdam/mutual@1, ",
                "cofferdam/quota-share@1, acme/in-dollars@1, acme/in-ether@1, acme/next@1, acme/up-to@1"
            ),
        ),
    ] {
        assert_eq!(build(terms).unwrap_err().to_string(), format!("{PATH}{message}"));
    }
}
