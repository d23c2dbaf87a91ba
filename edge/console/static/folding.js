/** Parts that the reader unfolds; what is in them is made only then, and stays unfolded wherever it is drawn again. */
import { el, replace } from "./dom.js";

/** `page` remembers what is open: `opened` (a Set of keys) and `toggle(key)`. */
export function folding(key, page, { className = "details", summary, content }) {
  const inside = el("div", { class: "inside" }, page.opened.has(key) && content());
  const toggled = ({ currentTarget }) => {
    if (currentTarget.open === page.opened.has(key)) return;
    page.toggle(key);
    replace(inside, currentTarget.open && content());
  };
  return el("details", { class: className, open: page.opened.has(key), ontoggle: toggled }, el("summary", {}, summary), inside);
}
