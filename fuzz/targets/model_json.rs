#![no_main]

linfit_fuzz::target!("model.json");
