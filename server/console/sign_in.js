// The form for the key. Stores the key only after the service has accepted it.
import { Api, query, storeKey } from "./api.js";
import { h, head } from "./dom.js";
import { field, form } from "./forms.js";

// done: gets the key. reason: why the last key is no longer used.
export function signIn(done, reason) {
	const key = field("key", "API key", "password", {
		required: true,
		hint: "HL_API_KEY, or a key that it has made. It stays in this tab until the tab is closed.",
	});
	const refused = reason ? h("div", { class: "note bad", role: "alert" }, h("p", {}, reason)) : null;
	const element = form([key], "Sign in", async ({ key: text }) => {
		await check(text.trim());
		storeKey(text.trim());
		done(text.trim());
	});
	return [head("Sign in"), refused, h("div", { class: "panel" }, element)];
}

// A valid key may lack the scope for events, and the service may have lost its store.
async function check(key) {
	if (!/^[!-~]+$/.test(key)) throw new Error("A key has visible ASCII characters only");
	try {
		await new Api(key).get(`/v1/events${query({ limit: 1 })}`);
	} catch (error) {
		if (!error.status || error.status === 401) throw error;
	}
}
