//! Reports for a browser: one file that needs no other, no network and no script.
//! The `frame` has the page's looks and its parts, `provenance` says from what and by
//! what it was made; `single` is the page of one fit, `many` that of many.

mod frame;
mod many;
mod provenance;
mod single;

pub use many::many_page;
pub use provenance::Provenance;
pub use single::page;
