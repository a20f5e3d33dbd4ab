//! Every preset builds, has its page, and is named as the command line and the docs name it.

use cofferdam_protocols::{World, preset, presets};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_preset_builds_and_has_its_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocols");
    let list = std::fs::read_to_string(docs.join("README.md")).unwrap();
    let mut names = BTreeSet::new();
    for p in presets() {
        assert!(names.insert(p.name), "{} twice", p.name);
        assert_eq!(preset(p.name), Some(p));
        let built = p.config().and_then(|c| c.build()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(built.name, p.name, "the file's own name");
        // what the recorded scenario asks of a stack
        match p.world {
            World::Perpetual => assert!(built.names.market("ETH-PERP").is_some(), "{}", p.name),
            World::Cleared => {}
            World::Lending => {
                assert!(
                    built.names.asset("ETH").is_some() && built.names.asset("USDC").is_some(),
                    "{}",
                    p.name
                );
                assert!(built.names.pool("usdc-pool").is_some(), "{}", p.name);
            }
        }
        let page = std::fs::read_to_string(docs.join(format!("{}.md", p.name)));
        let page = page.unwrap_or_else(|e| panic!("docs/protocols/{}.md: {e}", p.name));
        for part in ["## Rules", "## Conformance", "## Not modelled", "## A worked example"] {
            assert!(page.contains(part), "docs/protocols/{}.md lacks {part:?}", p.name);
        }
        assert!(
            list.contains(&format!("({}.md)", p.name)),
            "docs/protocols/README.md does not list {}",
            p.name
        );
    }
    assert_eq!(preset("nowhere"), None);
}
