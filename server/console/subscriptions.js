// Subscriptions, and a form that tests a pattern and a filter on an event.
import { query } from "./api.js";
import { badge, button, facts, focusTitle, h, head, idLink, json, link, note, problem, say, time } from "./dom.js";
import { confirmed, enabledField, encode, field, filters, form } from "./forms.js";
import { emptyState, list } from "./lists.js";
import { endpointField } from "./deliveries.js";

const TRY_AFTER_MS = 250;
const SAMPLE = { topic: "order.made", payload: { amount: 120 } };

function state(one) {
	return badge(one.enabled ? "enabled" : "disabled", one.enabled ? "good" : "bad");
}

export async function subscriptions({ api, query: asked, signal }) {
	const place = h("div", {});
	const fields = [
		await endpointField(api, asked.get("endpoint_id"), signal),
		enabledField(asked.get("enabled")),
	];
	const search = (filter) => {
		history.replaceState(null, "", `#/subscriptions${query(filter)}`);
		place.replaceChildren(
			list(api, {
				path: "/v1/subscriptions",
				filter,
				signal,
				caption: "Subscriptions",
				columns: [
					{
						title: "Topics",
						cell: (one) => link(`#/subscriptions/${one.id}`, one.topic_pattern),
					},
					{ title: "Name", cell: (one) => one.name ?? "-" },
					{ title: "Endpoint", cell: (one) => idLink("endpoints", one.endpoint_id) },
					{
						title: "Filter",
						cell: (one) =>
							one.filter ? h("code", {}, JSON.stringify(one.filter)) : "none",
					},
					{ title: "State", cell: state },
				],
				empty: emptyState(
					"No subscription here. One says which topics an endpoint gets.",
					link("#/subscriptions/new", "Make a subscription"),
				),
			}),
		);
	};
	search({ endpoint_id: asked.get("endpoint_id"), enabled: asked.get("enabled") });
	return [
		head(
			"Subscriptions",
			h("a", { class: "button first", href: "#/subscriptions/new" }, "New subscription"),
		),
		filters(fields, search),
		place,
	];
}

export async function subscription({ api, id, signal }) {
	const path = `/v1/subscriptions/${encodeURIComponent(id)}`;
	const place = h("div", {});

	async function show() {
		const one = await api.get(path, { signal });
		const turn = async () => {
			await api.patch(path, { enabled: !one.enabled }, one.version);
			say(one.enabled ? "The subscription is disabled" : "The subscription is enabled");
			await show();
			focusTitle();
		};
		const remove = async () => {
			if (
				!(await confirmed(
					"Delete this subscription?",
					`Events on ${one.topic_pattern} make no jobs by it any more.`,
					"Delete",
					"danger",
				))
			)
				return;
			await api.delete(path);
			say("The subscription is deleted");
			location.hash = "#/subscriptions";
		};
		place.replaceChildren(
			h(
				"div",
				{ class: "row" },
				h("a", { class: "button first", href: `#/subscriptions/${id}/edit` }, "Change and try"),
				button(one.enabled ? "Disable" : "Enable", turn),
				button("Delete", remove, "danger"),
			),
			h(
				"div",
				{ class: "panel" },
				facts([
					["Topics", h("code", {}, one.topic_pattern)],
					["Endpoint", idLink("endpoints", one.endpoint_id)],
					["State", state(one)],
					["Name", one.name],
					["Description", one.description],
					["Id", h("span", { class: "mono" }, one.id)],
					["Made", time(one.created_at)],
					["Changed", time(one.updated_at)],
				]),
			),
			h("h2", {}, "Filter"),
			one.filter
				? json(one.filter, "Filter")
				: h("p", { class: "muted" }, "None: every event of these topics is sent."),
			h("h2", {}, "Transform"),
			one.transform
				? json(one.transform, "Transform")
				: h("p", { class: "muted" }, "None: events are sent as they are."),
		);
	}

	await show();
	return [head("Subscription"), place];
}

// Asks the service a moment after each change, so that filters are not implemented twice.
function tester(api, pattern, filter, sample, signal) {
	const place = h("div", { role: "status", "aria-live": "polite" });
	const event = field("event", "Event to try it on", "json", {
		value: sample,
		hint: "An object with a topic, as it is delivered: filters look into the whole of it.",
	});
	let timer = 0,
		turn = 0;

	async function ask() {
		const mine = ++turn;
		let reply;

		if (pattern.read() === null) {
			place.replaceChildren(h("p", { class: "muted" }, "Say first which topics."));
			return;
		}
		try {
			const members = {
				topic_pattern: pattern.read(),
				filter: filter.read(),
				event: event.read(),
			};
			const tried = await api.post("/v1/subscriptions/test", encode(members), { signal });
			reply = note(
				tried.matched ? "good" : "warn",
				`${tried.matched ? "Matched" : "Not matched"}: ${tried.why}.`,
			);
		} catch (error) {
			if (error.name === "AbortError") return;
			reply = problem(error);
		}
		if (mine === turn) place.replaceChildren(reply);
	}

	const later = () => {
		clearTimeout(timer);
		timer = setTimeout(ask, TRY_AFTER_MS);
	};
	for (const one of [pattern, filter, event]) one.control.addEventListener("input", later);
	later();
	return h("section", { class: "panel", "aria-label": "Try it" }, h("h2", {}, "Try it"), event.element, place);
}

// The event of the previous view, or an example.
async function sampleEvent(api, id, signal) {
	const event = id ? await api.try(`/v1/events/${encodeURIComponent(id)}`, { signal }) : null;
	return event ?? SAMPLE;
}

export async function editSubscription({ api, id, query: asked, signal }) {
	const one = id ? await api.get(`/v1/subscriptions/${encodeURIComponent(id)}`, { signal }) : { enabled: true };
	const sample = await sampleEvent(api, asked.get("event"), signal);
	const pattern = field("topic_pattern", "Topics", "text", {
		value: one.topic_pattern ?? (asked.has("event") ? sample.topic : null),
		required: true,
		placeholder: "order.#",
		hint: "Segments between dots: * is one segment, # any number of them.",
	});
	const filter = field("filter", "Filter", "json", {
		value: one.filter,
		hint: 'For instance {"gt": "payload.amount", "value": 100}. Empty: all events of these topics.',
	});
	const fields = [
		await endpointField(api, one.endpoint_id ?? asked.get("endpoint"), signal, "Endpoint", true),
		pattern,
		filter,
		field("transform", "Transform", "json", {
			value: one.transform,
			hint: 'For instance [{"remove_field": {"field": "payload.card"}}]. Empty: none.',
		}),
		field("name", "Name", "text", { value: one.name }),
		field("description", "Description", "text", { value: one.description }),
		field("enabled", "Enabled", "check", { value: one.enabled }),
	];
	const element = form(
		fields,
		id ? "Save" : "Subscribe",
		async (members) => {
			const saved = id
				? await api.request("PATCH", `/v1/subscriptions/${one.id}`, {
						body: encode(members),
						headers: { "If-Match": `"${one.version}"` },
					})
				: await api.post("/v1/subscriptions", encode(members));
			say(id ? "The subscription is changed" : "The endpoint is subscribed");
			location.hash = `#/subscriptions/${saved.id}`;
		},
		{ more: h("a", { class: "button", href: id ? `#/subscriptions/${id}` : "#/subscriptions" }, "Cancel") },
	);
	return [
		head(id ? "Change a subscription" : "New subscription"),
		h("div", { class: "panel" }, element),
		tester(api, pattern, filter, sample, signal),
	];
}
