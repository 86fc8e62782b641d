//! The `silverback` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    silverback::run()
}
