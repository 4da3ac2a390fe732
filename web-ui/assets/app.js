// Comfort: updates, keys, notifications, choosing. Pages are whole without this.

import "./keys.js";
import { listen } from "./live.js";
import "./notify.js";
import "./rows.js";

listen();
