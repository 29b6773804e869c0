// A small help on top of links and forms: without it everything still works.
const main = document.getElementById("main");
const news = document.getElementById("news");

// News: the page fetches itself anew by its own rights, unless somebody is writing in it.
const busy = () => document.querySelector("details[open], dialog[open]")
  || document.activeElement?.matches("input, textarea, select");
async function fresh() {
  const live = document.querySelector("[data-live]");
  if (!live || busy() || document.hidden) return false;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.querySelector("[data-live]");
  if (!next || next.innerHTML === live.innerHTML) return false;
  const before = new Set([...live.querySelectorAll("a.post")].map((a) => a.pathname));
  const at = document.activeElement?.closest?.("a.post")?.pathname;
  live.replaceWith(next);
  for (const part of ["nav.rooms", "header.page"]) {
    const old = document.querySelector(part), now = page.querySelector(part);
    if (old && now) old.replaceWith(now);
  }
  if (at) document.querySelector(`a.post[href="${at}"]`)?.focus();
  const fresh = [...next.querySelectorAll("a.post")].filter((a) => !before.has(a.pathname)).length;
  news.textContent = fresh ? (fresh === 1 ? "Ett nytt ärende" : `${fresh} nya ärenden`) : "";
  return true;
}
let waiting = false;
function hear() {
  const line = new EventSource("/handelser");
  line.addEventListener("nytt", () => {
    if (document.querySelector("[data-live]")) fresh().catch(() => {});
    else if (!waiting && document.querySelector(".case")) { waiting = true; news.textContent = "Något har hänt. Ladda om sidan för att se det."; }
  });
}
if (document.querySelector("nav.rooms")) {
  hear();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) fresh().catch(() => {}); });
}

// Keyboard: j k o t s / ? as everywhere; never while somebody writes, never with Ctrl or Alt.
const rows = () => [...document.querySelectorAll("a.post")];
function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
  next.focus();
  next.closest("li").scrollIntoView({ block: "nearest" });
}
const keys = {
  j: () => step(1),
  k: () => step(-1),
  o: () => document.activeElement?.closest("a.post")?.click(),
  t: () => document.querySelector('[data-key="t"]')?.click(),
  s: () => document.querySelector('[data-key="s"]')?.focus(),
  "/": () => document.querySelector('input[type="search"]')?.focus(),
  "?": help,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.("input, textarea, select, dialog")) return;
  const act = keys[event.key];
  if (act) { event.preventDefault(); act(); }
});
function help() {
  let box = document.getElementById("keys");
  if (!box) {
    box = document.createElement("dialog");
    box.id = "keys";
    const list = [["j k", "nästa och föregående"], ["o", "öppna"], ["t", "ta ärendet"], ["s", "skriv svar"], ["/", "sök"], ["?", "visa det här"]];
    const head = document.createElement("h2");
    head.textContent = "Tangenter";
    const dl = document.createElement("dl");
    dl.className = "keys";
    for (const [key, what] of list) {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      for (const one of key.split(" ")) { const kbd = document.createElement("kbd"); kbd.textContent = one; dt.append(kbd, " "); }
      dd.textContent = what;
      dl.append(dt, dd);
    }
    const form = document.createElement("form"), close = document.createElement("button");
    form.method = "dialog";
    close.className = "button";
    close.textContent = "Stäng";
    form.append(close);
    box.append(head, dl, form);
    document.body.append(box);
  }
  box.showModal();
}

// Touch: a form is sent once, and the button says that it has been heard.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog" || form.method === "get") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  event.submitter?.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => {
  delete form.dataset.sent;
  form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
}));
