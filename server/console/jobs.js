// Waiting jobs, and why they wait.
import { query } from "./api.js";
import { badge, button, facts, h, head, idLink, link, note, say, time } from "./dom.js";
import { confirmed, field, filters } from "./forms.js";
import { emptyState, list } from "./lists.js";
import { endpointField } from "./deliveries.js";

async function makeDue(api, id) {
	await api.post(`/v1/jobs/${encodeURIComponent(id)}/retry`);
	say("The job is due now");
}

export function jobColumns(api) {
	return [
		{ title: "Job", cell: (one) => idLink("jobs", one.id) },
		{ title: "State", cell: (one) => badge(one.status, one.status === "held" ? "warn" : "") },
		{ title: "Event", cell: (one) => idLink("events", one.event_id) },
		{ title: "Endpoint", cell: (one) => idLink("endpoints", one.endpoint_id) },
		{ title: "Attempts", number: true, cell: (one) => one.attempt_count },
		{ title: "Next attempt", cell: (one) => time(one.next_attempt_at) },
		{ title: "Last error", cell: (one) => one.last_error ?? "-" },
		{ title: "Action", cell: (one) => button("Try now", () => makeDue(api, one.id)) },
	];
}

export async function jobs({ api, query: asked, signal }) {
	const place = h("div", {});
	const given = {
		status: asked.get("status"),
		endpoint_id: asked.get("endpoint_id"),
		event_id: asked.get("event_id"),
	};
	const fields = [
		field("status", "State", "choice", {
			value: given.status ?? "",
			options: [["", "all"], "pending", "held"],
		}),
		await endpointField(api, given.endpoint_id, signal),
		field("event_id", "Event id", "text", { value: given.event_id }),
	];
	const search = (filter) => {
		history.replaceState(null, "", `#/jobs${query(filter)}`);
		place.replaceChildren(
			list(api, {
				path: "/v1/jobs",
				filter,
				signal,
				caption: "Jobs, the newest first",
				columns: jobColumns(api),
				empty: emptyState(
					"Nothing waits. What has ended is among the deliveries or the dead letters.",
					link("#/deliveries", "Deliveries"),
					" ",
					link("#/dead-letters", "Dead letters"),
				),
			}),
		);
	};
	search(given);
	return [head("Waiting jobs"), filters(fields, search), place];
}

export async function job({ api, id, signal }) {
	const one = await api.get(`/v1/jobs/${encodeURIComponent(id)}`, { signal });
	const cancel = async () => {
		if (
			!(await confirmed(
				"Cancel this job?",
				"It is not delivered, and makes no dead letter. An attempt that is under way ends.",
				"Cancel the job",
				"danger",
			))
		)
			return;
		await api.delete(`/v1/jobs/${encodeURIComponent(id)}`);
		say("The job is cancelled");
		location.hash = "#/jobs";
	};
	return [
		head(
			"Job",
			button("Try now", () => makeDue(api, id)),
			button("Cancel", cancel, "danger"),
		),
		one.status === "held"
			? note("warn", "Held: its endpoint is disabled or paused, or all deliveries are.")
			: null,
		h(
			"div",
			{ class: "panel" },
			facts([
				["Job", h("span", { class: "mono" }, one.id)],
				["State", one.status],
				["Event", idLink("events", one.event_id)],
				["Endpoint", idLink("endpoints", one.endpoint_id)],
				["Attempts", one.attempt_count],
				["Next attempt", time(one.next_attempt_at)],
				["Expires", one.expires_at ? time(one.expires_at) : "never"],
				["Last error", one.last_error],
				[
					"Subscriptions",
					h(
						"span",
						{},
						one.subscription_ids.map((subscription) => [
							idLink("subscriptions", subscription),
							" ",
						]),
					),
				],
				one.replay_id ? ["Replay", idLink("replays", one.replay_id)] : null,
			]),
		),
		h("p", {}, link(`#/deliveries?event_id=${one.event_id}`, "Attempts at this event")),
	];
}
