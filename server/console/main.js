// The console: one page; the part of the address after the # selects the view.
import { Api, storedKey, storeKey } from "./api.js";
import { h, head, problem } from "./dom.js";
import { signIn } from "./sign_in.js";
import { themes } from "./theme.js";
import { audit } from "./audit.js";
import { dashboard } from "./dashboard.js";
import { deadLetter, deadLetters } from "./dead_letters.js";
import { deliveries, delivery } from "./deliveries.js";
import { endpoint, endpoints, editEndpoint } from "./endpoints.js";
import { event, events, publish } from "./events.js";
import { inbox } from "./inbox.js";
import { job, jobs } from "./jobs.js";
import { replay, replays } from "./replays.js";
import { sessions } from "./sessions.js";
import { stream } from "./stream.js";
import { editSubscription, subscription, subscriptions } from "./subscriptions.js";

// path, title, view. A view takes {api, id, query, signal} and returns elements, or a promise of them; signal aborts
// when another view is shown. The rows that are links in the list of views come first.
const links = [
	["dashboard", "Dashboard", dashboard],
	["events", "Events", events],
	["endpoints", "Endpoints", endpoints],
	["subscriptions", "Subscriptions", subscriptions],
	["deliveries", "Deliveries", deliveries],
	["jobs", "Waiting jobs", jobs],
	["dead-letters", "Dead letters", deadLetters],
	["replays", "Replays", replays],
	["stream", "Live stream", stream],
	["sessions", "Sessions", sessions],
	["audit", "Audit log", audit],
	["inbox", "Development inbox", inbox],
];
const routes = [
	...links,
	["events/publish", "Publish an event", publish],
	["events/:id", "Event", event],
	["endpoints/new", "New endpoint", editEndpoint],
	["endpoints/:id", "Endpoint", endpoint],
	["endpoints/:id/edit", "Change an endpoint", editEndpoint],
	["subscriptions/new", "New subscription", editSubscription],
	["subscriptions/:id", "Subscription", subscription],
	["subscriptions/:id/edit", "Change a subscription", editSubscription],
	["deliveries/:id", "Delivery", delivery],
	["jobs/:id", "Job", job],
	["dead-letters/:id", "Dead letter", deadLetter],
	["replays/:id", "Replay", replay],
];

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const menu = document.getElementById("menu");
const tenant = document.getElementById("tenant");
const signOut = document.getElementById("sign-out");
let api = null,
	running = new AbortController();

function decode(segment) {
	try {
		return decodeURIComponent(segment);
	} catch {
		return segment; // the id of no object
	}
}

function find(path) {
	const segments = path.split("/");
	for (const [pattern, title, view] of routes) {
		const words = pattern.split("/");
		if (
			words.length === segments.length &&
			words.every((word, i) => word === ":id" || word === segments[i])
		)
			return { title, view, id: words[1] === ":id" ? decode(segments[1]) : undefined };
	}
	return null;
}

function openMenu(open) {
	nav.classList.toggle("open", open);
	menu.setAttribute("aria-expanded", String(open));
}

function showLinks(path) {
	for (const one of nav.querySelectorAll("a"))
		if (one.getAttribute("href") === `#/${path.split("/")[0]}`) one.setAttribute("aria-current", "page");
		else one.removeAttribute("aria-current");
}

// Shows the view of the address and moves the focus to it, for keyboards and screen readers.
async function show() {
	running.abort();
	running = new AbortController();
	const { signal } = running;
	if (api === null) return;
	const [path, search] = (location.hash.replace(/^#\/?/, "") || "dashboard").split("?");
	const found = find(path);
	openMenu(false);
	showLinks(path);
	document.title = `${found?.title ?? "No such view"} - hooksd`;
	main.replaceChildren(h("p", { class: "muted" }, "Loading…"));
	let content;
	try {
		content = found
			? await found.view({ api, id: found.id, query: new URLSearchParams(search), signal })
			: [head("No such view"), h("p", {}, h("a", { href: "#/dashboard" }, "To the dashboard"))];
	} catch (error) {
		content = [head(found.title), problem(error)];
	}
	if (signal.aborted) return;
	main.replaceChildren(...[content].flat(Infinity).filter(Boolean));
	main.dataset.view = path;
	(main.querySelector("h1") ?? main).focus();
}

function leave(reason) {
	running.abort();
	storeKey(null);
	api = null;
	tenant.textContent = "";
	nav.hidden = menu.hidden = signOut.hidden = true;
	document.title = "Sign in - hooksd";
	main.replaceChildren(...signIn(enter, reason).filter(Boolean));
	main.querySelector("input").focus();
}

function enter(key) {
	api = new Api(key, {
		onTenant: (name) => {
			tenant.textContent = name ? `Tenant ${name}` : tenant.textContent;
		},
		onRefused: (error) => leave(error.message),
	});
	nav.hidden = menu.hidden = signOut.hidden = false;
	show();
}

nav.append(
	h(
		"ul",
		{},
		links.map(([path, title]) => h("li", {}, h("a", { href: `#/${path}` }, title))),
	),
);
menu.addEventListener("click", () => openMenu(!nav.classList.contains("open")));
nav.addEventListener("keydown", (event) => {
	if (event.key === "Escape") {
		openMenu(false);
		menu.focus();
	}
});
signOut.addEventListener("click", () => leave());
document.getElementById("skip").addEventListener("click", (event) => {
	event.preventDefault();
	main.focus();
});
addEventListener("hashchange", show);
themes(document.getElementById("theme"));
if (storedKey()) enter(storedKey());
else leave();
