// What every page has: its words, its links, how it asks the server.

export const SIGNS = { PASS: "\u2713", FAIL: "\u2717", INDETERMINATE: "?" };
export const $ = (name) => document.querySelector(name);
export const words = {};
export const reasons = {}; // each with its meaning and its remedy
let token = "";

/** An element with attributes and children; text is never HTML. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => child ?? ""));
  return made;
}

export async function ask(path) {
  const answer = await fetch(path);
  if (answer.status === 401) location.replace("/login");
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

export async function change(path, said) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(said),
    headers: { "Content-Type": "application/json", "X-VoxGate-Token": token } });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

export function outcome(name) {
  if (name === null) return element("span", { class: "outcome" }, words.open_job);
  return element("span", { class: `outcome ${name}` }, `${SIGNS[name]} ${words[name]}`);
}

export function score(value) { return value === null ? "\u2013" : value.toFixed(2); }
export function when(utc) { return utc.slice(0, 19).replace("T", " "); }

/** Words, language, links to the other pages, and who is logged in. */
export async function begin({ needsLogin = true } = {}) {
  const asked = new URLSearchParams(location.search).get("lang") || "";
  const said = await (await fetch(`/words?lang=${encodeURIComponent(asked)}`)).json();
  Object.assign(words, said.words);
  Object.assign(reasons, said.reasons);
  document.documentElement.lang = said.language;
  for (const each of document.querySelectorAll("[data-word]")) each.textContent = words[each.dataset.word];
  for (const each of document.querySelectorAll("[data-label]"))
    each.setAttribute("aria-label", words[each.dataset.label]);
  if (needsLogin) links(await (await ask("/me")).json(), asked);
}

function links(me, language) {
  token = me.token;
  const pages = [["/", words.page_operator]];
  if (me.role !== "operator") pages.push(["/quality", words.page_quality]);
  if (me.role === "maintenance") pages.push(["/maintenance", words.page_maintenance]);
  const query = language ? `?lang=${encodeURIComponent(language)}` : "";
  const items = pages.map(([path, word]) => element("a", { href: path + query,
    ...(path === location.pathname ? { "aria-current": "page" } : {}) }, word));
  if (me.has_login) {
    const out = element("button", { type: "button" }, `${words.log_out} ${me.name}`);
    out.addEventListener("click", async () => { await change("/session/end", {}); location.replace("/login"); });
    items.push(out);
  }
  $("nav")?.replaceChildren(...items);
}
