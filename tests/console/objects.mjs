// Objects that several flows want.

// An endpoint, with a subscription, whose attempts all fail at once: nobody listens at its address.
export async function failing({ api }, topic) {
	const endpoint = await api("POST", "/v1/endpoints", {
		url: "http://127.77.0.1:9/closed",
		name: "Nobody",
		max_attempts: 1,
	});
	await api("POST", "/v1/subscriptions", { endpoint_id: endpoint.id, topic_pattern: topic });
	return endpoint;
}

// A development receiver, and an endpoint that posts to it.
export async function received({ api }, topic, fields = {}) {
	const inbox = await api("POST", "/v1/dev/inbox", {});
	const endpoint = await api("POST", "/v1/endpoints", {
		url: inbox.receive_url,
		name: "Shop",
		keep_response: true,
		...fields,
	});
	const subscription = await api("POST", "/v1/subscriptions", { endpoint_id: endpoint.id, topic_pattern: topic });
	return { inbox, endpoint, subscription };
}

export async function published({ api }, topic, payload = {}) {
	return api("POST", "/v1/events", { topic, payload });
}

export async function delivered({ api, until }, event) {
	return until("the attempt", async () => (await api("GET", `/v1/deliveries?event_id=${event.id}`)).items[0]);
}

export async function dead({ api, until }, topic) {
	return until(
		"the dead letter",
		async () => (await api("GET", `/v1/dlq?topic=${encodeURIComponent(topic)}`)).items[0],
	);
}

// One object of each kind. Gives the views that show them.
export async function everything(tools, payload = { amount: 120, items: ["a", "b"] }) {
	const { inbox, endpoint, subscription } = await received(tools, "order.#", { headers: { "x-shop": "1" } });
	const event = await published(tools, "order.made", payload);
	const attempt = await delivered(tools, event);
	const broken = await failing(tools, "invoice.#");
	await published(tools, "invoice.sent", payload);
	const letter = await dead(tools, "invoice.#");
	await tools.api("POST", `/v1/endpoints/${broken.id}/test`).catch(() => {});
	const held = await tools.api("POST", "/v1/endpoints", { url: inbox.receive_url, name: "Held", paused: true });
	await tools.api("POST", "/v1/subscriptions", {
		endpoint_id: held.id,
		topic_pattern: "held.#",
		filter: { gt: "payload.amount", value: 1 },
	});
	const waiting = await published(tools, "held.back", { amount: 2 });
	const job = await tools.until(
		"the job",
		async () => (await tools.api("GET", `/v1/jobs?event_id=${waiting.id}`)).items[0],
	);
	const replay = await tools.api("POST", "/v1/replay", { event_id: event.id });
	return [
		"dashboard",
		"events",
		"events/publish",
		`events/${event.id}`,
		"endpoints",
		"endpoints/new",
		`endpoints/${endpoint.id}`,
		`endpoints/${endpoint.id}/edit`,
		"subscriptions",
		"subscriptions/new",
		`subscriptions/${subscription.id}`,
		`subscriptions/${subscription.id}/edit`,
		"deliveries",
		`deliveries/${attempt.id}`,
		"jobs",
		`jobs/${job.id}`,
		"dead-letters",
		`dead-letters/${letter.id}`,
		"replays",
		`replays/${replay.id}`,
		"stream",
		"sessions",
		"audit",
		`inbox?token=${inbox.token}`,
	];
}
