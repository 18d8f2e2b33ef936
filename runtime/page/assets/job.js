// One job: what was decided and why, its volume, its views beside the golden ones, what people say.
import { $, ask, begin, change, element, outcome, reasons, score, when, words } from "/assets/common.js";
import { Viewer } from "/assets/viewer.js";

const job_id = decodeURIComponent(location.pathname.split("/")[2]);
const api = `/api/jobs/${encodeURIComponent(job_id)}`;
const mm = (values) => values.map((value) => value.toFixed(1)).join(", ");

function facts(job) {
  const verdict = job.verdict;
  const rows = [[words.job, job.job_id], [words.cell, job.cell]];
  if (verdict) {
    rows.push([words.time_utc, when(verdict.created_utc)], [words.recipe, verdict.recipe],
      [words.score, `${score(verdict.score)} (${words.limit_is} 1.00)`],
      [words.coverage, verdict.coverage === null ? "\u2013" : `${(100 * verdict.coverage).toFixed(1)} %`]);
    if (verdict.drift) rows.push([words.drift_mm, verdict.drift.drift_mm.toFixed(2)]);
    if (verdict.is_simulated) rows.push(["", words.simulated]);
  }
  $("#facts").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  $("h1").replaceChildren(outcome(verdict ? verdict.outcome : null), verdict ? `${words.part} ${verdict.part_id}` : job.job_id);
  document.title = verdict ? `${verdict.part_id}: ${words[verdict.outcome]}` : job.job_id;
}

function why(job) {
  $("#reasons").hidden = job.reasons.length === 0;
  $("#reasons tbody").replaceChildren(...job.reasons.map((each) => element("tr", {},
    element("th", { scope: "row" }, each.times > 1 ? `${each.reason} (${each.times}\u00d7)` : each.reason),
    element("td", {}, each.detail), element("td", {}, reasons[each.reason].meaning), element("td", {}, reasons[each.reason].remedy))));
}

function defects(job, viewer) {
  const found = job.verdict ? job.verdict.defects : [];
  const head = element("tr", {}, ...["", words.place_mm, words.size_mm, words.score].map((word) => element("th", {}, word)));
  const rows = found.map((each, at) => {
    const go = element("button", { type: "button", "aria-label": `${words.look_at} ${at + 1}` }, `${at + 1}`);
    go.addEventListener("click", () => viewer?.look(each.centroid_part_mm));
    return element("tr", {}, element("td", {}, go), element("td", {}, mm(each.centroid_part_mm)),
      element("td", {}, each.size_mm.map((side) => side.toFixed(1)).join(" \u00d7 ")), element("td", {}, score(each.peak_score)));
  });
  $("#defects tbody").replaceChildren(...(rows.length ? [head, ...rows] : [element("tr", {}, element("td", {}, words.none))]));
}

function parts(job) {
  const found = job.verdict ? job.verdict.instances : [];
  const state = (odd) => odd === null ? words.not_compared : odd ? words.odd : words.regular;
  const differs = (each) => each.deviation_mm !== null
    ? `${each.deviation_mm > 0 ? "+" : ""}${each.deviation_mm.toFixed(2)} mm`
    : each.brighter === null ? words.other_hue : `${(100 * Math.abs(each.brighter)).toFixed(0)} % ${each.brighter > 0 ? words.brighter : words.darker}`;
  $("#parts").hidden = found.length === 0;
  $("#parts tbody").replaceChildren(
    element("tr", {}, ...["", "", words.place_base_mm, words.score, words.defects].map((word) => element("th", {}, word))),
    ...found.map((each) => element("tr", {}, element("th", { scope: "row" }, `${each.id}`), element("td", {}, state(each.odd)),
      element("td", {}, mm(each.centre_base_mm)), element("td", {}, score(each.score)),
      element("td", {}, each.defects.map((one) => `${differs(one)}: ${mm(one.centre_base_mm)}`).join("; ")))));
}

