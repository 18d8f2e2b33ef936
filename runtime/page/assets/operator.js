"use strict";
// Shows what the stream says, and says so itself when nothing comes: a screen that stands still
// must not look like a box that passes parts.

const SIGNS = { PASS: "\u2713", FAIL: "\u2717", INDETERMINATE: "?", SCANNING: "\u2026",
  WAITING: "\u25cb", DOWN: "!", SILENT: "\u26a0" };
const SILENCE_MS = 5000;
const $ = (name) => document.querySelector(name);
const language = new URLSearchParams(location.search).get("lang") || "";
let words = {};
let reasons = {};
let timer = 0;
let shown = "";
let beats = 0;

function show(screen) {
  const passed = screen.light === "PASS";
  const silent = screen.light === "SILENT";
  document.body.dataset.light = screen.light;
  document.title = words[screen.light] || screen.light;
  $(".sign").textContent = SIGNS[screen.light];
  $("h1").textContent = words[screen.light] || screen.light;
  $(".part").textContent = screen.part ? `${words.part} ${screen.part}` : "";
  $(".why").textContent = silent ? words.silent || "" : why(screen);
  $(".remedy").textContent = silent || screen.light === "DOWN" ? words.not_passed || ""
    : passed ? "" : reasons[screen.reason]?.remedy || "";
  $(".recipe").textContent = screen.recipe ? `${words.recipe} ${screen.recipe}` : "";
  $(".simulated").hidden = !screen.is_simulated;
  $(".simulated").textContent = words.simulated || "";
  $(".links a").textContent = words.page_quality || "";
  $(".strip").setAttribute("aria-label", words.last || "");
  const strip = JSON.stringify(screen.strip);
  if (strip === shown) return; // or who walks along it by keyboard is thrown out by each heartbeat
  shown = strip;
  $(".strip").replaceChildren(...[...screen.strip].reverse().map(item));
}

/** In one sentence; the box's own words are English. */
function why(screen) {
  const meaning = reasons[screen.reason]?.meaning || "";
  if (!meaning || (screen.why && document.documentElement.lang === "en")) return screen.why;
  return screen.why ? `${meaning} (${screen.why})` : meaning;
}

function item(decided) {
  const link = document.createElement("a");
  link.href = `/jobs/${encodeURIComponent(decided.job_id)}${language ? `?lang=${encodeURIComponent(language)}` : ""}`;
  link.className = decided.outcome;
  link.textContent = `${SIGNS[decided.outcome]} ${decided.part}`;
  link.title = words.why || "";
  const entry = document.createElement("li");
  entry.append(link);
  return entry;
}

function lost() {
  show({ light: "SILENT", part: "", why: "", reason: "", recipe: "", is_simulated: false, strip: [] });
}

async function ended() {
  lost();
  const answer = await fetch("/me").catch(() => null);
  if (answer?.status === 401) location.replace("/login");
}

function heard(event) {
  beats += 1;
  clearTimeout(timer);
  const screen = JSON.parse(event.data);
  timer = setTimeout(lost, Math.max(SILENCE_MS, screen.patience_ms)); // a slow heart is no silence
  show(screen);
}

async function begin() {
  const said = await (await fetch(`/words?lang=${encodeURIComponent(language)}`)).json();
  ({ words, reasons } = said);
  document.documentElement.lang = said.language;
  lost();
  const stream = new EventSource("/stream");
  stream.onmessage = heard;
  stream.onerror = ended;
}

begin();
