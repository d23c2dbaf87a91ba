/** Events as one line: what a person would want to read of one that has no block of its own. */

const MAX_CHARACTERS = 160;

/** Text, a message, a status or an id; never more than a line. */
export function gist({ payload }) {
  const params = payload.params ?? {};
  const candidates = [
    ...[params.text, params.delta, params.message, params.summary, params.error?.message, params.msg?.message],
    ...[params.item?.text, params.turn?.status, params.status?.type ?? params.status, payload.text],
    ...[payload.reason, payload.status, payload.handshake_id, payload.message_id, payload.request_id],
  ];
  const found = candidates.find((candidate) => typeof candidate === "string" && candidate.trim());
  return shortened((found ?? "").replace(/\s+/g, " ").trim());
}

function shortened(text) {
  return text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS - 1)}…`;
}
