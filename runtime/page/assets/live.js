// What the cameras see now, twice a second while somebody looks: a hidden page asks for nothing.
import { $, ask, element, words } from "/assets/common.js";

const PERIOD_MS = 500, OLD_S = 3;
const shown = {};

function figure(camera) {
  const caption = element("figcaption", {});
  const made = element("figure", { class: "live" }, element("img", { alt: camera }), caption);
  $("#live").append(made);
  return { made, caption, picture: made.firstChild, number: null };
}

function show({ camera, number, age_s }) {
  const each = shown[camera] ??= figure(camera);
  if (each.number !== number) each.picture.src = `/api/pictures/${encodeURIComponent(camera)}/${number}`;
  each.number = number;
  each.made.classList.toggle("old", age_s > OLD_S);
  each.caption.textContent = `${camera}, ${words.seen_ago.replace("{}", age_s.toFixed(age_s < 10 ? 1 : 0))}`;
}

/** Without end; what keeps it from pictures stands in their place. */
export async function look() {
  if (!document.hidden) {
    try {
      const { cameras } = await (await ask("/api/pictures")).json();
      cameras.forEach(show);
      $("#why_not_live").textContent = cameras.length === 0 ? words.no_live : "";
    } catch (error) {
      $("#why_not_live").textContent = error.message;
      for (const { made } of Object.values(shown)) made.classList.add("old");
    }
  }
  setTimeout(look, PERIOD_MS);
}