async function volume(job) {
  $("#volume").hidden = !job.has_volume;
  if (!job.has_volume) return null;
  const viewer = new Viewer($("canvas"), await (await ask(`${api}/volume`)).arrayBuffer(), job.voxel_mm,
    job.verdict ? job.verdict.defects.map((each) => each.centroid_part_mm) : []);
  const tell = () => {
    $("#limit").textContent = viewer.limit.toFixed(2);
    $("#over").textContent = `${viewer.over()} ${words.voxels_over}`;
  };
  $("#axis").replaceChildren(...["", "x", "y", "z"].map((name) => element("option", { value: name }, name || words.nothing)));
  $("#threshold").addEventListener("input", (event) => { viewer.limit = Number(event.target.value); tell(); viewer.draw(); });
  $("#axis").addEventListener("change", (event) => {
    viewer.axis = event.target.value; $("#cut").disabled = !viewer.axis; viewer.draw(); });
  $("#cut").addEventListener("input", (event) => { viewer.cut = Number(event.target.value); viewer.draw(); });
  $("#surface").addEventListener("change", (event) => { viewer.surface = event.target.checked; viewer.draw(); });
  tell();
  viewer.draw();
  return viewer;
}

function views(job) {
  $("#no_views").textContent = job.why_none;
  $(".pairs").replaceChildren(...job.views.map((each, at) => {
    const seen = element("img", { src: `${api}/seen/${at}`, alt: `${words.seen}: ${each.caption}`, loading: "lazy" });
    const pair = element("figure", {}, seen);
    if (each.planned !== null) {
      const golden = element("img", { src: `${api}/golden/${at}`, alt: `${words.golden}: ${each.planned}`, loading: "lazy" });
      golden.addEventListener("error", () => golden.replaceWith(element("p", { class: "quiet" }, words.no_golden)));
      pair.append(golden);
    }
    pair.append(element("figcaption", {}, `${each.caption} \u2013 ${words.seen}, ${words.golden}`));
    return pair;
  }));
}

function judge(job) {
  const may = job.verdict !== null && job.may_judge;
  $("#judge").hidden = $("#compare").hidden = !may;
  const say = (mark) => { $("#judged").textContent = mark ? `${words[mark.judged]} ${mark.who ?? ""} ${mark.note ?? ""}` : ""; };
  say(job.mark);
  for (const button of document.querySelectorAll("#judge button")) {
    button.addEventListener("click", async () => {
      try { say(await change(`${api}/mark`, { judged: button.value, note: $("#note").value })); }
      catch (error) { $("#said").textContent = error.message; }
    });
  }
}

function compare(job) {
  $("#compare select").replaceChildren(...job.recipes.map((label) => element("option", { value: label }, label)));
  $("#compare button").addEventListener("click", async (event) => {
    event.target.disabled = true;
    $("#compare output").textContent = words.replaying;
    try {
      const both = await change(`${api}/compare`, { recipe: $("#compare select").value });
      $("#compare tbody").replaceChildren(...beside(both.line, both.other));
      $("#compare output").textContent = "";
    } catch (error) { $("#compare output").textContent = error.message; }
    event.target.disabled = false;
  });
}

function beside(...both) {
  const said = both.filter(Boolean);
  const row = (name, tell) => element("tr", {}, element("th", { scope: "row" }, name), ...said.map((each) => element("td", {}, tell(each))));
  return [row(words.recipe, (each) => each.recipe), row(words.outcome, (each) => outcome(each.outcome)),
    row(words.score, (each) => score(each.score)),
    row(words.defects, (each) => each.defects.map((one) => `${mm(one.centroid_part_mm)} mm (${score(one.peak_score)})`).join("; ") || words.none),
    row(words.why, (each) => [...new Set(each.reasons.map((one) => one.reason))].join(", "))];
}

await begin();
try {
  const me = await (await ask("/me")).json();
  const job = { ...(await (await ask(api)).json()), may_judge: me.role !== "operator" };
  $("#report").href = `/jobs/${encodeURIComponent(job_id)}/report`;
  $("#print").addEventListener("click", () => print());
  facts(job); why(job); parts(job); views(job); judge(job); compare(job);
  defects(job, await volume(job));
} catch (error) { $("#said").textContent = error.message; }
document.body.dataset.ready = "yes";
