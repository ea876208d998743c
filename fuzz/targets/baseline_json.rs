#![no_main]

linfit_fuzz::target!("baseline.json");
