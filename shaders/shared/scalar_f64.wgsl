// parts: none
//
// Sums in f64, for devices that have it.

alias Real = f64;
