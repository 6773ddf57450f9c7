// Attempts at delivery: requests and replies.
import { query } from "./api.js";
import { badge, button, duration, facts, h, head, idLink, json, link, note, say, time } from "./dom.js";
import { field, filters } from "./forms.js";
import { all, emptyState, list } from "./lists.js";

export function result(attempt) {
	const good = attempt.status === "success";
	return badge(
		attempt.http_status ? `${attempt.status} ${attempt.http_status}` : attempt.status,
		good ? "good" : "bad",
	);
}

export const attemptColumns = [
	{ title: "Attempt", cell: (one) => idLink("deliveries", one.id) },
	{ title: "Result", cell: (one) => [result(one), one.test ? [" ", badge("test")] : null] },
	{ title: "Event", cell: (one) => (one.test ? "-" : idLink("events", one.event_id)) },
	{ title: "Endpoint", cell: (one) => idLink("endpoints", one.endpoint_id) },
	{ title: "Number", number: true, cell: (one) => one.attempt_n },
	{ title: "Began", cell: (one) => time(one.started_at) },
	{ title: "Took", number: true, cell: (one) => duration(one.duration_ms) },
];

// A choice of endpoint, by name or host.
export async function endpointField(api, value, signal, label = "Endpoint", required = false) {
	let known = [];
	try {
		known = await all(api, "/v1/endpoints", signal);
	} catch (error) {
		if (error.name === "AbortError" || error.status === 401) throw error;
	}
	const options = known.map((one) => [one.id, one.name ?? one.url]);
	if (value && !known.some((one) => one.id === value)) options.push([value, value]);
	return field("endpoint_id", label, "choice", {
		value: value ?? "",
		required,
		options: [["", required ? "choose one" : "all"], ...options],
	});
}

export async function deliveries({ api, query: asked, signal }) {
	const place = h("div", {});
	const given = Object.fromEntries(
		["status", "endpoint_id", "event_id", "from_ms", "to_ms"].map((name) => [name, asked.get(name)]),
	);
	const fields = [
		field("status", "Result", "choice", {
			value: given.status ?? "",
			options: [
				["", "all"],
				["success", "delivered"],
				["failure", "failed"],
			],
		}),
		await endpointField(api, given.endpoint_id, signal),
		field("event_id", "Event id", "text", { value: given.event_id }),
		field("from_ms", "From", "time", { value: given.from_ms }),
		field("to_ms", "To", "time", { value: given.to_ms }),
	];
	const search = (filter) => {
		history.replaceState(null, "", `#/deliveries${query(filter)}`);
		place.replaceChildren(
			list(api, {
				path: "/v1/deliveries",
				filter,
				signal,
				caption: "Attempts, the newest first",
				columns: attemptColumns,
				empty: emptyState(
					"No attempt here. An event that an endpoint subscribes to makes one.",
					link("#/events/publish", "Publish a test event"),
					" ",
					link("#/jobs", "See what waits"),
				),
			}),
		);
	};
	search(given);
	return [head("Deliveries"), filters(fields, search), place];
}

function sent(attempt, endpoint, event) {
	return [
		h("h2", {}, "Request"),
		h(
			"div",
			{ class: "panel" },
			facts([
				["Endpoint", idLink("endpoints", attempt.endpoint_id)],
				endpoint ? ["URL now", h("code", {}, endpoint.url)] : null,
				endpoint ? ["Body", endpoint.body] : null,
				[
					"Event",
					attempt.test
						? "a test, which is not stored"
						: idLink("events", attempt.event_id),
				],
				["Webhook id", h("span", { class: "mono" }, attempt.job_id ?? "none")],
			]),
		),
		event
			? [
					h("h3", {}, "Payload of the event"),
					json(event.payload, "Payload of the event"),
					h(
						"p",
						{ class: "hint" },
						"As it was published: a transform may have changed what was sent.",
					),
				]
			: null,
	];
}

function received(attempt, endpoint) {
	const without = endpoint?.keep_response
		? "The receiver sent no body."
		: "Replies are kept for endpoints with “keep replies” on.";
	return [
		h("h2", {}, "Response"),
		h(
			"div",
			{ class: "panel" },
			facts([
				["Result", result(attempt)],
				["HTTP status", attempt.http_status],
				["Error", attempt.error],
				["Certificate", attempt.certificate_error],
				["Address", attempt.peer_address],
				["Took", duration(attempt.duration_ms)],
				["Name server", duration(attempt.dns_ms)],
				["Connection", duration(attempt.connect_ms)],
				["TLS", duration(attempt.tls_ms)],
				["First byte", duration(attempt.first_byte_ms)],
			]),
		),
		attempt.response_body === undefined
			? h("p", { class: "muted" }, without)
			: json(attempt.response_body, "Body of the response"),
	];
}

export async function delivery({ api, id, signal }) {
	const attempt = await api.get(`/v1/deliveries/${encodeURIComponent(id)}`, { signal });
	const [endpoint, event] = await Promise.all([
		api.try(`/v1/endpoints/${attempt.endpoint_id}`, { signal }),
		attempt.event_id && !attempt.test ? api.try(`/v1/events/${attempt.event_id}`, { signal }) : null,
	]);
	const job =
		attempt.job_id && attempt.status !== "success"
			? await api.try(`/v1/jobs/${attempt.job_id}`, { signal })
			: null;
	const letter =
		attempt.job_id && attempt.status !== "success" && !job
			? await api.try(`/v1/dlq/${attempt.job_id}`, { signal })
			: null;
	return [
		head(
			"Delivery",
			job
				? button("Try again now", async () => {
						await api.post(`/v1/jobs/${job.id}/retry`);
						say("The job is due now");
					})
				: null,
			letter
				? h("a", { class: "button", href: `#/dead-letters/${letter.id}` }, "To the dead letter")
				: null,
		),
		job
			? note(
					"warn",
					h(
						"span",
						{},
						`The job waits for attempt ${attempt.attempt_n + 1}, due `,
						time(job.next_attempt_at),
					),
				)
			: null,
		h(
			"div",
			{ class: "panel" },
			facts([
				["Attempt", h("span", { class: "mono" }, attempt.id)],
				["Number", attempt.attempt_n],
				["Began", time(attempt.started_at)],
				job ? ["Job", idLink("jobs", job.id)] : null,
			]),
		),
		sent(attempt, endpoint, event),
		received(attempt, endpoint),
	];
}
