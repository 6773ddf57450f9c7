// A client of hooksd's API with one key. The key stays in this tab (sessionStorage).

const KEY = "hooksd.key";

export class ApiError extends Error {
	constructor(status, body) {
		super(body?.detail ? text(body.detail) : `the server has answered ${status}`);
		this.name = "ApiError";
		this.status = status;
		this.code = body?.error;
		this.scope = body?.required_scope;
	}
}

// For hook events `detail` is a list of errors with their places.
function text(detail) {
	return typeof detail === "string"
		? detail
		: detail.map((one) => `${one.loc?.join(".")}: ${one.msg}`).join("; ");
}

export function storedKey() {
	return sessionStorage.getItem(KEY);
}

export function storeKey(key) {
	if (key) sessionStorage.setItem(KEY, key);
	else sessionStorage.removeItem(KEY);
}

// Keeps the spelling of numbers that JavaScript would change, if the browser can.
function keepNumber(_name, value, context) {
	return typeof value === "number" &&
		!Number.isSafeInteger(value) &&
		context &&
		JSON.rawJSON &&
		String(value) !== context.source
		? JSON.rawJSON(context.source)
		: value;
}

function parse(body) {
	try {
		return JSON.parse(body, keepNumber);
	} catch {
		return null;
	}
}

export function query(values) {
	const filled = Object.entries(values).filter(
		([, value]) => value !== "" && value !== null && value !== undefined,
	);
	return filled.length ? `?${new URLSearchParams(filled)}` : "";
}

export class Api {
	// onTenant: gets the tenant of each reply. onRefused: called when the key is invalid.
	constructor(key, { onTenant = () => {}, onRefused = () => {} } = {}) {
		this.key = key;
		this.onTenant = onTenant;
		this.onRefused = onRefused;
	}

	// The raw response, for streams. Throws ApiError unless it is 2xx.
	async fetch(method, path, { body, headers = {}, signal } = {}) {
		let response;
		try {
			response = await fetch(path, {
				method,
				signal,
				cache: "no-store",
				credentials: "same-origin",
				redirect: "error",
				referrerPolicy: "no-referrer",
				headers: {
					Authorization: `Bearer ${this.key}`,
					Accept: "application/json",
					...(body === undefined ? {} : { "Content-Type": "application/json" }),
					...headers,
				},
				body:
					body === undefined
						? undefined
						: typeof body === "string"
							? body
							: JSON.stringify(body),
			});
		} catch (error) {
			throw error.name === "AbortError"
				? error
				: new Error(`hooksd does not answer: ${error.message}`);
		}
		if (response.ok) {
			this.onTenant(response.headers.get("X-Tenant-Id"));
			return response;
		}
		const failure = new ApiError(response.status, parse(await response.text()));
		if (response.status === 401) this.onRefused(failure);
		throw failure;
	}

	async request(method, path, options = {}) {
		const response = await this.fetch(method, path, options);
		const body = await response.text();
		return body === "" ? null : parse(body);
	}

	get(path, options) {
		return this.request("GET", path, options);
	}

	post(path, body = {}, options = {}) {
		return this.request("POST", path, { ...options, body });
	}

	// version: of the object shown. If it has changed since, the API changes nothing.
	patch(path, body, version) {
		return this.request("PATCH", path, { body, headers: version ? { "If-Match": `"${version}"` } : {} });
	}

	delete(path) {
		return this.request("DELETE", path);
	}

	// For optional details: null instead of an error, for instance without the scope.
	async try(path, options) {
		try {
			return await this.get(path, options);
		} catch (error) {
			if (error.name === "AbortError" || error.status === 401) throw error;
			return null;
		}
	}
}
