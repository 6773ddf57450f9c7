// Dead letters: lists them, requeues one or all of a filter, and removes them.
import { query } from "./api.js";
import { badge, button, facts, focusTitle, h, head, idLink, json, link, note, say, time } from "./dom.js";
import { confirmed, field, filters } from "./forms.js";
import { emptyState, list } from "./lists.js";
import { attemptColumns, endpointField } from "./deliveries.js";

const REASONS = ["max_attempts_exceeded", "aborted", "expired", "guard", "transform_error"];

async function requeue(api, id) {
	const done = await api.post(`/v1/dlq/${encodeURIComponent(id)}/requeue`);
	say("It is a job again");
	return done.job_id;
}

// Counts them, asks for confirmation, and continues until none is left.
async function requeueMany(api, filter, again) {
	const members = Object.fromEntries(
		Object.entries(filter).filter(([, value]) => value !== null && value !== "" && value !== undefined),
	);
	const dry = await api.post("/v1/dlq/requeue", { ...members, dry_run: true });
	if (dry.matched === 0) {
		say("The filter finds no dead letter");
		return;
	}
	const scope = Object.keys(members).length ? "that the filter finds" : "of the tenant, as no filter is set";
	if (
		!(await confirmed(
			"Requeue dead letters?",
			`${dry.matched} dead letters ${scope} become jobs and are sent again.`,
			`Requeue ${dry.matched}`,
		))
	)
		return;
	let requeued = 0,
		reply;
	do {
		reply = await api.post("/v1/dlq/requeue", members);
		requeued += reply.requeued;
	} while (reply.remaining > 0 && reply.requeued > 0);
	say(`${requeued} dead letters are jobs again${reply.skipped ? `, ${reply.skipped} cannot be delivered` : ""}`);
	again();
}

export async function deadLetters({ api, query: asked, signal }) {
	const place = h("div", {});
	let now = Object.fromEntries(
		["endpoint_id", "reason", "topic", "from_ms", "to_ms"].map((name) => [name, asked.get(name)]),
	);
	for (const name of ["from_ms", "to_ms"]) now[name] = now[name] === null ? null : Number(now[name]);
	const reason = field("reason", "Reason", "text", {
		value: now.reason,
		placeholder: "http_500",
		hint: `http_ and a status, ${REASONS.join(", ")}`,
	});
	const fields = [
		await endpointField(api, now.endpoint_id, signal),
		reason,
		field("topic", "Topic or pattern", "text", { value: now.topic }),
		field("from_ms", "From", "time", { value: now.from_ms }),
		field("to_ms", "To", "time", { value: now.to_ms }),
	];
	const search = (filter) => {
		now = filter;
		history.replaceState(null, "", `#/dead-letters${query(filter)}`);
		place.replaceChildren(
			list(api, {
				path: "/v1/dlq",
				filter,
				signal,
				caption: "Dead letters, the newest first",
				columns: [
					{ title: "Letter", cell: (one) => idLink("dead-letters", one.id) },
					{ title: "Topic", cell: (one) => one.topic },
					{ title: "Reason", cell: (one) => badge(one.reason, "bad") },
					{ title: "Endpoint", cell: (one) => idLink("endpoints", one.endpoint_id) },
					{ title: "Attempts", number: true, cell: (one) => one.attempt_count },
					{ title: "Last error", cell: (one) => one.last_error ?? "-" },
					{ title: "Died", cell: (one) => time(one.created_at) },
					{
						title: "Action",
						cell: (one) =>
							button("Requeue", async () => {
								await requeue(api, one.id);
								search(now);
								focusTitle();
							}),
					},
				],
				empty: emptyState(
					"No dead letter here. A job becomes one when its last attempt has failed.",
					link("#/jobs", "See what waits"),
				),
			}),
		);
	};
	search(now);
	return [
		head(
			"Dead letters",
			button("Requeue what the filter finds", () => requeueMany(api, now, () => search(now))),
			h("a", { class: "button", href: "#/replays" }, "Replay events"),
		),
		filters(fields, search),
		place,
	];
}

export async function deadLetter({ api, id, signal }) {
	const one = await api.get(`/v1/dlq/${encodeURIComponent(id)}`, { signal });
	const remove = async () => {
		if (
			!(await confirmed(
				"Delete this dead letter?",
				"It goes for good, and its event with it unless that is still kept.",
				"Delete",
				"danger",
			))
		)
			return;
		await api.delete(`/v1/dlq/${encodeURIComponent(id)}`);
		say("The dead letter is deleted");
		location.hash = "#/dead-letters";
	};
	const again = async () => {
		await requeue(api, id);
		location.hash = `#/deliveries?event_id=${one.event_id}`;
	};
	return [
		head("Dead letter", button("Requeue", again, "first"), button("Delete", remove, "danger")),
		note("bad", `${one.reason}${one.last_error ? `: ${one.last_error}` : ""}`),
		h(
			"div",
			{ class: "panel" },
			facts([
				["Job", h("span", { class: "mono" }, one.id)],
				["Topic", one.topic],
				["Event", idLink("events", one.event_id)],
				["Endpoint", idLink("endpoints", one.endpoint_id)],
				["Attempts", one.attempt_count],
				["Last status", one.last_http_status],
				["Died", time(one.created_at)],
			]),
		),
		h("h2", {}, "Payload"),
		json(one.event.payload, "Payload"),
		h("h2", {}, "Attempts"),
		list(api, {
			path: "/v1/deliveries",
			filter: { job_id: one.id },
			caption: "Attempts of this job",
			signal,
			columns: attemptColumns,
			empty: emptyState("No attempt is kept."),
		}),
	];
}
