// Rows: which has the focus, and which are chosen. The focus is the browser's own, on a row's link, so that a screen reader
// follows it and Enter opens it.

const live = document.getElementById("live");

export const rows = () => [...live.querySelectorAll("#rows tbody tr:has(a, button, input), .checks li:has(a)")];

export const rowOf = (element) => element?.closest?.("#rows tbody tr, .checks li");

export function focusRow(row) {
  const stop = row?.querySelector("a.open") ?? row?.querySelector("a, button, input");
  stop?.focus({ preventScroll: true });
  row?.scrollIntoView({ block: "nearest" });
}

// The row that is at a place now, where another was.
export function focusNear(place) {
  const all = rows();
  if (place >= 0) {
    focusRow(all[Math.min(place, all.length - 1)]);
  }
}

// --- Choosing

const form = () => document.getElementById("picking");
const boxes = () => [...live.querySelectorAll("td.pick input")];
export const chosen = () => boxes().filter((box) => box.checked);

// The last one that was clicked, where a range begins.
let anchor;

function count() {
  const all = boxes();
  const number = chosen().length;
  for (const row of rows()) {
    row.classList.toggle("picked", Boolean(row.querySelector("td.pick input:checked")));
  }
  const output = document.getElementById("chosen");
  const text = number && output ? output.dataset.text.replace("#", number) : "";
  // A screen reader says it whenever it is set, the same as before too.
  if (output && output.textContent !== text) {
    output.textContent = text;
  }
  const every = live.querySelector("[data-all]");
  if (every) {
    every.closest("label").hidden = false;
    every.checked = number > 0 && number === all.length;
    every.indeterminate = number > 0 && number < all.length;
  }
}

function choose(box, isChosen) {
  box.checked = isChosen;
}

export function toggle(row) {
  const box = row?.querySelector("td.pick input");
  if (box) {
    choose(box, !box.checked);
    anchor = box;
    count();
  }
}

export function chooseNone() {
  chosen().forEach((box) => choose(box, false));
  count();
}

// Silences what is chosen, or else the row that has the focus, the check that is open, or what the page is about: never more than
// what is looked at.
export function silence() {
  const row = rowOf(document.activeElement);
  if (chosen().length) {
    form()?.requestSubmit();
  } else if (row?.dataset.silence) {
    location.assign(row.dataset.silence);
  } else {
    const page = () => live.querySelector(".detail a.silence") ?? live.querySelector("header a.silence");
    (row ? row.querySelector("a.silence") : page())?.click();
  }
}

live.addEventListener("click", (event) => {
  const box = event.target;
  if (box.matches("[data-all]")) {
    boxes().forEach((other) => choose(other, box.checked));
  } else if (box.matches("td.pick input")) {
    const all = boxes();
    const [from, to] = [all.indexOf(anchor), all.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) {
      all.slice(from, to + 1).forEach((other) => choose(other, box.checked));
    }
    anchor = box;
  } else {
    return;
  }
  count();
});

// A page that the browser brings back has what was chosen in it.
addEventListener("pageshow", count);
document.addEventListener("shown", count);
