// The console for everybody: by the keyboard alone, on a phone, in both colour schemes, by what axe-core finds.
import assert from "node:assert/strict";
import { everything } from "../objects.mjs";

const PHONE = { width: 375, height: 740 },
	DESK = { width: 1200, height: 800 };

async function findings(page, axe) {
	await page.evaluate(axe);
	return page.evaluate(async () =>
		(await window.axe.run(document, { resultTypes: ["violations"] })).violations
			.filter((one) => one.impact === "serious" || one.impact === "critical")
			.map(
				(one) =>
					`${one.id}: ${one.nodes
						.map((node) => node.html.slice(0, 160))
						.slice(0, 3)
						.join(" | ")}`,
			),
	);
}

async function lookEverywhere(tools, options) {
	const { open, signIn, goTo, axe, allow, url } = tools;
	const views = await everything(tools);
	allow(/status of 404/); // streams, where the service has none
	const page = await open(options);
	const found = [];
	const look = async (view) => {
		for (const one of await findings(page, axe)) found.push(`${view}: ${one}`);
		const wide = await page.evaluate(
			() => document.documentElement.scrollWidth - document.documentElement.clientWidth,
		);
		if (wide > 0) found.push(`${view}: ${wide} pixels wider than the window`);
	};
	await page.goto(`${url}/console`);
	await page.getByLabel("API key").waitFor();
	await look("sign-in");
	await signIn(page);
	for (const view of views) {
		await goTo(page, view);
		await page.evaluate(() =>
			document.querySelectorAll("main details").forEach((one) => {
				one.open = true;
			}),
		);
		await look(view);
	}
	assert.deepEqual(found, []);
}

export async function nothing_serious_is_found_in_light_colours(tools) {
	await lookEverywhere(tools, { viewport: DESK, colorScheme: "light" });
}

export async function nothing_serious_is_found_in_dark_colours(tools) {
	await lookEverywhere(tools, { viewport: DESK, colorScheme: "dark" });
}

export async function nothing_serious_is_found_on_a_phone(tools) {
	await lookEverywhere(tools, { viewport: PHONE, colorScheme: "light", hasTouch: true, isMobile: true });
}

export async function nothing_serious_is_found_on_a_dark_phone(tools) {
	await lookEverywhere(tools, { viewport: PHONE, colorScheme: "dark", hasTouch: true, isMobile: true });
}

export async function nothing_serious_is_found_where_there_is_nothing_yet({ open, signIn, goTo, axe, allow }) {
	allow(/status of 404/);
	const page = await open();
	await signIn(page);
	for (const view of [
		"dashboard",
		"events",
		"endpoints",
		"subscriptions",
		"deliveries",
		"jobs",
		"dead-letters",
		"replays",
		"inbox",
	]) {
		await goTo(page, view);
		assert.deepEqual(await findings(page, axe), [], view);
		assert.ok(
			(await page.locator("main .empty, main .note, main .panel").count()) > 0,
			`${view} says what to do`,
		);
	}
}

// Presses Tab until that has the focus.
async function tabTo(page, what, is) {
	for (let i = 0; i < 60; i++) {
		await page.keyboard.press("Tab");
		if (await page.evaluate(is)) return;
	}
	throw new Error(`the keyboard does not reach ${what}`);
}

export async function the_keyboard_alone_publishes_an_event({ open, url, key, api }) {
	const page = await open();
	await page.goto(`${url}/console`);
	await page.getByLabel("API key").waitFor();
	await page.keyboard.type(key); // the field has the focus
	await page.keyboard.press("Enter");
	await page.waitForFunction(() => document.activeElement.tagName === "H1");
	await page.keyboard.press("Shift+Tab");
	await tabTo(
		page,
		"the link to the content",
		() =>
			document.activeElement.id === "skip" ||
			document.activeElement.getAttribute("href") === "#/events",
	);
	await tabTo(page, "the events", () => document.activeElement.getAttribute("href") === "#/events");
	await page.keyboard.press("Enter");
	await page.waitForFunction(
		() => document.activeElement.textContent === "Events" && document.activeElement.tagName === "H1",
	);
	await tabTo(page, "publishing", () => document.activeElement.getAttribute("href") === "#/events/publish");
	await page.keyboard.press("Enter");
	await page.waitForFunction(() => document.activeElement.textContent === "Publish an event");
	await tabTo(page, "the topic", () => document.activeElement.name === "topic");
	await page.keyboard.press("Control+A");
	await page.keyboard.type("keyboard.only");
	await page.keyboard.press("Enter");
	await page.getByText("Look at the event").waitFor();
	assert.equal((await api("GET", "/v1/events?topic=keyboard.only")).count, 1);
}

export async function a_dialog_keeps_the_focus_and_escape_closes_it({ open, signIn }) {
	const page = await open();
	await signIn(page);
	await page.getByRole("button", { name: "Pause deliveries" }).focus();
	await page.keyboard.press("Enter");
	await page.getByRole("dialog").waitFor();
	for (let i = 0; i < 4; i++) {
		await page.keyboard.press("Tab");
		assert.ok(
			await page.evaluate(
				() =>
					document.activeElement === document.body ||
					document.querySelector("dialog").contains(document.activeElement),
			),
		);
	}
	await page.keyboard.press("Escape");
	await page.getByRole("dialog").waitFor({ state: "detached" });
	await page.waitForFunction(() => document.activeElement.textContent === "Pause deliveries");
}

export async function the_choice_of_colours_is_kept({ open, signIn }) {
	const page = await open({ colorScheme: "light" });
	const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	await signIn(page);
	const light = await back();
	await page.getByRole("button", { name: "Switch to dark colours" }).click();
	assert.notEqual(await back(), light);
	const dark = await back();
	await page.reload();
	await page.getByRole("button", { name: "Switch to light colours" }).waitFor();
	assert.equal(await back(), dark);
}

export async function the_menu_of_a_phone_opens_and_closes({ open, signIn }) {
	const page = await open({ viewport: PHONE });
	await signIn(page);
	const menu = page.getByRole("button", { name: "Menu" });
	assert.equal(await menu.getAttribute("aria-expanded"), "false");
	await menu.click();
	await page.getByRole("link", { name: "Events", exact: true }).click();
	await page.getByRole("heading", { name: "Events", level: 1 }).waitFor();
	assert.equal(await menu.getAttribute("aria-expanded"), "false");
}
