//! Keyward's program: see `keyward --help`.
fn main() -> std::process::ExitCode {
    keyward::run::main()
}
