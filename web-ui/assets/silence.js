// The preview follows the form. Without this, its button shows it.

const form = document.querySelector("form[data-preview]");
const preview = document.getElementById("preview");
const PAUSE = 300;

let waiting;
let asking;

async function look() {
  asking?.abort();
  asking = new AbortController();
  const body = new URLSearchParams(new FormData(form));
  body.set("do", "fragment");
  try {
    const response = await fetch(form.action, { method: "POST", body, signal: asking.signal });
    if (response.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      preview.replaceChildren(...page.body.children);
    }
  } catch {
    // The next change asks again, and so does the button.
  }
}

form?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(look, PAUSE);
});
