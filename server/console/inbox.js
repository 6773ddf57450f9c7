// The development receiver: its URL accepts any request, and this view shows them.
import { query } from "./api.js";
import { bytes, button, h, head, json, link, note, problem, say, time } from "./dom.js";
import { field, form } from "./forms.js";
import { emptyState, table } from "./lists.js";

const TOKEN = "hooksd.inbox",
	AGAIN_MS = 2000;

// Makes a receiver, and keeps it for this tab.
export async function newReceiver(api) {
	const made = await api.post("/v1/dev/inbox");
	sessionStorage.setItem(TOKEN, made.token);
	return made;
}

function pretty(body) {
	try {
		return JSON.stringify(JSON.parse(body), null, 2);
	} catch {
		return body;
	}
}

const columns = [
	{ title: "Received", cell: (one) => time(one.received_at) },
	{ title: "Webhook", cell: (one) => h("span", { class: "mono" }, one.headers["webhook-id"] ?? "-") },
	{ title: "Size", number: true, cell: (one) => bytes(new TextEncoder().encode(one.body).length) },
	{
		title: "Content",
		cell: (one) =>
			h(
				"details",
				{},
				h("summary", {}, "headers and body"),
				json(one.headers, "Headers"),
				json(pretty(one.body), "Body"),
			),
	},
];

// Adds new messages without redrawing the old ones, so that open parts stay open.
function messages(api, token, signal) {
	const place = h("div", {}),
		trouble = h("div", {});
	const shown = table("Messages, the newest first", columns, []);
	const known = new Set();

	async function read() {
		try {
			const page = document.hidden
				? { items: [] }
				: await api.get(`/v1/dev/inbox${query({ token, order: "desc", limit: 100 })}`, {
						signal,
					});
			const fresh = page.items.filter((one) => !known.has(one.id));
			fresh.forEach((one) => known.add(one.id));
			shown.add(fresh, true);
			place.replaceChildren(
				known.size
					? shown.element
					: emptyState(
							"Nothing has come yet. Subscribe an endpoint with this URL.",
							link("/console#/events/publish", "Publish a test event"),
						),
			);
			trouble.replaceChildren();
		} catch (error) {
			if (signal.aborted) return;
			trouble.replaceChildren(problem(error));
			if (error.status < 500) return;
		}
		if (!signal.aborted) setTimeout(read, AGAIN_MS);
	}

	read();
	return [trouble, place];
}

export function inbox({ api, query: asked, signal }) {
	const place = h("div", {});
	let running = new AbortController();

	function show(token, url) {
		running.abort();
		running = new AbortController();
		signal.addEventListener("abort", () => running.abort());
		sessionStorage.setItem(TOKEN, token);
		place.replaceChildren(
			h(
				"div",
				{ class: "panel" },
				h(
					"p",
					{},
					"Receives at ",
					h(
						"code",
						{ class: "break" },
						url ?? `${location.origin}/v1/dev/inbox/receive/${token}`,
					),
				),
				h("p", { class: "hint" }, "Everybody who knows this URL can write to it."),
			),
			...messages(api, token, running.signal),
		);
	}

	const make = button(
		"New receiver",
		async () => {
			try {
				const made = await newReceiver(api);
				show(made.token, made.receive_url);
				say("There is a new receiver");
			} catch (error) {
				place.replaceChildren(problem(error));
			}
		},
		"first",
	);
	const token = field("token", "Token of a receiver", "text", { value: asked.get("token"), required: true });
	const kept = asked.get("token") ?? sessionStorage.getItem(TOKEN);
	if (kept) show(kept);
	else
		place.replaceChildren(
			note(
				"",
				"A receiver is a URL that takes whatever is posted to it. Make one, or open one.",
			),
		);
	return [
		head("Development inbox", make),
		h(
			"details",
			{},
			h("summary", {}, "Open one by its token"),
			form([token], "Open", async (members) => show(members.token.trim())),
		),
		place,
	];
}
