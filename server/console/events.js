// Published events and their deliveries.
import { query } from "./api.js";
import { badge, button, facts, h, head, idLink, json, link, say, time } from "./dom.js";
import { confirmed, encode, field, filters, form } from "./forms.js";
import { emptyState, list } from "./lists.js";
import { attemptColumns } from "./deliveries.js";
import { jobColumns } from "./jobs.js";
import { onceOnly } from "./replays.js";

export function events({ api, query: asked, signal }) {
	const place = h("div", {});
	const fields = [
		field("topic", "Topic or pattern", "text", { value: asked.get("topic"), placeholder: "order.#" }),
		field("from_ms", "From", "time", { value: asked.get("from_ms") }),
		field("to_ms", "To", "time", { value: asked.get("to_ms") }),
		field("order", "Order", "choice", {
			value: asked.get("order") ?? "desc",
			options: [
				["desc", "newest first"],
				["asc", "oldest first"],
			],
		}),
	];
	const search = (filter) => {
		history.replaceState(null, "", `#/events${query(filter)}`);
		place.replaceChildren(
			list(api, {
				path: "/v1/events",
				filter,
				signal,
				caption: "Events",
				columns: [
					{ title: "Event", cell: (one) => idLink("events", one.id) },
					{ title: "Topic", cell: (one) => one.topic },
					{ title: "Published", cell: (one) => time(one.created_at) },
					{ title: "Jobs", number: true, cell: (one) => one.job_count ?? "-" },
				],
				empty: emptyState(
					"No event here. Publish one, or search other topics and times.",
					link("#/events/publish", "Publish a test event"),
				),
			}),
		);
	};
	search({
		topic: asked.get("topic"),
		from_ms: asked.get("from_ms"),
		to_ms: asked.get("to_ms"),
		order: asked.get("order") ?? "desc",
	});
	return [
		head("Events", h("a", { class: "button first", href: "#/events/publish" }, "Publish an event")),
		filters(fields, search),
		place,
	];
}

function about(one) {
	return facts([
		["Id", h("span", { class: "mono" }, one.id)],
		["Topic", one.topic],
		["Published", time(one.created_at)],
		["Occurred", time(one.occurred_at)],
		one.job_count === undefined ? null : ["Jobs made", one.job_count],
		one.idempotency_key ? ["Idempotency key", one.idempotency_key] : null,
		one.ordering_key ? ["Ordering key", one.ordering_key] : null,
		one.target_user_id ? ["Target user", one.target_user_id] : null,
	]);
}

// Makes a dry run first.
async function sendAgain(api, id) {
	const dry = await api.post("/v1/replay", { event_id: id, mode: "all", dry_run: true });
	const text = `${dry.scheduled} jobs would be made by the subscriptions of now, and ${dry.skipped} still wait.`;
	if (!(await confirmed("Send this event again?", text, "Send again"))) return;
	const done = await api.post("/v1/replay", { event_id: id, mode: "all" }, onceOnly());
	location.hash = done.id ? `#/replays/${done.id}` : "#/replays";
}

export async function event({ api, id, signal }) {
	const one = await api.get(`/v1/events/${encodeURIComponent(id)}`, { signal });
	const of = (path, filter, caption, columns, text) =>
		list(api, { path, filter, caption, columns, signal, empty: emptyState(text) });
	return [
		head(
			"Event",
			button("Send again", () => sendAgain(api, one.id)),
			h(
				"a",
				{ class: "button", href: `#/subscriptions/new?event=${one.id}` },
				"Try a subscription on it",
			),
		),
		h("div", { class: "panel" }, about(one)),
		h("h2", {}, "Payload"),
		json(one.payload, "Payload"),
		one._trace ? [h("h2", {}, "Trace"), json(one._trace, "Trace")] : null,
		h("h2", {}, "Attempts"),
		of(
			"/v1/deliveries",
			{ event_id: one.id },
			"Attempts at this event",
			attemptColumns,
			"No attempt has ended yet.",
		),
		h("h2", {}, "Jobs that wait"),
		of(
			"/v1/jobs",
			{ event_id: one.id },
			"Jobs of this event",
			jobColumns(api),
			"No job waits: each has ended, or nothing subscribes to the topic.",
		),
	];
}

export function publish({ api, query: asked }) {
	const result = h("div", {});
	const fields = [
		field("topic", "Topic", "text", { value: asked.get("topic") ?? "test.console", required: true }),
		field("payload", "Payload", "json", { value: { hello: "console" }, hint: "Any JSON." }),
		field("idempotency_key", "Idempotency key", "text", {
			hint: "Sent again with the same key, the event is made once.",
		}),
		field("ordering_key", "Ordering key", "text"),
	];
	const element = form(fields, "Publish", async (members) => {
		const given = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));
		const made = await api.post("/v1/events", encode(given));
		const jobs = made.job_ids
			? `${made.job_ids.length} jobs were made.`
			: made.deduped
				? "It was known already."
				: "It is in the spool.";
		result.replaceChildren(
			h(
				"div",
				{ class: "note good" },
				h(
					"p",
					{},
					badge("published", "good"),
					` ${jobs} `,
					h("a", { href: `#/events/${made.id}` }, "Look at the event"),
				),
			),
		);
		say(`Published. ${jobs}`);
	});
	return [head("Publish an event"), h("div", { class: "panel" }, element), result];
}
