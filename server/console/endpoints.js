// Endpoints: makes, changes, tests, disables and enables them.
import { query } from "./api.js";
import {
	badge,
	button,
	duration,
	facts,
	focusTitle,
	h,
	head,
	idLink,
	json,
	link,
	note,
	problem,
	say,
	time,
} from "./dom.js";
import { confirmed, enabledField, encode, field, filters, form, showSecret } from "./forms.js";
import { emptyState, list } from "./lists.js";
import { attemptColumns, result } from "./deliveries.js";
import { newReceiver } from "./inbox.js";

function state(one) {
	if (!one.enabled) return badge(one.disabled_reason ? `disabled: ${one.disabled_reason}` : "disabled", "bad");
	if (one.paused) return badge("paused", "warn");
	return one.breaker === "closed"
		? badge("enabled", "good")
		: badge(`breaker ${one.breaker.replace("_", " ")}`, "warn");
}

export function endpoints({ api, query: asked, signal }) {
	const place = h("div", {});
	const fields = [enabledField(asked.get("enabled"))];
	const search = (filter) => {
		history.replaceState(null, "", `#/endpoints${query(filter)}`);
		place.replaceChildren(
			list(api, {
				path: "/v1/endpoints",
				filter,
				signal,
				caption: "Endpoints",
				columns: [
					{
						title: "Endpoint",
						cell: (one) => link(`#/endpoints/${one.id}`, one.name ?? one.url),
					},
					{ title: "URL", cell: (one) => one.url },
					{ title: "State", cell: state },
					{ title: "Last success", cell: (one) => time(one.last_success_at) },
					{ title: "Made", cell: (one) => time(one.created_at) },
				],
				empty: emptyState(
					"No endpoint here. Make one, for a receiver of yours or to try things out.",
					link("#/endpoints/new", "Make an endpoint"),
				),
			}),
		);
	};
	search({ enabled: asked.get("enabled") });
	return [
		head("Endpoints", h("a", { class: "button first", href: "#/endpoints/new" }, "New endpoint")),
		filters(fields, search),
		place,
	];
}

// A 202 names the nodes that have not applied the change yet.
function tell(text, reply) {
	say(reply?.pending_nodes?.length ? `${text}, but not yet on ${reply.pending_nodes.join(", ")}` : text);
}

async function test(api, id, place) {
	place.replaceChildren(h("p", { class: "muted" }, "Sending…"));
	try {
		const attempt = await api.post(`/v1/endpoints/${id}/test`);
		place.replaceChildren(
			h(
				"div",
				{ class: "panel" },
				h("h3", {}, "Test"),
				facts([
					["Result", result(attempt)],
					["Error", attempt.error],
					["Took", duration(attempt.duration_ms)],
					["Attempt", idLink("deliveries", attempt.attempt_id)],
				]),
				attempt.response_body === undefined
					? null
					: json(attempt.response_body, "Body of the response"),
			),
		);
		say(`The test ended: ${attempt.status}`);
	} catch (error) {
		place.replaceChildren(problem(error));
	}
}

async function rotate(api, one, show) {
	const hours = field("overlap", "Hours during which the old secret also signs", "number", { value: 24 });
	if (!(await confirmed("Give this endpoint a new secret?", hours.element, "Rotate"))) return;
	const done = await api.post(`/v1/endpoints/${one.id}/rotate-secret`, {
		overlap_seconds: Math.round((hours.read() ?? 0) * 3600),
	});
	await showSecret("The new secret", done.secret);
	await show();
	focusTitle();
}

async function remove(api, one) {
	if (
		!(await confirmed(
			"Delete this endpoint?",
			`${one.name ?? one.url} goes, with its subscriptions. What waits for it is not delivered.`,
			"Delete",
			"danger",
		))
	)
		return;
	await api.delete(`/v1/endpoints/${one.id}`);
	say("The endpoint is deleted");
	location.hash = "#/endpoints";
}

