// Replays: a dry run first, then the replay.
import { badge, button, facts, focusTitle, h, head, idLink, json, note, number, say, time } from "./dom.js";
import { confirmed, field, form } from "./forms.js";
import { emptyState, list } from "./lists.js";
import { endpointField } from "./deliveries.js";

const AGAIN_MS = 1000;

function state(one) {
	return badge(one.status, { done: "good", failed: "bad", running: "warn", pending: "warn" }[one.status] ?? "");
}

// The header Idempotency-Key. Not by crypto.randomUUID(), which needs TLS or localhost.
export function onceOnly() {
	return {
		headers: {
			"Idempotency-Key": [...crypto.getRandomValues(new Uint8Array(16))]
				.map((byte) => byte.toString(16).padStart(2, "0"))
				.join(""),
		},
	};
}

async function make(api, members) {
	const given = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null && value !== ""));
	const dry = await api.post("/v1/replay", { ...given, dry_run: true });
	const least = dry.matched_exact && dry.complete !== false ? "" : "at least ";
	const jobs = `${least}${number(dry.scheduled)} jobs would be made, ${number(dry.skipped)} still wait`;
	const text = `${least}${number(dry.matched)} events match. ${jobs}.`;
	if (!(await confirmed("Send these events again?", text, "Send again"))) return;
	const made = await api.post("/v1/replay", given, onceOnly());
	location.hash = `#/replays/${made.id}`;
}

export async function replays({ api, signal }) {
	const fields = [
		field("topic", "Topic or pattern", "text", { placeholder: "order.#" }),
		await endpointField(api, null, signal),
		field("from_ms", "From", "time"),
		field("to_ms", "To", "time"),
		field("mode", "Which", "choice", {
			value: "failed_only",
			options: [
				["failed_only", "only what has failed"],
				["all", "all"],
			],
		}),
		field("limit", "Events at most", "number", { value: 100 }),
		field("rate", "Events in a second at most", "number", {
			hint: "Empty: as fast as the endpoints take them.",
		}),
	];
	return [
		head("Replays"),
		h(
			"section",
			{ class: "panel" },
			h("h2", {}, "Send events again"),
			form(fields, "Tell what would be sent", (members) => make(api, members)),
		),
		list(api, {
			path: "/v1/replay",
			caption: "Replays, the newest first",
			signal,
			columns: [
				{ title: "Replay", cell: (one) => idLink("replays", one.id) },
				{ title: "State", cell: state },
				{ title: "Events", number: true, cell: (one) => number(one.replayed) },
				{ title: "Jobs", number: true, cell: (one) => number(one.scheduled) },
				{ title: "Made", cell: (one) => time(one.created_at) },
			],
			empty: emptyState("No replay yet. The form above says first what it would send."),
		}),
	];
}

export async function replay({ api, id, signal }) {
	const place = h("div", {});
	const path = `/v1/replay/${encodeURIComponent(id)}`;

	async function show() {
		const one = await api.get(path, { signal });
		const runs = one.status === "pending" || one.status === "running";
		place.replaceChildren(
			h(
				"div",
				{ class: "panel" },
				facts([
					["State", state(one)],
					["Error", one.error],
					["Matched", `${one.matched_exact ? "" : "at least "}${number(one.matched)}`],
					["Events sent again", number(one.replayed)],
					["Jobs made", number(one.scheduled)],
					["Still waited", number(one.skipped)],
					["Made", time(one.created_at)],
					["Ended", one.finished_at ? time(one.finished_at) : "not yet"],
				]),
			),
			runs
				? button(
						"End it",
						async () => {
							await api.delete(path);
							say("The replay is ended; jobs that it has made stay");
							await show();
							focusTitle();
						},
						"danger",
					)
				: note("good", "It has ended."),
			h("h2", {}, "Request"),
			json(one.request ?? {}, "Request"),
			h("h2", {}, "First events"),
			json(one.results, "First events"),
		);
		if (runs && !signal.aborted) setTimeout(() => !signal.aborted && show().catch(() => {}), AGAIN_MS);
	}

	await show();
	return [head("Replay"), place];
}
