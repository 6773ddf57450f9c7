// The live stream of events and delivery results.
import { query } from "./api.js";
import { badge, button, h, head, idLink, json, link, note, problem, say, time } from "./dom.js";
import { field, filters } from "./forms.js";
import { follow } from "./sse.js";
import { table } from "./lists.js";

const KEPT = 200;

function parsed(data) {
	try {
		return JSON.parse(data);
	} catch {
		return { topic: "", payload: data };
	}
}

const columns = [
	{ title: "Came", cell: (one) => time(one.came) },
	{ title: "Topic", cell: (one) => one.topic ?? one.event ?? "-" },
	{
		title: "What",
		cell: (one) =>
			one.attempt_id
				? [
						badge(
							`${one.status} ${one.http_status ?? ""}`,
							one.status === "success" ? "good" : "bad",
						),
						" ",
						idLink("deliveries", one.attempt_id),
					]
				: idLink("events", one.event_id ?? one.id),
	},
	{
		title: "Payload",
		cell: (one) =>
			h(
				"details",
				{},
				h("summary", {}, "show"),
				json(one.attempt_id ? one : (one.payload ?? null), "Payload"),
			),
	},
];

export function stream({ api, query: asked, signal }) {
	const state = h("p", { role: "status" }, "Not connected"),
		trouble = h("div", {});
	const shown = table("The newest first", columns, []);
	let running = null;

	async function start(filter) {
		running?.abort();
		running = new AbortController();
		signal.addEventListener("abort", () => running.abort());
		trouble.replaceChildren();
		history.replaceState(null, "", `#/stream${query(filter)}`);
		state.textContent = "Connecting";
		try {
			await follow(api, `/v1/stream${query({ topic: filter.topic })}`, {
				signal: running.signal,
				state: (text) => {
					state.textContent = `Stream: ${text}`;
				},
				take: (frame) => {
					shown.add([{ ...parsed(frame.data), came: Date.now() }], true);
					while (shown.body.children.length > KEPT) shown.body.lastChild.remove();
				},
			});
		} catch (error) {
			state.textContent = "Not connected";
			trouble.replaceChildren(
				error.status === 404
					? note("warn", [
							"This service has no live stream. ",
							link("#/events", "The list of events"),
							" shows what was published.",
						])
					: problem(error),
			);
		}
	}

	const stop = button("Stop", async () => {
		running?.abort();
		state.textContent = "Stopped";
		say("The stream is stopped");
	});
	const fields = [
		field("topic", "Topics", "text", {
			value: asked.get("topic") ?? "#",
			hint: "A pattern; # is all. Results of deliveries come too.",
		}),
	];
	start({ topic: asked.get("topic") ?? "#" });
	return [
		head(
			"Live stream",
			stop,
			button("Clear", async () => shown.body.replaceChildren()),
		),
		filters(fields, start, "Follow"),
		state,
		trouble,
		shown.element,
	];
}
