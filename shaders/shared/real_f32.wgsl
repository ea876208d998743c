// What moments are summed in.

alias Real = f32;
