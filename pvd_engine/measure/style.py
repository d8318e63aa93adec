"""The style of the page: light and dark, screen and paper."""

from .pictures import INFERNO

STYLE = (
    """
:root {
  color-scheme: light dark;
  --ground: #f6f6f3; --surface: #ffffff; --ink: #1b1b1f; --muted: #65656d; --rule: #dcdcd6;
  --accent: #a8431b; --band: #f0efe9; --other: #e6e5dc; --note: #fdf3e3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131316; --surface: #1c1c20; --ink: #ececef; --muted: #a0a0aa; --rule: #36363d;
    --accent: #ff9b66; --band: #232328; --other: #2d2d34; --note: #33291a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 72rem;
  background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1 { margin: 0; font-size: 1.75rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.75rem 0 .75rem; font-size: 1.2rem; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 46rem; }
.muted, footer { color: var(--muted); }
.note {
  margin: 1rem 0 0; padding: .6rem .9rem; background: var(--note);
  border-left: 3px solid var(--accent); border-radius: 4px;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; }
.tile, .card {
  padding: .9rem 1.1rem; background: var(--surface); border: 1px solid var(--rule);
  border-radius: 8px;
}
.tiles { margin-top: 1.5rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.3; font-weight: 650; }
.tile.main { border-color: var(--accent); }
.tile.main b { color: var(--accent); }
.tile small { display: block; color: var(--muted); font-size: .85rem; }
.views { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .6rem; }
figure { margin: 0; }
.views img { display: block; width: 100%; border-radius: 6px; background: #fff; }
figcaption { margin-top: .3rem; color: var(--muted); font-size: .85rem; }
.scale { display: flex; align-items: center; gap: .6rem; margin-top: 1rem; font-size: .85rem; }
.scale i {
  width: 10rem; height: .75rem; border-radius: 3px; border: 1px solid var(--rule);
  background: linear-gradient(to right, """
    + ", ".join(INFERNO)
    + """);
}
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: .75rem; }
.plots { align-items: start; }
svg { display: block; width: 100%; height: auto; font-size: 12px; }
svg text { fill: var(--muted); }
svg .stage { font-weight: 650; }
svg .line { fill: none; stroke: var(--accent); stroke-width: 1.75; stroke-linejoin: round; }
svg .grid { stroke: var(--rule); stroke-width: .75; }
svg .axis, svg .tick { fill: none; stroke: var(--muted); stroke-width: 1; }
svg .band { fill: var(--band); }
svg .other { fill: var(--other); }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--rule); text-align: right; }
th:first-child { text-align: left; min-width: 8rem; overflow-wrap: anywhere; }
thead th { color: var(--muted); font-weight: 500; }
tbody th { font-weight: 400; }
tr:last-child > * { border-bottom: 0; }
tr.mean > * { font-weight: 650; }
.pairs th, .pairs td { text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.pairs tbody th { color: var(--muted); }
.card h3:first-child { margin-top: 0; }
details { margin-top: .75rem; }
summary { cursor: pointer; }
pre { margin: .75rem 0 0; font-size: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 3rem; font-size: .85rem; }
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --surface: #fff; --ink: #000; --muted: #444; --rule: #bbb; --accent: #a8431b;
    --band: #f3f2ee; --other: #e6e5dc; --note: #fff;
  }
  body { padding: 0; max-width: none; font-size: 10pt; }
  .tile, .views, .card, .note, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .views { grid-template-columns: repeat(5, 1fr); }
  .scale i, svg, .note { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
)
