#![no_main]

linfit_fuzz::target!("arrows");
