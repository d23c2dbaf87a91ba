// Numbers and spans of time as people read them.

const NUMBER = new Intl.NumberFormat();
const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
];

/** "12,345". */
export function number(value) {
  return NUMBER.format(value);
}

/** "0.3 s", "40 s", "4 min", "3 h", "2 d". */
export function span(seconds) {
  const unit = UNITS.find(([least]) => seconds >= least);
  if (unit) return `${Math.floor(seconds / unit[0])} ${unit[1]}`;
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.floor(seconds)} s`;
}

/** "caught up", "4 behind", "4 behind · 3 s". */
export function lag({ lag_positions: positions, lag_seconds: seconds }) {
  if (!positions) return "caught up";
  return `${number(positions)} behind · ${span(seconds)}`;
}