function actions(api, one, result, show) {
	const change = (text, members) => async () => {
		tell(text, await api.patch(`/v1/endpoints/${one.id}`, members, one.version));
		await show();
		focusTitle();
	};
	return h(
		"div",
		{ class: "row" },
		button("Send a test", () => test(api, one.id, result), "first"),
		h("a", { class: "button", href: `#/endpoints/${one.id}/edit` }, "Change"),
		one.enabled
			? button("Disable", change("The endpoint is disabled", { enabled: false }))
			: button("Enable", change("The endpoint is enabled", { enabled: true })),
		one.paused
			? button("Resume", change("The endpoint is resumed", { paused: false }))
			: button("Pause", change("The endpoint is paused", { paused: true })),
		button("Rotate secret", () => rotate(api, one, show)),
		button("Send what waits now", async () =>
			say(`${(await api.post(`/v1/endpoints/${one.id}/retry`)).jobs} jobs are due now`),
		),
		button("Delete", () => remove(api, one), "danger"),
	);
}

function about(one) {
	return facts([
		["URL", h("code", { class: "break" }, one.url)],
		["State", state(one)],
		["Description", one.description],
		["Id", h("span", { class: "mono" }, one.id)],
		["Old secret also signs until", one.old_secret_until ? time(one.old_secret_until) : null],
		["Fails since", one.failing_since ? time(one.failing_since) : "it does not fail"],
		["Last success", time(one.last_success_at)],
		[
			"Limits",
			`${one.max_in_flight} at a time, ${one.rate_limit_rps}/s, ${duration(one.timeout_ms)} each`,
		],
		["Order", one.fifo ? `by ${one.ordering}; after a dead letter: ${one.on_dead}` : "none"],
		["Body", one.body],
		["Replies are kept", one.keep_response ? "yes" : "no"],
		[
			"Retry schedule",
			Array.isArray(one.retry_schedule)
				? one.retry_schedule.join(", ")
				: (one.retry_schedule ?? "of the service"),
		],
		["Attempts at most", one.max_attempts ?? "as the schedule says"],
		["Made", time(one.created_at)],
		["Changed", time(one.updated_at)],
	]);
}

export async function endpoint({ api, id, signal }) {
	const place = h("div", {}),
		tested = h("div", { "aria-live": "polite" });
	const path = `/v1/endpoints/${encodeURIComponent(id)}`;
	const title = h("h1", { tabindex: -1 }, "Endpoint");

	async function show() {
		const one = await api.get(path, { signal });
		title.textContent = one.name ?? "Endpoint";
		place.replaceChildren(
			actions(api, one, tested, show),
			tested,
			h("div", { class: "panel" }, about(one)),
			...(one.headers && Object.keys(one.headers).length
				? [h("h2", {}, "Headers"), json(one.headers, "Headers")]
				: []),
		);
	}

	await show();
	return [
		h("div", { class: "head" }, title),
		place,
		h("h2", {}, "Subscriptions"),
		list(api, {
			path: "/v1/subscriptions",
			filter: { endpoint_id: id },
			caption: "What is sent here",
			signal,
			columns: [
				{
					title: "Topics",
					cell: (one) => link(`#/subscriptions/${one.id}`, one.topic_pattern),
				},
				{
					title: "Filter",
					cell: (one) =>
						one.filter ? h("code", {}, JSON.stringify(one.filter)) : "none",
				},
				{
					title: "State",
					cell: (one) =>
						badge(
							one.enabled ? "enabled" : "disabled",
							one.enabled ? "good" : "bad",
						),
				},
			],
			empty: emptyState(
				"Nothing is sent here yet.",
				link(
					`#/subscriptions/new?endpoint=${encodeURIComponent(id)}`,
					"Subscribe it to topics",
				),
			),
		}),
		h("h2", {}, "Newest attempts"),
		list(api, {
			path: "/v1/deliveries",
			filter: { endpoint_id: id },
			caption: "Attempts",
			signal,
			limit: 10,
			columns: attemptColumns,
			empty: emptyState("No attempt yet.", link("#/events/publish", "Publish a test event")),
		}),
	];
}

// ---- making and changing ----

const CHOICES = {
	ordering: ["endpoint", "key"],
	on_dead: ["continue", "block"],
	body: ["envelope", "event", "payload"],
};

