//! Curve LLAMMA: bands, trades, placement and health in the venue's own numbers; and a loan that goes down through its bands and back.

#[path = "curve_llamma/conformance.rs"]
mod conformance;
#[path = "curve_llamma/scene.rs"]
mod scene;
