// The public API as the console calls it: JSON both ways, the CSRF header, and one kind of error (edge §1.1, §1.6).

/** What a request failed with. `status` 0 means that nobody answered; `errors` is by field, `retryAfter` in seconds. */
export class ApiError extends Error {
  constructor(status, { code = "", message = "", errors = {}, details = [], retryAfter = null } = {}) {
    super(message);
    this.name = "ApiError";
    Object.assign(this, { status, code, errors, details, retryAfter });
  }
}

export const api = {
  /** The answer's JSON. */
  get: (path) => request("GET", path),
  /** The answer's JSON; `body` is sent as JSON. */
  post: (path, body = {}) => request("POST", path, body),
  /** The answer's JSON. */
  remove: (path) => request("DELETE", path),
};

async function request(method, path, body) {
  const response = await answered(method, path, body);
  if (response.redirected) return leave(response.url);
  if (response.status === 401) return leave(loginAddress());
  const document = await parsed(response);
  if (!response.ok) throw failure(response, document);
  return document;
}

async function answered(method, path, body) {
  const headers = { accept: "application/json", "x-client": "console" };
  if (method !== "GET") headers["x-xsrf-token"] = cookie("XSRF-TOKEN");
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    return await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, { code: "unreachable", message: "The server cannot be reached." });
  }
}

async function parsed(response) {
  try {
    return await response.json();
  } catch {
    return {};
  }
}

/** Both envelopes: `{error: {code, message, details}}` and `{message, errors}`. */
function failure(response, document) {
  const { code, message, details } = document.error ?? document;
  const retryAfter = Number(response.headers.get("retry-after")) || null;
  const text = message || `The server answered ${response.status}.`;
  return new ApiError(response.status, { code, message: text, details, errors: document.errors, retryAfter });
}

/** The page goes away, so what was asked for is never answered. */
function leave(address) {
  location.assign(address);
  return new Promise(() => {});
}

function loginAddress() {
  const here = location.pathname + location.search + location.hash;
  return `/login?then=${encodeURIComponent(here)}`;
}

function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}
