// The server's stream of events, which is opened anew for as long as it is followed. `tell` hears `open`, `beat`, `change` (with
// what the server says of it) and `lost`.

// The server says something at least every 15 s; so long without a word, and the connection is dead.
const SILENCE = 40_000;

// Until it is tried again.
const PAUSE = 5_000;

// Gives what ends it.
export function follow(tell) {
  let events;
  let timer;
  const at = (wait, act) => {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  };
  const hear = (what, told) => {
    at(SILENCE, fail);
    tell({ what, told });
  };
  function fail() {
    events.close();
    at(PAUSE, connect);
    tell({ what: "lost" });
  }
  function connect() {
    events = new EventSource("/events");
    at(SILENCE, fail);
    events.addEventListener("open", () => hear("open"));
    events.addEventListener("beat", () => hear("beat"));
    events.addEventListener("change", (event) => hear("change", JSON.parse(event.data)));
    // Else the browser connects again by itself.
    events.addEventListener("error", () => (events.readyState === EventSource.CLOSED ? fail() : tell({ what: "lost" })));
  }
  connect();
  return () => {
    clearTimeout(timer);
    events.close();
  };
}
