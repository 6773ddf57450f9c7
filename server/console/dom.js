// Makes elements. Every text becomes a text node, so events are never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

function add(element, child) {
	if (child === null || child === undefined || child === false) return;
	if (Array.isArray(child)) child.forEach((one) => add(element, one));
	else element.append(child instanceof Node ? child : String(child));
}

// on: listeners by event name. An attribute is set if it is true, and left out if it is false or null.
function set(element, { on = {}, ...attributes }) {
	for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
	for (const [name, value] of Object.entries(attributes))
		if (value !== null && value !== undefined && value !== false)
			element.setAttribute(name, value === true ? "" : value);
}

export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	set(element, attributes ?? {});
	add(element, children);
	return element;
}

export function svg(tag, attributes = {}, ...children) {
	const element = document.createElementNS(SVG, tag);
	set(element, attributes);
	add(element, children);
	return element;
}

// Local time of ms since 1970, or nothing; the title has UTC.
export function time(ms) {
	if (ms === null || ms === undefined) return h("span", { class: "muted" }, "never");
	const date = new Date(ms);
	if (Number.isNaN(date.getTime())) return String(ms);
	const iso = date.toISOString();
	return h(
		"time",
		{ datetime: iso, title: iso },
		date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }),
	);
}

export function duration(ms) {
	if (ms === null || ms === undefined) return "-";
	if (ms < 1000) return `${number(ms)} ms`;
	const seconds = ms / 1000;
	if (seconds < 120) return `${seconds.toFixed(1)} s`;
	if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
	return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} days`;
}

export function number(value) {
	return value === null || value === undefined || Number.isNaN(value)
		? "-"
		: value.toLocaleString(undefined, { maximumFractionDigits: value < 100 ? 1 : 0 });
}

export function bytes(value) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let unit = 0;
	for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
	return `${number(value)} ${units[unit]}`;
}

export function badge(text, kind = "") {
	return h("span", { class: `badge ${kind}` }, text);
}

// kind: "bad" (also announced at once), "warn", "good".
export function note(kind, ...children) {
	return h(
		"div",
		{ class: `note ${kind}`, role: kind === "bad" ? "alert" : null },
		children.filter(Boolean).map((child) => h("p", {}, child)),
	);
}

// An API error; for another error its message.
export function problem(error) {
	if (!error.status) return note("bad", error.message);
	const place = error.code ? `${error.status} ${error.code}` : String(error.status);
	return note(
		"bad",
		`${place}: ${error.message}`,
		error.scope ? `The key needs the scope ${error.scope}: sign out, and sign in with another one.` : null,
	);
}

export function facts(pairs) {
	return h(
		"dl",
		{},
		pairs
			.filter((pair) => pair)
			.map(([name, value]) => [
				h("dt", {}, name),
				h("dd", {}, value ?? h("span", { class: "muted" }, "none")),
			]),
	);
}

// A scrolling block that the keyboard can reach. label names it for screen readers.
export function json(value, label) {
	const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
	return h("pre", { tabindex: 0, role: "group", "aria-label": label }, text ?? "");
}

export function link(to, ...children) {
	return h("a", { href: to }, children);
}

// The end of an id, which distinguishes objects; the beginning is the time.
export function idLink(kind, id) {
	if (!id) return h("span", { class: "muted" }, "none");
	return h("a", { href: `#/${kind}/${encodeURIComponent(id)}`, class: "mono", title: id }, `…${id.slice(-12)}`);
}

// Runs an act, one at a time. Does not disable the element, because that would lose the focus.
export async function busy(element, act) {
	if (element.getAttribute("aria-busy") === "true") return;
	element.setAttribute("aria-busy", "true");
	try {
		await act();
	} finally {
		element.removeAttribute("aria-busy");
	}
}

export function button(text, act, kind = "") {
	const element = h(
		"button",
		{
			type: "button",
			class: kind,
			on: {
				click: () =>
					busy(element, act).catch((error) => {
						if (error.name !== "AbortError") say(error.message);
					}),
			},
		},
		text,
	);
	return element;
}

// The element that gets the focus when the focused one was removed.
export function focusTitle() {
	document.querySelector("main h1")?.focus();
}

export function head(title, ...actions) {
	return h("div", { class: "head" }, h("h1", { tabindex: -1 }, title), h("div", { class: "row" }, actions));
}

let silence = 0;

// Announces what was done, also to screen readers.
export function say(text) {
	const status = document.getElementById("status");
	status.textContent = text;
	clearTimeout(silence);
	silence = setTimeout(() => {
		status.textContent = "";
	}, 8000);
}
