// The pictures of docs/webhooks-reference.md, in the directory that CONSOLE_PICTURES names.
import { everything } from "../objects.mjs";

export async function pictures(tools) {
	const { open, signIn, goTo, allow } = tools;
	allow(/status of 404/);
	const views = await everything(tools);
	const page = await open({ viewport: { width: 1000, height: 640 }, colorScheme: "light" });
	await signIn(page);
	for (const [name, view, ready] of [
		["dashboard", "dashboard", () => /\d ms|\d s/.test(document.querySelector(".tiles").textContent)],
		["events", "events", () => document.querySelectorAll("tbody tr").length > 0],
		[
			"delivery",
			views.find((one) => one.startsWith("deliveries/")),
			() => document.querySelector("h2") !== null,
		],
	]) {
		await goTo(page, view);
		if (name === "dashboard")
			for (let i = 0; i < 40; i++)
				await tools.api("POST", "/v1/events", { topic: "order.made", payload: { i } });
		await page.waitForFunction(ready);
		await page.screenshot({ path: `${process.env.CONSOLE_PICTURES}/console-${name}.png` });
	}
}
