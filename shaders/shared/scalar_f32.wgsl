// parts: none
//
// Sums in f32.

alias Real = f32;
