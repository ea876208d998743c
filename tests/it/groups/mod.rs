//! Many fits at once: each grouping against separate problems of the same elements.

mod device;
mod each;
mod engines;
mod solved;
mod windows;
