/** Values whose shape nobody promised, read as the shape that is wanted. */

/** The value if it is an object, else an empty one. */
export function objectOf(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

/** The value if it is a text, else "". */
export function textOf(value) {
  return typeof value === "string" ? value : "";
}

/** The value if it is a number, else null. */
export function numberOf(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
