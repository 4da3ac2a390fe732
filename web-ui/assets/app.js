// Updates and keys. Pages are whole without this.

const live = document.getElementById("live");

// --- Updates: the page is fetched anew, and what has changed takes the place of what was there.

let fetching = false;
let again = false;

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
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
      again = false;
      refresh();
    }
  }
}

function show(page) {
  const typing = document.activeElement?.matches?.("input, textarea, select");
  const selecting = !document.getSelection()?.isCollapsed;
  if (typing || selecting) {
    return;
  }
  const open = [...live.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
  const chosen = live.querySelector("tr.chosen")?.dataset.key;
  live.replaceChildren(...page.getElementById("live").children);
  document.querySelector(".tabs-main").replaceWith(page.querySelector(".tabs-main"));
  document.title = page.title;
  for (const summary of live.querySelectorAll("details > summary")) {
    summary.parentElement.open = open.includes(summary.textContent);
  }
  for (const row of live.querySelectorAll("tr[data-key]")) {
    row.classList.toggle("chosen", row.dataset.key === chosen);
  }
}

function listen() {
  const events = new EventSource("/events");
  events.addEventListener("change", () => {
    if (!document.hidden) {
      refresh();
    } else {
      again = true;
    }
  });
  // What was missed while nobody was connected.
  events.addEventListener("open", refresh, { once: true });
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && again && !fetching) {
    again = false;
    refresh();
  }
});

// --- Keys: j and k go through the rows, Enter opens one, / goes to the search.

function step(by) {
  const rows = [...live.querySelectorAll("table.rows tbody tr")];
  const at = rows.findIndex((row) => row.classList.contains("chosen"));
  const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
  rows[at]?.classList.remove("chosen");
  next?.classList.add("chosen");
  next?.scrollIntoView({ block: "nearest" });
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  Enter: () => live.querySelector("tr.chosen a.open")?.click(),
  "/": () => live.querySelector("input[type=search]")?.focus(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (typing && event.key === "Escape") {
    event.target.blur();
  }
  const link = event.key === "Enter" && event.target.matches("a, button, summary");
  if (typing || link || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) {
    return;
  }
  event.preventDefault();
  keys[event.key]();
});

listen();
