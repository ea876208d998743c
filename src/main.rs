//! The program `linfit`; everything it does is in the library's `cli`.

fn main() -> std::process::ExitCode {
    linfit::cli::run()
}
