"use strict";
// The part that changes is fetched again and again; the page works without this.
const main = document.getElementById("main"), lost = document.getElementById("lost"), since = document.getElementById("since");
async function renew() {
  try {
    const answer = await fetch("status?part=main", {cache: "no-store", signal: AbortSignal.timeout(4000)});
    if (!answer.ok) throw new Error(await answer.text());
    const text = await answer.text();
    if (String(getSelection()) === "") main.innerHTML = text; // else somebody wants to copy something
    lost.hidden = true;
    document.body.dataset.renewed = Number(document.body.dataset.renewed || 0) + 1;
  } catch {
    if (lost.hidden) since.textContent = new Date().toLocaleTimeString();
    lost.hidden = false;
  }
  setTimeout(renew, document.hidden ? 10000 : 2000);
}
setTimeout(renew, 2000);
