mod bad;
mod good;
mod kinds;
mod workload;

const PERPETUAL: &str = include_str!("perpetual.toml");
const PORTFOLIO: &str = include_str!("portfolio.toml");
const LENDING: &str = include_str!("lending.toml");
