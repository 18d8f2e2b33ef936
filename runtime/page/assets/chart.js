// Scores over time above, the camera's apparent drift below: shapes tell outcomes apart, not colour alone.

const WIDTH = 1200, HEIGHT = 300, LOW = 110, LEFT = 50, RIGHT = 10, TOP = 14, FOOT = 24;
const SHAPES = { PASS: "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", FAIL: "M-5-3-3-5 0-2 3-5 5-3 2 0 5 3 3 5 0 2-3 5-5 3-2 0z",
  INDETERMINATE: "M0-5 5 4-5 4z" };

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function frame(height, label, most, first, last) {
  const y = (value) => height - FOOT - (Math.min(value, most) / most) * (height - FOOT - TOP);
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "group", "aria-label": label });
  picture.append(svg("text", { x: LEFT, y: TOP - 2 }, label));
  for (const value of [0, most / 2, most]) {
    picture.append(svg("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(2)));
  }
  picture.append(svg("text", { x: LEFT, y: height - 6 }, first),
    svg("text", { x: WIDTH - RIGHT, y: height - 6, "text-anchor": "end" }, last));
  return [picture, y];
}

export function chart(scores, words, link) {
  if (scores.length === 0) return [];
  const times = scores.map((each) => Date.parse(each.decided_utc));
  const begin = times[0], span = Math.max(times[times.length - 1] - begin, 1);
  const x = (at) => LEFT + ((times[at] - begin) / span) * (WIDTH - LEFT - RIGHT);
  const day = (each) => each.decided_utc.slice(0, 16).replace("T", " ");
  const ends = [day(scores[0]), day(scores[scores.length - 1])];
  const [upper, y] = frame(HEIGHT, words.score, 2, ...ends);
  upper.append(svg("line", { class: "limit", x1: LEFT, x2: WIDTH - RIGHT, y1: y(1), y2: y(1) }));
  scores.forEach((each, at) => {
    if (each.score === null) return;
    const point = svg("path", { class: each.outcome, d: SHAPES[each.outcome],
      transform: `translate(${x(at).toFixed(1)} ${y(each.score).toFixed(1)})` },
      svg("title", {}, `${each.job_id}: ${words[each.outcome]} ${each.score.toFixed(2)}, ${day(each)}`));
    upper.append(svg("a", { href: link(each.job_id), tabindex: "-1" }, point));
  });
  const known = scores.map((each, at) => [at, each.drift_mm]).filter(([, drift]) => drift !== null);
  if (known.length === 0) return [upper];
  const most = Math.max(0.1, ...known.map(([, drift]) => drift));
  const [lower, down] = frame(LOW, words.drift_mm, most, ...ends);
  const line = known.map(([at, drift]) => `${x(at).toFixed(1)},${down(drift).toFixed(1)}`).join(" ");
  lower.append(svg("polyline", { class: "drift", points: line }));
  return [upper, lower];
}
