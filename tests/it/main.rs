//! Every test of linfit as its users see it, the library and the program, in
//! one program: linking once instead of once a theme.

mod bench;
mod cli;
mod common;
mod containers;
mod descent;
mod differential;
mod digits;
mod drivers;
mod engines;
mod extremes;
mod far;
mod faults;
mod foreign;
mod formats;
mod layout;
mod markers;
mod missing;
mod moments;
mod partials;
mod precision;
mod solvers;
mod stream;
mod weights;
