// What events, names and answers hold is text, wherever it is shown.
import assert from "node:assert/strict";
import { everything, published, received } from "../objects.mjs";

const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';

export async function a_hostile_payload_is_shown_as_text(tools) {
	const { open, signIn, goTo } = tools;
	const views = await everything(tools, { [HOSTILE]: HOSTILE });
	await received(tools, "order.#", { name: HOSTILE, description: HOSTILE, metadata: { [HOSTILE]: HOSTILE } });
	await published(tools, `order.${HOSTILE.replace(/ /g, "/").replace(/\./g, "")}`, HOSTILE);
	const page = await open();
	tools.allow(/status of 404/);
	await signIn(page);
	for (const view of views) {
		await goTo(page, view);
		const found = await page.evaluate(
			() =>
				document.querySelectorAll("img, iframe, object, embed, main script, [onerror], [style]")
					.length,
		);
		assert.equal(found, 0, view);
	}
	await goTo(page, "endpoints");
	await page.getByText(HOSTILE).first().waitFor();
	await goTo(
		page,
		views.find((view) => view.startsWith("events/0")),
	);
	await page.getByRole("group", { name: "Payload" }).getByText("onerror").waitFor();
}

export async function a_hostile_stream_is_shown_as_text({ open, signIn, goTo }) {
	const page = await open();
	const data = JSON.stringify({
		topic: HOSTILE,
		payload: HOSTILE,
		id: HOSTILE,
		session_id: HOSTILE,
		event_type: HOSTILE,
		timestamp: HOSTILE,
		data: { [HOSTILE]: HOSTILE },
	});
	await page.route(/\/stream(\?|$)/, (route) =>
		route.fulfill({
			contentType: "text/event-stream",
			body: `retry: 60000\ndata: ${data}\n\ndata: ${HOSTILE}\n\n`,
		}),
	);
	await signIn(page, "stream");
	await page.locator("td[data-label=Topic]").getByText(HOSTILE).waitFor();
	await goTo(page, "sessions");
	await page.locator("summary").getByText(HOSTILE).first().waitFor();
	assert.equal(await page.locator("img, main script").count(), 0);
}

export async function an_address_of_somebody_else_changes_nothing({ open, signIn, goTo, allow }) {
	allow(/status of 40[014]/);
	const page = await open();
	await signIn(page);
	for (const hash of [
		"endpoints/%2e%2e%2fevents",
		"endpoints/..%2f..%2fmetrics",
		"events/%zz",
		"deliveries?status=<img>",
		"x/y/z/w",
		"__proto__",
		"events/__proto__/x",
	]) {
		await goTo(page, hash);
		assert.equal(await page.locator("img").count(), 0);
	}
	const answered = await page.evaluate(() =>
		fetch("/v1/events", { method: "POST", body: '{"topic":"a"}' }).then(
			(reply) => reply.status,
			() => 0,
		),
	);
	assert.equal(answered, 401, "a request without the key is nobody's");
}
