// The service's current numbers, read every two seconds while the page is visible.
import { ApiError } from "./api.js";
import { Chart } from "./chart.js";
import { badge, bytes, button, duration, h, head, link, note, number, problem, say } from "./dom.js";
import { confirmed } from "./forms.js";
import { table } from "./lists.js";
import { Metrics, quantile } from "./prometheus.js";

const EVERY_MS = 2000;

// A number with its name, a chart of its past, and a remark.
class Tile {
	constructor(title, { chart = true } = {}) {
		this.value = h("dd", {}, "-");
		this.hint = h("p", { class: "hint" });
		this.chart = chart ? new Chart() : null;
		this.element = h(
			"div",
			{ class: "tile" },
			h("dl", {}, h("dt", {}, title), this.value),
			this.hint,
			this.chart?.element,
		);
	}

	set(value, shown, hint = "") {
		this.value.textContent = shown;
		this.hint.textContent = hint;
		this.chart?.add(value);
	}
}

// Two readings, and the rates of counters between them.
class Readings {
	read(metrics, at) {
		this.before = this.now;
		this.now = { metrics, at };
	}

	rate(name, labels) {
		if (!this.before) return undefined;
		const seconds = (this.now.at - this.before.at) / 1000;
		const grown = (this.now.metrics.sum(name, labels) ?? 0) - (this.before.metrics.sum(name, labels) ?? 0);
		return Math.max(0, grown) / seconds; // a counter that was reset counts as unchanged
	}

	quantile(q, name) {
		return this.before && quantile(q, this.before.metrics.buckets(name), this.now.metrics.buckets(name));
	}
}

function perSecond(value) {
	return value === undefined ? "…" : `${number(value)}/s`;
}

function seconds(value) {
	return value === undefined ? "none" : duration(value * 1000);
}

function showRates(tiles, readings) {
	const published = readings.rate("hooks_messages_stored_total"),
		hooks = readings.rate("hooks_events_stored_total");
	const delivered = readings.rate("hooks_deliveries_total", { result: "delivered" });
	const retried = readings.rate("hooks_deliveries_total", { result: "retried" });
	const dead = readings.rate("hooks_deliveries_total", { result: "dead" });
	const requests = readings.rate("hooks_http_requests_total");
	const refused = readings.rate("hooks_requests_refused_total");

	tiles.published.set(
		published,
		perSecond(published),
		`${number(readings.now.metrics.sum("hooks_messages_stored_total"))} in all`,
	);
	tiles.hooks.set(
		hooks,
		perSecond(hooks),
		`${number(readings.now.metrics.sum("hooks_events_stored_total"))} in all`,
	);
	tiles.delivered.set(delivered, perSecond(delivered), `retried ${perSecond(retried)}, dead ${perSecond(dead)}`);
	tiles.requests.set(requests, perSecond(requests), `refused ${perSecond(refused)}`);
	for (const [tile, name] of [
		[tiles.latency, "hooks_request_duration_seconds"],
		[tiles.delay, "hooks_delivery_delay_seconds"],
		[tiles.commit, "hooks_store_commit_duration_seconds"],
	]) {
		const half = readings.quantile(0.5, name);
		tile.set(half, seconds(half), `99 of 100 within ${seconds(readings.quantile(0.99, name))}`);
	}
}

function showBacklog(tiles, metrics, stats) {
	const oldest = metrics.sum("hooks_oldest_due_seconds");
	const used = metrics.sum("hooks_ring_used_bytes") ?? 0,
		capacity = metrics.sum("hooks_ring_capacity_bytes") ?? 1;
	const spool = metrics.sum("hooks_spool_bytes") ?? 0;
	const spooled = (metrics.sum("hooks_spool_events") ?? 0) + (metrics.sum("hooks_spool_messages") ?? 0);

	tiles.waiting.set(
		stats?.queue.pending,
		number(stats?.queue.pending),
		`${number(stats?.queue.inflight)} under way`,
	);
	tiles.oldest.set(oldest, oldest === undefined ? "-" : duration(oldest * 1000), "since it was due");
	tiles.dead.set(undefined, number(metrics.sum("hookline_dlq_total")), "since the first start");
	tiles.ring.set(used, bytes(used), `of ${bytes(capacity)}`);
	tiles.spool.set(spool, bytes(spool), `${number(spooled)} events wait for the store`);
}

