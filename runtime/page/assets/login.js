// A name and its password, told to our own server and to nobody else.
import { begin, $ } from "/assets/common.js";

await begin({ needsLogin: false });
$("#login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = Object.fromEntries(new FormData(event.target));
  const answer = await fetch("/session", { method: "POST", body: JSON.stringify(said),
    headers: { "Content-Type": "application/json" } });
  if (answer.ok) location.replace("/");
  else $("#said").textContent = await answer.text();
});
document.body.dataset.ready = "yes";
