// What people do with the console.
import assert from "node:assert/strict";
import { dead, delivered, failing, published, received } from "../objects.mjs";

export async function a_wrong_key_is_told_and_the_right_one_stays_in_the_tab({ open, url, key, signIn, allow }) {
	allow(/status of 401/);
	const page = await open();
	await page.goto(`${url}/console`);
	await page.getByLabel("API key").fill("no-such-key");
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByRole("alert").getByText("The API key is not valid").waitFor();
	await signIn(page);
	assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Dashboard");
	await page.getByText(/^Tenant /).waitFor();
	assert.deepEqual(await page.context().cookies(), []);
	assert.equal(await page.evaluate(() => JSON.stringify(localStorage)), "{}");
	assert.ok((await page.evaluate(() => JSON.stringify(sessionStorage))).includes(key));
	await page.reload();
	await page.getByRole("heading", { name: "Dashboard" }).waitFor();
	await page.getByRole("button", { name: "Sign out" }).click();
	await page.getByLabel("API key").waitFor();
	assert.ok(!(await page.evaluate(() => JSON.stringify(sessionStorage))).includes(key));
}

export async function from_a_new_endpoint_to_the_delivery({ open, signIn }) {
	const page = await open();
	await signIn(page, "endpoints/new");
	await page.getByRole("button", { name: "Use a development receiver" }).click();
	await page.waitForFunction(() =>
		document.querySelector("input[name=url]").value.includes("/v1/dev/inbox/receive/"),
	);
	await page.getByLabel("Name", { exact: true }).fill("Shop");
	await page.getByLabel("Keep replies").check();
	await page.getByRole("button", { name: "Make the endpoint" }).click();
	const secret = await page.getByRole("dialog").getByLabel("Secret").inputValue();
	assert.match(secret, /^whsec_/);
	await page.getByRole("button", { name: "I have kept it" }).click();
	await page.getByRole("heading", { name: "Shop", level: 1 }).waitFor();

	await page.getByRole("link", { name: "Subscribe it to topics" }).click();
	await page.getByLabel("Topics").fill("order.*");
	await page.getByLabel("Filter").fill('{"gt": "payload.amount", "value": 200}');
	await page
		.getByText("Not matched: topic_pattern matches the topic, but the filter is not true of the event.")
		.waitFor();
	await page.getByLabel("Filter").fill('{"gt": "payload.amount", "value": 100}');
	await page
		.getByText("Matched: topic_pattern matches the topic, and the filter is true of the event.")
		.waitFor();
	await page.getByRole("button", { name: "Subscribe", exact: true }).click();
	await page.getByRole("heading", { name: "Subscription", level: 1 }).waitFor();

	await page.getByRole("link", { name: "Events", exact: true }).click();
	await page.getByRole("link", { name: "Publish an event" }).click();
	await page.getByLabel("Topic", { exact: true }).fill("order.made");
	await page.getByLabel("Payload").fill('{"amount": 120, "big": 12345678901234567890}');
	await page.getByRole("button", { name: "Publish", exact: true }).click();
	await page.getByText("1 jobs were made.").first().waitFor();
	await page.getByRole("link", { name: "Look at the event" }).click();
	await page.getByRole("heading", { name: "Event", level: 1 }).waitFor();
	await page.getByRole("group", { name: "Payload" }).getByText("12345678901234567890").waitFor();

	await page.waitForFunction(async () => {
		const key = sessionStorage.getItem("hooksd.key");
		return (
			(await (await fetch("/v1/deliveries", { headers: { Authorization: `Bearer ${key}` } })).json())
				.count > 0
		);
	});
	await page.getByRole("link", { name: "Deliveries" }).click();
	await page.getByText("success 200").waitFor();
	await page.locator("td a[href^='#/deliveries/']").first().click();
	await page.getByRole("heading", { name: "Response" }).waitFor();
	await page.getByRole("group", { name: "Body of the response" }).getByText('{"ok":true}').waitFor();
	await page.getByRole("link", { name: "Development inbox" }).click();
	await page.getByText("headers and body").click();
	await page.getByRole("group", { name: "Body" }).getByText("order.made").waitFor();
}

