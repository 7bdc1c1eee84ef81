"""One self-contained HTML file of an evaluation or a comparison. `build` is the way in."""
