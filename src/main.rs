//! The program: parse, run, exit code.

fn main() -> std::process::ExitCode {
    cdb_backupd::cli::main()
}
