// Hook events (POST /events) by session, in the order of time.
import { query } from "./api.js";
import { badge, button, h, head, json, note, problem, time } from "./dom.js";
import { field, filters } from "./forms.js";
import { follow } from "./sse.js";

const EVENTS = 1000,
	KEPT_SESSIONS = 100;

function parsed(data) {
	try {
		return JSON.parse(data);
	} catch {
		return { event_type: "unreadable", session_id: "", data };
	}
}

// The time of an event in ms, or of its arrival if it has none.
function timeOf(event) {
	const ms =
		typeof event.timestamp === "number"
			? event.timestamp * (event.timestamp < 1e11 ? 1000 : 1)
			: Date.parse(event.timestamp);
	return Number.isNaN(ms) ? Date.now() : ms;
}

function kind(type) {
	return /fail|error|block/.test(type) ? "bad" : /complet|success/.test(type) ? "good" : "";
}

// One session: its events, kept in the order of time even if some come late.
class Session {
	constructor(id) {
		this.count = h("span", { class: "muted" });
		this.list = h("ol", { class: "timeline" });
		this.element = h(
			"details",
			{ class: "panel" },
			h("summary", {}, h("span", { class: "mono break" }, id), " ", this.count),
			this.list,
		);
	}

	add(event) {
		const ms = timeOf(event);
		const item = h(
			"li",
			{ "data-ms": ms },
			time(ms),
			" ",
			badge(event.event_type, kind(String(event.event_type))),
			" ",
			[event.workflow_id, event.phase_id, event.milestone_id].filter(Boolean).join(" / "),
			event.data && Object.keys(event.data).length
				? h("details", {}, h("summary", {}, "data"), json(event.data, "Data"))
				: null,
		);
		const next = [...this.list.children].reverse().find((one) => Number(one.dataset.ms) <= ms);
		if (next) next.after(item);
		else this.list.prepend(item);
		while (this.list.children.length > EVENTS) this.list.firstChild.remove();
		this.count.textContent = `${this.list.children.length} events`;
	}
}

export function sessions({ api, query: asked, signal }) {
	const state = h("p", { role: "status" }, "Not connected"),
		place = h("div", {});
	let running = null;

	async function start(filter) {
		const known = new Map();
		running?.abort();
		running = new AbortController();
		signal.addEventListener("abort", () => running.abort());
		place.replaceChildren(
			h(
				"p",
				{ class: "muted" },
				"What agents report from now on appears here: POST /events takes it.",
			),
		);
		history.replaceState(null, "", `#/sessions${query(filter)}`);
		try {
			await follow(api, `/events/stream${query({ session: filter.session, type: filter.types })}`, {
				signal: running.signal,
				state: (text) => {
					state.textContent = `Stream: ${text}`;
				},
				take: (frame) => {
					const event = parsed(frame.data),
						id = String(event.session_id ?? "");
					if (known.size === 0) place.replaceChildren();
					if (!known.has(id)) {
						known.set(id, new Session(id));
						known.get(id).element.open = known.size === 1;
						place.prepend(known.get(id).element);
						if (place.children.length > KEPT_SESSIONS) place.lastChild.remove();
					}
					known.get(id).add(event);
				},
			});
		} catch (error) {
			state.textContent = "Not connected";
			place.replaceChildren(
				error.status === 404
					? note(
							"warn",
							"This service offers no stream of hook events.",
							error.message,
						)
					: problem(error),
			);
		}
	}

	const fields = [
		field("session", "Session", "text", { value: asked.get("session"), hint: "Empty: all." }),
		field("types", "Types", "text", {
			value: asked.get("types"),
			placeholder: "session_started,agent_stopped",
		}),
	];
	start({ session: asked.get("session"), types: asked.get("types") });
	return [
		head(
			"Sessions",
			button("Stop", async () => {
				running?.abort();
				state.textContent = "Stopped";
			}),
		),
		filters(fields, start, "Follow"),
		state,
		place,
	];
}
