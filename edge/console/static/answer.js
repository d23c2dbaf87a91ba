// The moments of an answer link's page, in the viewer's zone.

import { clock, full } from "./times.js";

for (const moment of document.querySelectorAll("main time")) {
  moment.textContent = clock(moment.dateTime);
  moment.title = full(moment.dateTime);
}