export async function an_endpoint_is_tested_changed_switched_off_and_deleted(tools) {
	const { open, signIn, api } = tools;
	const { endpoint } = await received(tools, "order.#");
	const page = await open();
	await signIn(page, `endpoints/${endpoint.id}`);
	await page.getByRole("button", { name: "Send a test" }).click();
	await page.getByRole("heading", { name: "Test", exact: true }).waitFor();
	await page.getByText("success 200").first().waitFor();
	await page.getByRole("button", { name: "Disable" }).click();
	await page.getByRole("button", { name: "Enable" }).click();
	await page.getByRole("button", { name: "Disable" }).waitFor();
	await page.getByRole("button", { name: "Rotate secret" }).click();
	await page.getByRole("button", { name: "Rotate", exact: true }).click();
	assert.match(await page.getByLabel("Secret", { exact: true }).inputValue(), /^whsec_/);
	await page.getByRole("button", { name: "I have kept it" }).click();
	await page.getByRole("link", { name: "Change", exact: true }).click();
	await page.getByLabel("Name", { exact: true }).fill("Shop 2");
	await page.getByText("Limits, retries, order, headers").click();
	await page.getByLabel("Attempts at the same time").fill("3");
	await page.getByRole("button", { name: "Save" }).click();
	await page.getByRole("heading", { name: "Shop 2" }).waitFor();
	const changed = await api("GET", `/v1/endpoints/${endpoint.id}`);
	assert.deepEqual(
		[changed.name, changed.max_in_flight, changed.keep_response, changed.enabled],
		["Shop 2", 3, true, true],
	);
	await page.getByRole("button", { name: "Delete" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await page.getByText("No endpoint here").waitFor();
}

export async function a_change_that_somebody_else_has_overtaken_is_not_made(tools) {
	const { open, signIn, api, allow } = tools;
	const { endpoint } = await received(tools, "order.#");
	allow(/status of 412/);
	const page = await open();
	await signIn(page, `endpoints/${endpoint.id}/edit`);
	await api("PATCH", `/v1/endpoints/${endpoint.id}`, { name: "Theirs" });
	await page.getByLabel("Name", { exact: true }).fill("Mine");
	await page.getByRole("button", { name: "Save" }).click();
	await page.getByRole("alert").getByText("412 precondition_failed").waitFor();
	assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Mine");
	assert.equal((await api("GET", `/v1/endpoints/${endpoint.id}`)).name, "Theirs");
}

export async function a_dead_letter_is_requeued_and_delivered(tools) {
	const { open, signIn, api, until } = tools;
	const endpoint = await failing(tools, "order.#");
	const event = await published(tools, "order.made", { amount: 1 });
	await dead(tools, "order.#");
	const inbox = await api("POST", "/v1/dev/inbox", {});
	await api("PATCH", `/v1/endpoints/${endpoint.id}`, { url: inbox.receive_url, max_attempts: 3 });
	const page = await open();
	await signIn(page, "dead-letters");
	await page.locator("td a[href^='#/dead-letters/']").click();
	await page.getByRole("heading", { name: "Dead letter", level: 1 }).waitFor();
	await page.getByRole("button", { name: "Requeue" }).click();
	await page.getByRole("heading", { name: "Deliveries", level: 1 }).waitFor();
	await until(
		"the delivery",
		async () => (await api("GET", `/v1/deliveries?event_id=${event.id}&status=success`)).count === 1,
	);
	await page.getByRole("button", { name: "Search" }).click();
	await page.getByText("success 200").waitFor();
}

export async function many_dead_letters_are_counted_before_they_are_requeued(tools) {
	const { open, signIn, api, until } = tools;
	const endpoint = await failing(tools, "order.#");
	for (let i = 0; i < 3; i++) await published(tools, `order.${i}`, { i });
	await until("three dead letters", async () => (await api("GET", "/v1/dlq")).count === 3);
	const inbox = await api("POST", "/v1/dev/inbox", {});
	await api("PATCH", `/v1/endpoints/${endpoint.id}`, { url: inbox.receive_url });
	const page = await open();
	await signIn(page, "dead-letters");
	await page.getByLabel("Topic or pattern").fill("order.1");
	await page.getByRole("button", { name: "Search" }).click();
	await page.getByRole("button", { name: "Requeue what the filter finds" }).click();
	await page.getByRole("dialog").getByText("1 dead letters that the filter finds").waitFor();
	await page.keyboard.press("Escape");
	assert.equal((await api("GET", "/v1/dlq")).count, 3);
	await page.getByRole("button", { name: "Requeue what the filter finds" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Requeue 1" }).click();
	await page.getByText("No dead letter here").waitFor();
	assert.equal((await api("GET", "/v1/dlq")).count, 2);
}

export async function events_are_replayed_after_a_dry_run(tools) {
	const { open, signIn, api } = tools;
	await received(tools, "order.#");
	for (let i = 0; i < 3; i++) await delivered(tools, await published(tools, "order.made", { i }));
	const page = await open();
	await signIn(page, "replays");
	await page.getByLabel("Topic or pattern").fill("order.#");
	await page.getByLabel("Which").selectOption("all");
	await page.getByRole("button", { name: "Tell what would be sent" }).click();
	await page.getByRole("dialog").getByText("3 events match").waitFor();
	assert.equal((await api("GET", "/v1/replay")).count, 0);
	await page.getByRole("dialog").getByRole("button", { name: "Send again" }).click();
	await page.getByRole("heading", { name: "Replay", level: 1 }).waitFor();
	await page.getByText("It has ended.").waitFor();
	assert.equal((await api("GET", "/v1/replay")).items[0].scheduled, 3);
}

export async function a_long_list_goes_on_where_its_page_ends(tools) {
	const { open, signIn, api } = tools;
	await api(
		"POST",
		"/v1/events/batch",
		Array.from({ length: 120 }, (_none, i) => ({ topic: "order.made", payload: { i } })),
	);
	const page = await open();
	await signIn(page, "events");
	const rows = page.locator("tbody tr");
	await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 50);
	await page.getByRole("button", { name: "Show more" }).click();
	await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 100);
	await page.getByRole("button", { name: "Show more" }).click();
	await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 120);
	assert.equal(await page.getByRole("button", { name: "Show more" }).isVisible(), false);
	const ids = await rows.locator("a").evaluateAll((links) => links.map((link) => link.title));
	assert.equal(new Set(ids).size, 120);
}

export async function the_page_of_a_receiver_shows_what_has_come(tools) {
	const { open, url, key } = tools;
	const { inbox } = await received(tools, "order.#");
	await delivered(tools, await published(tools, "order.made", { amount: 7 }));
	const page = await open();
	await page.goto(`${url}/v1/dev/inbox/ui?token=${inbox.token}`);
	await page.getByLabel("API key").fill(key);
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByText("headers and body").click();
	await page.getByRole("group", { name: "Body" }).getByText('"amount": 7').waitFor();
}

const FRAMES = [
	"retry: 60000\n:\n\n",
	'id: a\ndata: {"id":"0190f5fe-0000-7000-8000-000000000001","topic":"order.made","payload":{"n":1}}\n\n',
	'event: deliveries.status\ndata: {"topic":"deliveries.status","attempt_id":"0190f5fe-0000-7000-8000-000000000002",\n',
	'data: "status":"success","http_status":204}\n\n',
].join("");

export async function a_stream_shows_events_and_results({ open, signIn }) {
	const page = await open();
	await page.route("**/v1/stream?*", (route) => {
		assert.match(route.request().headers().authorization, /^Bearer /);
		assert.ok(!route.request().url().includes("token="));
		return route.fulfill({ contentType: "text/event-stream", body: FRAMES });
	});
	await signIn(page, "stream");
	await page.getByText("order.made").waitFor();
	await page.getByText("success 204").waitFor();
	await page.getByText("Stream: ended, connecting again").waitFor();
}

export async function a_session_is_a_timeline_in_the_order_of_its_times({ open, signIn }) {
	const event = (type, second) =>
		`data: {"event_type":"${type}","session_id":"s-1","timestamp":"2026-01-01T00:00:0${second}Z","data":{"n":${second}}}\n\n`;
	const page = await open();
	await page.route(/\/events\/stream(\?|$)/, (route) =>
		route.fulfill({
			contentType: "text/event-stream",
			body: `retry: 60000\n\n${event("session_started", 1)}${event("tool_failed", 5)}${event("tool_started", 3)}`,
		}),
	);
	await signIn(page, "sessions");
	await page.getByText("3 events").waitFor();
	assert.deepEqual(await page.locator(".timeline .badge").allTextContents(), [
		"session_started",
		"tool_started",
		"tool_failed",
	]);
}

export async function hook_events_appear_in_their_session({ open, signIn, api, until }) {
	const post = (session_id, event_type) => api("POST", "/events", { session_id, event_type, data: { n: 1 } });
	const appears = (session) =>
		until(session, async () => {
			await post(session, "tool_started");
			return page.locator("summary").getByText(session).count();
		});
	const page = await open();
	await signIn(page, "sessions");
	await appears("s-first");
	await appears("s-live");
	assert.equal(await page.locator("main > div > details").count(), 2);
	await page.getByLabel("Session").fill("s-live");
	await page.getByLabel("Types").fill("session_completed,tool_failed");
	await page.getByRole("button", { name: "Follow" }).click();
	await page.getByText("What agents report from now on appears here").waitFor();
	await until("the event that was asked for", async () => {
		await post("s-live", "tool_started");
		await post("s-first", "tool_failed");
		await post("s-live", "tool_failed");
		return page.locator(".timeline .badge").count();
	});
	assert.deepEqual([...new Set(await page.locator(".timeline .badge").allTextContents())], ["tool_failed"]);
	assert.equal(await page.locator("main > div > details").count(), 1);
}

export async function a_service_without_streams_says_so({ open, signIn, goTo, allow }) {
	allow(/status of 404/);
	const page = await open();
	await page.route(/\/stream(\?|$)/, (route) =>
		route.fulfill({ status: 404, contentType: "application/json", body: '{"detail":"Not Found"}' }),
	);
	await signIn(page, "stream");
	await page.getByText("This service has no live stream.").waitFor();
	await goTo(page, "sessions");
	await page.getByText("This service offers no stream of hook events.").waitFor();
}

export async function what_the_api_refuses_stands_in_its_words({ open, signIn, allow, goTo }) {
	allow(/status of 40[04]/);
	const page = await open();
	await signIn(page, "endpoints/new");
	await page.getByLabel("URL").fill("http://127.0.0.1:1/x");
	await page.getByRole("button", { name: "Make the endpoint" }).click();
	await page.getByRole("alert").getByText("HL_ALLOW_NETWORKS").waitFor();
	await goTo(page, "endpoints/0190f5fe-0000-7000-8000-000000000001");
	await page.getByRole("alert").getByText("404 not_found").waitFor();
	await goTo(page, "nothing/there");
	await page.getByRole("heading", { name: "No such view" }).waitFor();
}