function showProcesses(place, readings) {
	const { metrics } = readings.now;
	const roles = metrics.samples("hooks_process_resident_memory_bytes").map((sample) => sample.labels.role);
	const rows = [...new Set(roles)].map((role) => ({
		role,
		cpu: readings.rate("hooks_process_cpu_seconds_total", { role }),
		memory: metrics.sum("hooks_process_resident_memory_bytes", { role }),
		restarts: metrics.sum("hooks_process_restarts_total", { role }) ?? 0,
	}));

	place.replaceChildren(
		table(
			"By role, all processes of a role together",
			[
				{ title: "Role", cell: (row) => row.role },
				{
					title: "CPU",
					number: true,
					cell: (row) => (row.cpu === undefined ? "…" : `${number(row.cpu * 100)} %`),
				},
				{ title: "Memory", number: true, cell: (row) => bytes(row.memory ?? 0) },
				{
					title: "Restarts",
					number: true,
					cell: (row) => (row.restarts ? badge(number(row.restarts), "warn") : "0"),
				},
			],
			rows,
		).element,
	);
}

function showState(place, health, stats) {
	const healthy = health?.status === "healthy";
	const deliveries = health?.webhooks?.deliveries;
	const paused = stats?.paused || deliveries?.paused;
	place.replaceChildren(
		h(
			"div",
			{ class: "row" },
			badge(health ? health.status : "no answer", healthy ? "good" : "bad"),
			badge(paused ? "deliveries are paused" : "deliveries run", paused ? "warn" : "good"),
			h(
				"span",
				{ class: "muted" },
				health ? `version ${health.version}, events in ${health.storage}` : "",
			),
		),
		...(health?.detail ? [note("warn", health.detail)] : []),
		...(deliveries?.paused_reason ? [note("warn", deliveries.paused_reason)] : []),
	);
}

function firstSteps() {
	return h(
		"section",
		{ class: "panel" },
		h("h2", {}, "First steps"),
		h(
			"p",
			{},
			"Nothing has an address yet. ",
			link("#/endpoints/new", "Make an endpoint"),
			", ",
			link("#/subscriptions/new", "subscribe it to topics"),
			", ",
			link("#/events/publish", "publish an event"),
			", and look at ",
			link("#/deliveries", "the delivery"),
			".",
		),
	);
}

async function setPaused(api, pause) {
	const question = pause
		? "No attempt begins until deliveries are resumed. Events are taken and stored as before."
		: "Jobs that are due are attempted within a second.";
	if (
		!(await confirmed(
			pause ? "Pause deliveries?" : "Resume deliveries?",
			question,
			pause ? "Pause" : "Resume",
		))
	)
		return;
	const done = await api.post(`/v1/admin/store/${pause ? "pause" : "resume"}-claims`);
	say(done.paused ? "Deliveries are paused" : "Deliveries run");
}

export async function dashboard({ api, signal }) {
	const tiles = {
		published: new Tile("Published"),
		delivered: new Tile("Delivered"),
		hooks: new Tile("Hook events"),
		requests: new Tile("Requests"),
		latency: new Tile("Answer to a POST"),
		delay: new Tile("Published to first attempt"),
		commit: new Tile("Commit"),
		waiting: new Tile("Jobs that wait"),
		oldest: new Tile("Oldest due job"),
		dead: new Tile("Dead letters", { chart: false }),
		ring: new Tile("Ring"),
		spool: new Tile("Spool"),
	};
	const state = h("div", {}),
		trouble = h("div", {}),
		processes = h("div", {}),
		steps = h("div", {});
	const readings = new Readings();

	async function read() {
		const [text, stats, health] = await Promise.all([
			api
				.fetch("GET", "/metrics/prometheus", { signal, headers: { Accept: "text/plain" } })
				.then((reply) => reply.text()),
			api.try("/v1/admin/stats", { signal }),
			api.try("/health", { signal }),
		]);
		readings.read(new Metrics(text), performance.now());
		showRates(tiles, readings);
		showBacklog(tiles, readings.now.metrics, stats);
		showProcesses(processes, readings);
		showState(state, health, stats);
		trouble.replaceChildren();
	}

	async function again() {
		try {
			if (!document.hidden) await read();
		} catch (error) {
			if (signal.aborted) return;
			trouble.replaceChildren(problem(error));
			if (error instanceof ApiError && error.status < 500) return;
		}
		if (!signal.aborted) setTimeout(again, EVERY_MS);
	}

	again();
	api.try("/v1/endpoints?limit=1", { signal }).then(
		(page) => {
			if (page?.count === 0) steps.replaceChildren(firstSteps());
		},
		() => {},
	);
	return [
		head(
			"Dashboard",
			button("Pause deliveries", () => setPaused(api, true)),
			button("Resume", () => setPaused(api, false)),
		),
		trouble,
		state,
		steps,
		h("h2", {}, "Rates and latency"),
		h(
			"div",
			{ class: "tiles" },
			["published", "delivered", "hooks", "requests", "latency", "delay", "commit"].map(
				(name) => tiles[name].element,
			),
		),
		h("h2", {}, "What waits"),
		h(
			"div",
			{ class: "tiles" },
			["waiting", "oldest", "dead", "ring", "spool"].map((name) => tiles[name].element),
		),
		h("h2", {}, "Processes"),
		processes,
	];
}
