// parts: none
//
// The part of the data that a dispatch covers: runs of elements, each of one fit
// and within one chunk, and the pieces of PIECE elements that they are passed
// over in. A piece's work depends on nothing but its run.

struct Window {
    first_run: u32,      // the first of the window's runs that is covered
    pieces: u32,         // of all that are covered
    share: u32,          // pieces that a workgroup takes
    first_partial: u32,  // where their partial sums start
    zero: u32,           // what `run_time_zero` returns
    unused: u32,
    more_unused: vec2<u32>,
}

struct Run {
    first: u32,          // its first element, counted in the window
    elements: u32,
    point: u32,          // the number of its point
    unused: u32,
}

struct Piece {
    first: u32,
    elements: u32,       // 0 behind the end of a short run
    point: u32,
}

@group(0) @binding(3) var<uniform> window: Window;
@group(0) @binding(9) var<storage, read> runs: array<Run>;

// Elements of a piece; only the last one of a run may be shorter.
override PIECE: u32;
// Pieces of a run, as many as the longest one has.
override PIECES: u32;

// Piece number k of those that are covered.
fn piece_of(k: u32) -> Piece {
    let run = runs[window.first_run + k / PIECES];
    let start = min(k % PIECES * PIECE, run.elements);
    return Piece(run.first + start, min(run.elements - start, PIECE), run.point);
}

// The number of a workgroup in a dispatch of two dimensions.
fn number_of(workgroup: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return workgroup.y * workgroups.x + workgroup.x;
}
