//! A filled installation to look at. (stub)
use crate::{config::Config, http::App};
use std::path::Path;
pub const SIGN_IN_HELP: &str = "";
pub fn config(config: Config, _folder: &Path) -> anyhow::Result<Config> {
    Ok(config)
}
pub async fn fill(_app: &App) -> anyhow::Result<()> {
    Ok(())
}
