//! The top of the page: what was run, the key figures, how far they can be trusted.

use super::super::data::{Card, Head, KeyFigures};
use super::super::text::{fixed, group, percent, whole};
use super::parts::{cards, nothing, paragraph, verdicts};

/// The section above the contents list.
pub(super) fn head(data: &Head) -> String {
    let mut out = String::from("<section id=\"what\" aria-label=\"What was run\">\n");
    if data.what_ran.is_empty() {
        out += &nothing("no run is described");
    }
    out += &data.what_ran.iter().map(|p| paragraph(p)).collect::<String>();
    let mut all = data.key.as_ref().map_or_else(Vec::new, key_cards);
    all.extend(data.cards.iter().cloned());
    out += &cards(&all);
    out += &verdicts("How far this can be trusted", &data.verdicts);
    out + "</section>\n"
}

fn key_cards(key: &KeyFigures) -> Vec<Card> {
    let card = |label: &str, value: String, note: String| Card { label: label.to_owned(), value, note };
    let money = |label: &str, amount: &str| {
        card(label, format!("{} {}", whole(amount), key.quote_asset), format!("exactly {}", group(amount)))
    };
    let base = &key.base_asset;
    vec![
        card("State hash", key.state_hash.clone(), "of the replay, after the last input".to_owned()),
        card(
            "Implied share, long",
            percent(key.implied_share_long, 2),
            "of the observed quantity".to_owned(),
        ),
        card(
            "Implied share, short",
            percent(key.implied_share_short, 2),
            "of the observed quantity".to_owned(),
        ),
        card(
            "Correlation per minute, long",
            fixed(key.correlation_long, 4),
            "simulated with observed".to_owned(),
        ),
        card(
            "Correlation per minute, short",
            fixed(key.correlation_short, 4),
            "simulated with observed".to_owned(),
        ),
        card(
            "Liquidated, long",
            format!("{} {base}", whole(&key.liquidated_long)),
            format!("exactly {}", group(&key.liquidated_long)),
        ),
        card(
            "Liquidated, short",
            format!("{} {base}", whole(&key.liquidated_short)),
            format!("exactly {}", group(&key.liquidated_short)),
        ),
        money("Total liquidated", &key.liquidated_notional),
        money("Bad debt", &key.bad_debt),
        money("Insurance paid", &key.insurance_paid),
        money("Taken from winners", &key.taken_from_winners),
    ]
}
