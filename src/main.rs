//! The program `linfit`; everything it does is in the library's `cli`. Here is
//! only what a library must not do to the process it is part of.

fn main() -> std::process::ExitCode {
    // First of all, while there is no other thread.
    silence_vulkan_layer();
    #[cfg(unix)]
    make_too_large_an_error();
    linfit::cli::run()
}

/// Without a desktop session, Mesa's Vulkan layer that asks Wayland which GPU
/// shows the desktop prints errors to stderr. There is no such GPU then, and
/// linfit ranks adapters itself: the layer is switched off.
fn silence_vulkan_layer() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: the program's first statement; no other thread exists that
        // could read the environment meanwhile.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// Writing beyond the largest file that the system allows ends a program by a
/// signal, unless it ignores that: then it is an error of the write, which is
/// told with the file's name.
#[cfg(unix)]
fn make_too_large_an_error() {
    // SAFETY: the action of a signal that has no handler of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
