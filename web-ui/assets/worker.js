// One stream for all tabs of a browser: of HTTP/1.1 it opens six connections to a server, and a stream of each tab would leave none
// for a seventh page.

import { follow } from "./stream.js";

// Each version of the script has a worker and a channel of its own.
const pages = new BroadcastChannel(location.pathname);

let isOpen = false;

follow((said) => {
  isOpen = said.what !== "lost";
  pages.postMessage(said);
});

// A page that comes later hears how it is; what tabs there are is nothing to remember, since none says when it goes.
addEventListener("connect", ({ ports: [page] }) => {
  if (isOpen) {
    page.postMessage({ what: "open" });
  }
});
