/* What Tab should reach on a page, and whether the focus can be seen there. */
window.walk = (() => {
  const USABLE = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable=true]";
  const names = new Map();
  const looks = new Map();

  const usable = (one) =>
    one.tabIndex >= 0 && !one.disabled && !one.closest("[inert]") && one.checkVisibility({ visibilityProperty: true });

  const label = (one) =>
    [one.localName, one.id, one.getAttribute("href"), one.ariaLabel, one.textContent.trim().slice(0, 60)]
      .filter(Boolean)
      .join(" ");

  /* Its place among its like tells two of one label apart; the radio buttons of one name are one stop. */
  const name = (one, place) => (one.type === "radio" ? `radio ${one.name}` : `${label(one)} (${place})`);

  const look = (one) =>
    [one, one.parentElement, one.parentElement?.parentElement]
      .filter(Boolean)
      .map((each) => getComputedStyle(each))
      .map((style) => [style.outline, style.boxShadow, style.borderColor].join(" "))
      .join(" | ");

  return {
    begin() {
      document.activeElement?.blur();
      [...document.querySelectorAll(USABLE)].filter(usable).forEach((one, place) => names.set(one, name(one, place)));
      for (const one of names.keys()) looks.set(one, look(one));
      return [...new Set(names.values())];
    },
    focused() {
      const one = document.activeElement;
      return one === document.body ? ["", true] : [names.get(one) ?? label(one), look(one) !== looks.get(one)];
    },
  };
})();
