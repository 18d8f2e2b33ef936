// How the cell and its machine stand: asked again every second while somebody looks.
import { $, ask, begin, change, element, words } from "/assets/common.js";
import { look } from "/assets/live.js";

const SIGNS = { green: "\u2713", yellow: "!", red: "\u2717", off: "\u2013" };
const PERIOD_MS = 1000;

function rows(table, found) {
  $(`${table} tbody`).replaceChildren(...found.map((cells) => element("tr", {}, ...cells.map((cell, at) =>
    at === 0 ? element("th", { scope: "row" }, cell) : element("td", {}, cell)))));
}

function light(name) { return element("span", { class: `light ${name}` }, `${SIGNS[name]} ${words[name]}`); }

/** Bytes in GB, seconds in ms: as people say them. */
function legible(name, value) {
  if (name.endsWith("_bytes")) return `${(value / 1e9).toFixed(2)} GB`;
  if (name.endsWith("_seconds")) return Math.abs(value) < 10 ? `${(1000 * value).toFixed(2)} ms` : `${value.toFixed(3)} s`;
  return name.endsWith("_mm") ? `${value.toFixed(2)} mm` : `${value}`;
}

function state(told) {
  const beat = told.beat;
  const parts = beat ? [beat.state, `${words.recipe} ${beat.recipe ?? words.none}`, beat.error ?? ""] : [words.silent];
  $("#state").textContent = `${told.cell}: ${parts.filter(Boolean).join(", ")}`;
  rows("#cameras", (beat ? beat.cameras : []).map((camera) => [camera.name,
    light(camera.standing === "streaming" ? "green" : camera.standing === "starting" ? "yellow" : "red"),
    words[camera.standing], camera.detail, `${camera.restarts} ${words.restarts}`]));
  $("#why_none").textContent = told.why_none;
  const figures = told.figures.filter((each) => !each.name.endsWith("_total") || each.value > 0);
  rows("#figures", figures.map((each) => [words[each.name], each.of, legible(each.name, each.value)]));
}

async function pictures() {
  const last = (await (await ask("/api/last")).json()).job_id;
  if (last === null) return;
  const api = `/api/jobs/${encodeURIComponent(last)}`;
  const job = await (await ask(api)).json();
  const link = element("a", { href: `/jobs/${encodeURIComponent(last)}` }, last);
  const shown = job.views.map((each, at) => element("img", { src: `${api}/seen/${at}`, alt: each.caption, loading: "lazy" }));
  $("#last").replaceChildren(element("p", { class: "quiet" }, `${words.last_seen} `, link), ...shown);
}

async function calibration() {
  const told = await (await ask("/api/calibration")).json();
  $("#of").textContent = [told.file, `${words.part} ${told.part}`, told.digest ?? ""].join(", ");
  rows("#steps", told.steps.map((each) => [each.step, each.created_utc ?? "", light(each.forced ? "yellow" : "green"),
    Object.entries(each.figures ?? {}).map(([name, value]) => `${name} ${value === null ? "\u2013" : Number(value.toPrecision(3))}`).join(", "),
    (each.missed ?? []).join("; ")]));
}

async function examine(event) {
  event.target.disabled = true;
  $("#examine + output").textContent = words.examining;
  try {
    const told = await change("/api/examine", {});
    rows("#rows", told.rows.filter((each) => each.light !== "off").map((each) => [each.check, light(each.light), each.said, each.do]));
    rows("#recipes", told.recipes.map((each) => [each.label, light(each.problem ? "red" : "green"), each.signer ?? words.nobody_signed, each.problem ?? ""]));
    $("#examine + output").textContent = "";
  } catch (error) { $("#examine + output").textContent = error.message; }
  event.target.disabled = false;
}

async function follow() {
  try { state(await (await ask("/api/state")).json()); $("#said").textContent = ""; }
  catch (error) { $("#said").textContent = error.message; rows("#cameras", []); $("#state").textContent = words.silent; }
  setTimeout(follow, PERIOD_MS);
}

await begin();
document.title = `VoxGate: ${words.page_maintenance}`;
$("#examine").addEventListener("click", examine);
await follow();
look();
for (const part of [pictures, calibration]) {
  try { await part(); } catch (error) { $("#said").textContent = error.message; }
}
document.body.dataset.ready = "yes";
