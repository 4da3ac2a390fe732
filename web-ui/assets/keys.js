// Keys, as the help says. Whoever needs letters for something else (speech input, a screen reader) turns them off there.

import { chooseNone, focusRow, rowOf, rows, silence, toggle } from "./rows.js";
import { keep, read } from "./store.js";

const STORE = "keys";
const help = document.getElementById("help");
const box = document.getElementById("keys-on");
const places = { a: "/", n: "/nodes", c: "/checks", s: "/silences" };

let going = false;

function step(by) {
  const all = rows();
  const at = all.indexOf(rowOf(document.activeElement));
  focusRow(all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]);
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  x: () => toggle(rowOf(document.activeElement)),
  s: silence,
  "/": () => document.querySelector("#live input[type=search]")?.focus(),
  "?": () => help.showModal(),
  g: () => {
    going = true;
  },
  Escape: chooseNone,
};

const isOn = () => read(STORE) !== "off";
const isText = (element) =>
  element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox], [type=radio])");

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || help.open) {
    return;
  }
  const wasGoing = going;
  going = false;
  if (isText(event.target)) {
    if (event.key === "Escape") {
      event.target.blur();
    }
    return;
  }
  if (event.key !== "Escape" && !isOn()) {
    return;
  }
  if (wasGoing && places[event.key]) {
    event.preventDefault();
    location.assign(places[event.key]);
  } else if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

// --- The help: a dialog by script, and a part of the page without.

document.addEventListener("click", (event) => {
  if (event.target.closest("a[href='#help']")) {
    event.preventDefault();
    help.showModal();
  } else if (event.target.closest("#help .close")) {
    event.preventDefault();
    help.close();
  }
});

box.closest("label").hidden = false;
box.checked = isOn();
box.addEventListener("change", () => keep(STORE, box.checked ? "on" : "off"));
