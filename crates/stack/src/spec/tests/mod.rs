mod bad;
mod good;
mod kinds;
mod workload;

const PERPETUAL: &str = include_str!("perpetual.toml");
const LENDING: &str = include_str!("lending.toml");
