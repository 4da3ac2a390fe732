// Updates: at each change that the server tells of, the page is fetched anew, and what has changed takes the place of what
// was there. Every update ends with the event `shown`; every change is told on as `heard` with what the server says of it.

import { morph } from "./morph.js";
import { focusNear, rowOf, rows } from "./rows.js";

// The server says something at least every 15 s; so long without a word, and the connection is dead.
const SILENCE = 40_000;

// How long the browser may take to connect anew before it is said.
const GRACE = 5_000;

const live = document.getElementById("live");
const lost = document.getElementById("lost");
const titled = /^\(\d+\) /;

let fetching = false;
let again = false;

async function refresh() {
  if (fetching || document.hidden) {
    again = true;
    return;
  }
  fetching = true;
  again = false;
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    if (response.ok) {
      show(new DOMParser().parseFromString(await response.text(), "text/html"));
    }
  } catch {
    // The stream of events says when the server is back.
  } finally {
    fetching = false;
    if (again) {
      refresh();
    }
  }
}

function show(page) {
  const next = page.getElementById("live");
  // A form stays as it is being filled in; and a selection would be lost where its text changes. The page says how old it is.
  if (!next || live.querySelector("[data-still]") || !document.getSelection()?.isCollapsed) {
    return;
  }
  const focused = document.activeElement;
  const place = rows().indexOf(rowOf(focused));
  // A page with a form that is being filled in stays as it is, but for what is said at its head.
  const isStill = live.querySelector("[data-still]");
  const [part, other] = [live, next].map((whole) => (isStill ? whole.querySelector("#troubles") : whole));
  morph(part, other);
  morph(document.querySelector(".tabs-main"), page.querySelector(".tabs-main"));
  document.title = page.title;
  if (focused !== document.activeElement) {
    // It was moved, or is gone: then its row's neighbour has its place.
    focused.isConnected ? focused.focus({ preventScroll: true }) : focusNear(place);
  }
  document.dispatchEvent(new Event("shown"));
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && again) {
    refresh();
  }
});

// --- The stream of events, and that there is none.

let heard;
let telling;

function isHeard() {
  clearTimeout(heard);
  clearTimeout(telling);
  telling = undefined;
  lost.hidden = true;
}

function isLost() {
  telling ??= setTimeout(() => {
    lost.textContent = `${lost.dataset.text} ${document.querySelector(".asof time").textContent}`;
    lost.hidden = false;
  }, GRACE);
}

export function listen() {
  const events = new EventSource("/events");
  const watch = () => {
    isHeard();
    heard = setTimeout(reconnect, SILENCE);
  };
  const reconnect = () => {
    clearTimeout(heard);
    events.close();
    isLost();
    setTimeout(listen, GRACE);
  };
  events.addEventListener("open", () => {
    watch();
    // What was missed while nobody was connected.
    refresh();
  });
  events.addEventListener("beat", watch);
  events.addEventListener("change", (event) => {
    watch();
    const told = JSON.parse(event.data);
    document.title = `${told.critical ? `(${told.critical}) ` : ""}${document.title.replace(titled, "")}`;
    document.dispatchEvent(new CustomEvent("heard", { detail: told }));
    refresh();
  });
  events.addEventListener("error", () => {
    isLost();
    if (events.readyState === EventSource.CLOSED) {
      reconnect();
    }
  });
}
