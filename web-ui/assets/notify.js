// Notifications of new alerts that match a filter, which the browser keeps. They are looked for at changes that the server
// tells of, also while another tab is in front: one request each, and no more often than every PACE.

import { forget, keep, read } from "./store.js";

const STORE = "notify";
const KNOWN = "notify-known";
const PACE = 5_000;

// How long an answer may take.
const PATIENCE = 30_000;

// Alerts that a notification names.
const NAMED = 3;

const button = () => document.getElementById("notify");
const wanted = () => read(STORE);

// Whether the browser has said no since this page stands.
let isRefused = false;
let looking = false;
let looked = 0;
// Whether something changed during a look, which may have been answered before.
let missed = false;
let next;

function paint() {
  const here = button();
  if (!here || !("Notification" in window)) {
    return;
  }
  const isOn = wanted() === here.dataset.news && Notification.permission === "granted";
  const isOther = wanted() && !isOn && Notification.permission === "granted";
  here.hidden = false;
  here.setAttribute("aria-pressed", String(isOn));
  const { on, refused, other, off } = here.dataset;
  here.textContent = isOn ? on : isRefused ? refused : isOther ? other : off;
}

document.addEventListener("click", async (event) => {
  const here = event.target.closest("#notify");
  if (!here) {
    return;
  }
  if (here.getAttribute("aria-pressed") === "true") {
    forget(STORE);
  } else {
    isRefused = (await Notification.requestPermission()) !== "granted";
    if (!isRefused) {
      keep(STORE, here.dataset.news);
      forget(KNOWN);
      look();
    }
  }
  paint();
});

const key = (alert) => `${alert.cluster}/${alert.fingerprint}`;
const name = ({ labels }) => [labels.check ?? labels.alertname, labels.instance].filter(Boolean).join(" · ");

async function look() {
  const address = wanted();
  if (!address || looking || Notification.permission !== "granted") {
    return;
  }
  looking = true;
  missed = false;
  looked = Date.now();
  clearTimeout(next);
  next = undefined;
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(PATIENCE) });
    if (response.ok && wanted() === address) {
      const { rows, total } = await response.json();
      compare(rows, total > rows.length);
    }
  } catch {
    // The stream of events says when the server is back.
  } finally {
    looking = false;
    if (missed) {
      lookSoon();
    }
  }
}

// What is known is kept for all tabs and pages: what one has told, no other tells again. Of many alerts only the newest are
// looked at; one that is older than all of them is not new, but comes up because a newer one is over.
function compare(alerts, isCut) {
  const known = JSON.parse(read(KNOWN) ?? "null");
  const from = (isCut && alerts.at(-1)?.since) || "";
  keep(KNOWN, JSON.stringify({ keys: alerts.map(key), from }));
  const isFresh = (alert) => !known.keys.includes(key(alert)) && alert.since >= known.from;
  const fresh = known ? alerts.filter(isFresh) : [];
  if (fresh.length) {
    tell(fresh);
  }
}

// Chrome on Android has notifications for service workers alone, and says so only when one is made: then there are none.
function show(title, options) {
  try {
    return new Notification(title, options);
  } catch {
    isRefused = true;
    forget(STORE);
    paint();
    return undefined;
  }
}

function tell(fresh) {
  const [first] = fresh;
  const { one, many } = document.body.dataset;
  const title = `${fresh.length} ${fresh.length === 1 ? one : many}`;
  const lines = fresh.slice(0, NAMED).map((alert) => `${name(alert)}: ${alert.output}`);
  const more = fresh.length > NAMED ? [`+${fresh.length - NAMED}`] : [];
  // Tabs that tell of the same at the same time replace each other's notification.
  const notification = show(title, { body: [...lines, ...more].join("\n"), tag: key(first) });
  if (!notification) {
    return;
  }
  notification.onclick = () => {
    window.focus();
    notification.close();
    location.assign(fresh.length === 1 && first.page ? first.page : "/?told=active&sort=since");
  };
}

function lookSoon() {
  if (looking) {
    missed = true;
    return;
  }
  const wait = looked + PACE - Date.now();
  if (wait <= 0) {
    look();
  } else {
    next ??= setTimeout(look, wait);
  }
}

document.addEventListener("heard", lookSoon);
addEventListener("storage", paint);
document.addEventListener("shown", paint);
paint();
