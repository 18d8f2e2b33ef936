// Jobs looked for, and how one recipe's parts scored over the days.
import { $, ask, begin, element, outcome, reasons, score, when, words } from "/assets/common.js";
import { chart } from "/assets/chart.js";

const OUTCOMES = ["PASS", "FAIL", "INDETERMINATE"];
const language = new URLSearchParams(location.search).get("lang");
let before = null;

function row(job) {
  const link = element("a", { href: job_link(job.job_id) }, job.job_id);
  return element("tr", {}, element("td", {}, when(job.utc)), element("td", {}, outcome(job.outcome)),
    element("td", {}, job.part_id), element("td", { class: "number" }, score(job.score)),
    element("td", { title: reasons[job.why]?.meaning ?? "" }, job.why), element("td", {}, job.recipe),
    element("td", {}, job.judged ? words[job.judged] : ""), element("td", {}, link));
}

function job_link(job_id) {
  return `/jobs/${encodeURIComponent(job_id)}${language ? `?lang=${encodeURIComponent(language)}` : ""}`;
}

function asked() {
  const said = new URLSearchParams();
  for (const [name, value] of new FormData($("#search"))) if (value) said.set(name, value);
  return said;
}

async function show(more) {
  const query = asked();
  if (more) query.set("before", before);
  try {
    const found = await (await ask(`/api/jobs?${query}`)).json();
    if (!more) $("#jobs tbody").replaceChildren();
    $("#jobs tbody").append(...found.jobs.map(row));
    before = found.before;
    $("#more").hidden = before === null;
    $("#said").textContent = !more && found.jobs.length === 0 ? words.nothing_found : "";
  } catch (error) { $("#said").textContent = error.message; }
}

function options(select, values, first) {
  const all = first === null ? [] : [element("option", { value: "" }, first)];
  select.replaceChildren(...all, ...values.map(([value, name]) => element("option", { value }, name)));
}

async function scores(recipe) {
  const query = recipe ? `?recipe=${encodeURIComponent(recipe)}` : "";
  const found = await (await ask(`/api/scores${query}`)).json();
  const labels = found.recipes.map((label) => [label, label]);
  options($("#of"), labels, null);
  $("#of").value = found.recipe;
  $("#summary").textContent = `${found.scores.length} ${words.parts}`;
  $("#chart").replaceChildren(...chart(found.scores, words, job_link));
  return labels;
}

await begin();
document.title = `VoxGate: ${words.page_quality}`;
options($("#search [name=outcome]"), OUTCOMES.map((name) => [name, words[name]]), words.all);
const given = new URLSearchParams(location.search);
const recipe = $("#search [name=recipe]");
options(recipe, given.get("recipe") ? [[given.get("recipe"), given.get("recipe")]] : [], words.all);
for (const [name, value] of given) {
  const field = $("#search").elements.namedItem(name);
  if (field) field.value = value;
}
$("#search").addEventListener("submit", (event) => {
  event.preventDefault();
  const query = asked();
  if (language) query.set("lang", language);
  history.replaceState(null, "", `?${query}`);
  show(false);
});
$("#more").addEventListener("click", () => show(true));
$("#of").addEventListener("change", () => scores($("#of").value));
await show(false); // the list first: it is what people came for
try {
  const chosen = recipe.value;
  options(recipe, await scores(""), words.all);
  recipe.value = chosen;
} catch (error) { $("#said").textContent = error.message; }
document.body.dataset.ready = "yes";
