// run.mjs FILE NAME: runs that function of flows/FILE with a page of headless Chromium. Prints what was wrong besides as
// JSON: errors in the browser's console, exceptions, violations of the content security policy. CONSOLE_URL, CONSOLE_KEY
// and CONSOLE_PACKAGES say where the service is, the key of a tenant, and where node_modules are.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CONSOLE_PACKAGES}/`);
const { chromium } = require("playwright-core");
const [file, name] = process.argv.slice(2);
const url = process.env.CONSOLE_URL,
	key = process.env.CONSOLE_KEY;

const browser = await chromium.launch({
	executablePath: "/usr/bin/chromium",
	args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const problems = [],
	allowed = [];

async function api(method, path, body) {
	const reply = await fetch(url + path, {
		method,
		headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
		body: body === undefined ? undefined : JSON.stringify(body),
	});
	const text = await reply.text();
	if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
	return text === "" ? null : JSON.parse(text);
}

// A page in a window of its own. options: as browser.newContext() takes them.
async function open(options = {}) {
	const context = await browser.newContext({
		viewport: { width: 1200, height: 800 },
		locale: "en-GB",
		timezoneId: "Europe/Berlin",
		...options,
	});
	context.setDefaultTimeout(15000);
	await context.addInitScript(() =>
		document.addEventListener("securitypolicyviolation", (event) =>
			console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
		),
	);
	const page = await context.newPage();
	const tell = (text) => {
		if (!allowed.some((one) => one.test(text))) problems.push(text);
	};
	page.on("console", (message) => message.type() === "error" && tell(`console: ${message.text()}`));
	page.on("pageerror", (error) => tell(`exception: ${error.message}`));
	page.on("dialog", (dialog) => {
		tell(`dialog: ${dialog.message()}`);
		dialog.dismiss();
	});
	return page;
}

const tools = {
	url,
	key,
	api,
	open,
	// What the browser logs of an answer that the flow wants.
	allow: (pattern) => allowed.push(pattern),
	async signIn(page, view = "dashboard") {
		await page.goto(`${url}/console#/${view}`);
		await page.getByLabel("API key").fill(key);
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.locator("nav:not([hidden])").waitFor({ state: "attached" });
		await page.locator("main[data-view]").waitFor();
	},
	async goTo(page, view) {
		await page.evaluate((hash) => {
			location.hash = hash;
		}, `#/${view}`);
		await page.waitForFunction(
			(path) => document.querySelector("main").dataset.view === path,
			view.split("?")[0],
		);
		await page.waitForFunction(() => !document.querySelector("main").textContent.includes("Loading…"));
	},
	// Asks until it is so, as a person who looks again.
	async until(what, ask) {
		for (
			const end = Date.now() + 20000;
			Date.now() < end;
			await new Promise((done) => setTimeout(done, 50))
		) {
			const found = await ask();
			if (found) return found;
		}
		throw new Error(`waited in vain for ${what}`);
	},
	axe: readFileSync(require.resolve("axe-core"), "utf8"),
};

try {
	const flow = (await import(new URL(`flows/${file}`, import.meta.url)))[name];
	await flow(tools);
} catch (error) {
	problems.push(error.stack);
} finally {
	await browser.close();
}
console.log(JSON.stringify(problems));
process.exitCode = problems.length > 0 ? 1 : 0;
