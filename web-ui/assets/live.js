// Updates: at each change that the server tells of, the page is fetched anew, and what has changed takes the place of what
// was there. Every update ends with the event `shown`; every change is told on as `heard` with what the server says of it.

import { morph } from "./morph.js";
import { focusNear, rowOf, rows } from "./rows.js";
import { follow } from "./stream.js";

// How long an answer may take.
const PATIENCE = 30_000;

// How long the browser may take to connect anew before it is said.
const GRACE = 5_000;

const live = document.getElementById("live");
const lost = document.getElementById("lost");
const titled = /^\(\d+\) /;

let fetching = false;
let retrying;
let again = false;

async function refresh() {
  if (fetching || document.hidden) {
    again = true;
    return;
  }
  fetching = true;
  again = false;
  clearTimeout(retrying);
  try {
    const response = await fetch(location.href, {
      headers: { accept: "text/html" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    // A proxy may show a page of its own, to sign in.
    const isOurs = response.ok && page.getElementById("live") !== null;
    missing("page", !isOurs);
    if (isOurs) {
      show(page);
    }
  } catch {
    missing("page", true);
  } finally {
    fetching = false;
    if (absent.has("page")) {
      retrying = setTimeout(refresh, GRACE);
    }
    if (again) {
      refresh();
    }
  }
}

function show(page) {
  // A selection would be lost where its text changes. The page says how old it is.
  if (!document.getSelection()?.isCollapsed) {
    return;
  }
  const next = page.getElementById("live");
  const focused = document.activeElement;
  const place = rows().indexOf(rowOf(focused));
  // A page with a form that is being filled in stays as it is, but for what is said at its head; it may be the answer to a form,
  // at whose address another page is.
  const isStill = live.querySelector("[data-still]");
  const [part, other] = [live, next].map((whole) => (isStill ? whole.querySelector("#troubles") : whole));
  morph(part, other);
  morph(document.querySelector(".tabs-main"), page.querySelector(".tabs-main"));
  morph(document.getElementById("footer"), page.getElementById("footer"));
  if (!isStill) {
    document.title = page.title;
  }
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

// --- What is said when updates fail: the page, or the stream of events.

const absent = new Set();
let telling;

function missing(what, isMissing) {
  isMissing ? absent.add(what) : absent.delete(what);
  if (!absent.size) {
    clearTimeout(telling);
    telling = undefined;
    lost.hidden = true;
    return;
  }
  telling ??= setTimeout(() => {
    lost.textContent = `${lost.dataset.text} ${document.querySelector(".asof time").textContent}`;
    lost.hidden = false;
  }, GRACE);
}

// --- The stream of events

// Longer than the stream itself is waited for, and than it takes to open it anew.
const UNHEARD = 60_000;

let unheard;

function hear({ what, told }) {
  missing("stream", what === "lost");
  if (what === "change") {
    document.title = `${told.critical ? `(${told.critical}) ` : ""}${document.title.replace(titled, "")}`;
    document.dispatchEvent(new CustomEvent("heard", { detail: told }));
  }
  // At `open`: what was missed while nobody was connected.
  if (what === "change" || what === "open") {
    refresh();
  }
}

export function listen() {
  if ("SharedWorker" in window) {
    share();
  } else {
    followWhileSeen();
  }
}

// All tabs have one stream.
function share() {
  const address = new URL("./worker.js", import.meta.url);
  const channel = new BroadcastChannel(address.pathname);
  const worker = new SharedWorker(address, { type: "module" });
  const wait = () => {
    clearTimeout(unheard);
    unheard = setTimeout(again, UNHEARD);
  };
  const again = () => {
    channel.close();
    missing("stream", true);
    share();
  };
  const heard = ({ data }) => {
    wait();
    hear(data);
  };
  wait();
  channel.onmessage = heard;
  worker.port.onmessage = heard;
  worker.onerror = () => {
    clearTimeout(unheard);
    channel.close();
    followWhileSeen();
  };
}

// A stream of this tab alone, where tabs cannot share one; only the tab that is in front keeps it.
function followWhileSeen() {
  let end;
  const turn = () => {
    if (document.hidden) {
      end?.();
      end = undefined;
    } else {
      end ??= follow(hear);
    }
  };
  document.addEventListener("visibilitychange", turn);
  turn();
}
