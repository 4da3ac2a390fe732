// The preview follows the form. Without this, its button shows it.

const form = document.querySelector("form[data-preview]");
const preview = document.getElementById("preview");
const outdated = document.getElementById("preview-outdated");
const said = document.getElementById("preview-said");
const PAUSE = 300;

// How long an answer may take.
const PATIENCE = 30_000;

let waiting;
let asking;

async function look() {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  const body = new URLSearchParams(new FormData(form));
  body.set("do", "fragment");
  const isShown = await show(body, AbortSignal.any([mine.signal, AbortSignal.timeout(PATIENCE)]));
  if (asking === mine) {
    outdated.hidden = isShown;
  }
}

// A screen reader says how many, not every alert, and only when that is another.
function say() {
  const counts = [...preview.querySelectorAll(".preview")].map((one) => {
    const [cluster, count] = one.querySelectorAll("h2, h2 + p");
    return `${cluster.textContent}: ${count.textContent}`;
  });
  const text = counts.join(" ");
  if (said.textContent !== text) {
    said.textContent = text;
  }
}

async function show(body, signal) {
  try {
    const response = await fetch(form.action, { method: "POST", body, signal });
    if (!response.ok) {
      return false;
    }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    preview.replaceChildren(...page.body.children);
    say();
    return true;
  } catch {
    // The next change asks again, and so does the button.
    return false;
  }
}

form?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(look, PAUSE);
});
