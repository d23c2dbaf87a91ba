// Amounts of money: whole sats, in groups of three with thin separators that never break.

const THIN = "\u202f";

/** "1 234 567". */
export function grouped(whole) {
  return String(whole).replace(/\B(?=(\d{3})+$)/g, THIN);
}

/** "1 234 sats". */
export function sats(whole) {
  return `${grouped(whole)}${THIN}${whole === 1 ? "sat" : "sats"}`;
}

/** The same, or what there is instead of a limit. */
export function limit(whole, none = "no limit") {
  return whole === null || whole === undefined ? none : sats(whole);
}