function fieldsOf(one) {
	const check = (name, label, hint) => field(name, label, "check", { value: one[name], hint });
	const count = (name, label, hint) => field(name, label, "number", { value: one[name], hint });
	const choice = (name, label) => field(name, label, "choice", { value: one[name], options: CHOICES[name] });
	return {
		main: [
			field("url", "URL", "url", {
				value: one.url,
				required: true,
				placeholder: "https://hooks.example.com/in",
			}),
			field("name", "Name", "text", { value: one.name }),
			field("description", "Description", "text", { value: one.description }),
			check("enabled", "Enabled"),
			check(
				"keep_response",
				"Keep replies",
				"The first 64 KiB of what the receiver answers stand with the attempt.",
			),
		],
		more: [
			count("timeout_ms", "Longest time for an attempt, in ms"),
			count("max_in_flight", "Attempts at the same time"),
			count("rate_limit_rps", "Attempts in a second"),
			check("exact_limits", "The limits hold over all nodes, by one of them"),
			field("retry_schedule", "Retry schedule", "text", {
				value: Array.isArray(one.retry_schedule)
					? one.retry_schedule.join(",")
					: one.retry_schedule,
				placeholder: "5s,30s,5m",
				hint: "Waits between attempts. Empty: that of the service.",
			}),
			count("max_attempts", "Attempts at most", "Empty: as many as the schedule has."),
			check("fail_fast", "Answers that will not change end a job at once"),
			check("fifo", "In the order of the events"),
			choice("ordering", "Which order"),
			choice("on_dead", "After a dead letter"),
			choice("body", "Body of the request"),
			check("legacy_headers", "Also send x-gp-signature"),
			field("headers", "Headers", "json", {
				value: one.headers,
				hint: "Names and values. The value *** leaves the one that is there.",
			}),
			field("metadata", "Metadata", "json", {
				value: one.metadata,
				hint: "An object that is kept and returned.",
			}),
		],
	};
}

// The changed members only, so that others stay as they are.
function changed(fields, before, members) {
	return Object.fromEntries(
		fields
			.filter((one) => before.get(one.name) !== JSON.stringify(one.read()))
			.map((one) => [one.name, members[one.name]]),
	);
}

export async function editEndpoint({ api, id, signal }) {
	const one = id
		? await api.get(`/v1/endpoints/${encodeURIComponent(id)}`, { signal })
		: {
				enabled: true,
				timeout_ms: 30000,
				max_in_flight: 10,
				rate_limit_rps: 100,
				fail_fast: true,
				ordering: "endpoint",
				on_dead: "continue",
				body: "envelope",
			};
	const { main, more } = fieldsOf(one);
	const fields = [...main, ...more];
	const before = new Map(fields.map((field) => [field.name, id ? JSON.stringify(field.read()) : ""]));
	const receiver = button("Use a development receiver", async () => {
		main[0].control.value = (await newReceiver(api)).receive_url;
		say("The URL is that of a new development receiver");
	});
	const element = form(
		fields,
		id ? "Save" : "Make the endpoint",
		async (members) => {
			if (id) {
				tell(
					"The endpoint is changed",
					await api.request("PATCH", `/v1/endpoints/${one.id}`, {
						body: encode(changed(fields, before, members)),
						headers: { "If-Match": `"${one.version}"` },
					}),
				);
				location.hash = `#/endpoints/${one.id}`;
				return;
			}
			const made = await api.post("/v1/endpoints", encode(members));
			if (made.secret && made.secret !== "***")
				await showSecret("The secret that signs its webhooks", made.secret);
			location.hash = `#/endpoints/${made.id}`;
		},
		{
			parts: [
				main[0].element,
				id ? null : receiver,
				main.slice(1).map((field) => field.element),
				h(
					"details",
					{},
					h("summary", {}, "Limits, retries, order, headers"),
					more.map((field) => field.element),
				),
			],
			more: h("a", { class: "button", href: id ? `#/endpoints/${id}` : "#/endpoints" }, "Cancel"),
		},
	);
	return [
		head(id ? "Change an endpoint" : "New endpoint"),
		h("div", { class: "panel" }, element),
		id ? null : note("", "Addresses that are not public are refused, unless HL_ALLOW_NETWORKS opens them."),
	];
}
