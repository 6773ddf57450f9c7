// Forms and dialogs. A form shows the API's errors and keeps its values.
import { busy, h, problem } from "./dom.js";

let numbers = 0;

// kinds: "text", "number", "check", "choice" (options), "json", "time" (ms since 1970), "password", "url", "lines".
export function field(name, label, kind = "text", { value, hint, options = [], required = false, placeholder } = {}) {
	const id = `field-${numbers++}`;
	const common = {
		id,
		name,
		required,
		placeholder,
		"aria-describedby": hint ? `${id}-hint` : null,
		autocomplete: "off",
		spellcheck: "false",
	};
	let control;
	if (kind === "choice") {
		control = h(
			"select",
			common,
			options.map((option) => {
				const [word, shown] = Array.isArray(option) ? option : [option, option];
				return h("option", { value: word, selected: word === value }, shown);
			}),
		);
	} else if (kind === "json" || kind === "lines") {
		control = h("textarea", common);
		control.value =
			value === null || value === undefined
				? ""
				: typeof value === "string"
					? value
					: JSON.stringify(value, null, 2);
	} else {
		const type = { check: "checkbox", time: "datetime-local" }[kind] ?? kind;
		control = h("input", {
			...common,
			type,
			min: kind === "number" ? 0 : null,
			step: kind === "time" ? 1 : null,
		});
		if (kind === "check") control.checked = Boolean(value);
		else if (value !== null && value !== undefined)
			control.value = kind === "time" ? localTime(value) : value;
	}
	const parts = [h("label", { for: id }, label), control];
	const element = h(
		"div",
		{ class: kind === "check" ? "field check" : "field" },
		kind === "check" ? [control, " ", parts[0]] : parts,
		hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null,
	);
	return { name, kind, label, element, control, read: () => read(kind, label, control) };
}

// Which of them a list shows: all, or those that are, or are not, enabled.
export function enabledField(value) {
	return field("enabled", "State", "choice", {
		value: value ?? "",
		options: [
			["", "all"],
			["true", "enabled"],
			["false", "disabled"],
		],
	});
}

function localTime(ms) {
	const date = new Date(Number(ms));
	return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

// An empty control is null: the API's default.
function read(kind, label, control) {
	if (kind === "check") return control.checked;
	const value = control.value;
	if (value.trim() === "") return null;
	if (kind === "number") return Number(value);
	if (kind === "time") return new Date(value).getTime();
	if (kind !== "json") return value;
	try {
		JSON.parse(value);
	} catch (error) {
		throw new FieldError(control, `${label} is no JSON: ${error.message}`);
	}
	return new Json(value);
}

// The error of a control, before anything was sent.
class FieldError extends Error {
	constructor(control, message) {
		super(message);
		this.control = control;
	}
}

// JSON as typed: numbers keep their digits.
export class Json {
	constructor(text) {
		this.text = text;
	}
}

// The members as a JSON object; values of class Json are copied as typed.
export function encode(members) {
	return `{${Object.entries(members)
		.map(
			([name, value]) =>
				`${JSON.stringify(name)}:${value instanceof Json ? value.text : JSON.stringify(value)}`,
		)
		.join(",")}}`;
}

export function values(fields) {
	return Object.fromEntries(fields.map((one) => [one.name, one.read()]));
}

async function send(fields, submit) {
	const missing = fields.find((one) => one.control.required && one.control.value.trim() === "");
	if (missing) throw new FieldError(missing.control, `${missing.label} is missing`);
	await submit(values(fields));
}

// submit: gets the values by name. The form shows what it throws, and keeps the values.
export function form(fields, label, submit, { parts, more = [], kind = "wide" } = {}) {
	const place = h("div", {});
	const first = h("button", { type: "submit", class: "first" }, label);
	const element = h(
		"form",
		{
			class: kind,
			novalidate: true,
			on: {
				submit: (event) => {
					event.preventDefault();
					place.replaceChildren();
					busy(first, () => send(fields, submit)).catch((error) => {
						if (error.name !== "AbortError") place.replaceChildren(problem(error));
						error.control?.focus();
					});
				},
			},
		},
		parts ?? fields.map((one) => one.element),
		place,
		h("div", { class: "row" }, first, more),
	);
	return element;
}

// A row of fields above a list. change: gets the values.
export function filters(fields, change, label = "Search") {
	return h(
		"form",
		{
			class: "filters",
			role: "search",
			on: {
				submit: (event) => {
					event.preventDefault();
					change(values(fields));
				},
			},
		},
		fields.map((one) => one.element),
		h("button", { type: "submit" }, label),
	);
}

// Shows a dialog until it is closed. Returns the pressed button's word, or null for Escape.
export function dialog(title, content, buttons) {
	const id = `dialog-${numbers++}`;
	const element = h(
		"dialog",
		{ "aria-labelledby": id },
		h("h2", { id }, title),
		content,
		h(
			"div",
			{ class: "row" },
			buttons.map(([word, label, kind]) =>
				h(
					"button",
					{ type: "button", class: kind ?? "", on: { click: () => element.close(word) } },
					label,
				),
			),
		),
	);
	document.body.append(element);
	element.showModal();
	return new Promise((done) =>
		element.addEventListener("close", () => {
			element.remove();
			done(element.returnValue || null);
		}),
	);
}

export async function confirmed(title, text, label, kind = "first") {
	const content = typeof text === "string" ? h("p", {}, text) : text;
	return (
		(await dialog(title, content, [
			["no", "Cancel"],
			["yes", label, kind],
		])) === "yes"
	);
}

// A secret that the API shows once.
export function showSecret(title, secret) {
	const control = h("input", { value: secret, readonly: true, "aria-label": "Secret", class: "mono", size: 44 });
	control.addEventListener("focus", () => control.select());
	return dialog(
		title,
		[
			h("p", {}, "This is the only time that it is shown. Keep it where the receiver can read it."),
			control,
		],
		[["close", "I have kept it", "first"]],
	);
}
