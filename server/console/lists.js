// Lists of the API: a table, and a button for the next page.
import { busy, h, problem } from "./dom.js";
import { query } from "./api.js";

// columns: {title, cell(item), number}. On a phone each row is a card, so every cell has its title; ARIA roles keep
// it a table there.
export function table(caption, columns, items) {
	const body = h("tbody", { role: "rowgroup" });
	const element = h(
		"table",
		{ class: "cards", role: "table" },
		h("caption", {}, caption),
		h(
			"thead",
			{ role: "rowgroup" },
			h(
				"tr",
				{ role: "row" },
				columns.map((column) =>
					h(
						"th",
						{
							scope: "col",
							role: "columnheader",
							class: column.number ? "number" : null,
						},
						column.title,
					),
				),
			),
		),
		body,
	);
	const add = (more, before = false) => {
		const rows = more.map((item) =>
			h(
				"tr",
				{ role: "row" },
				columns.map((column) =>
					h(
						"td",
						{
							role: "cell",
							"data-label": column.title,
							class: column.number ? "number" : null,
						},
						column.cell(item),
					),
				),
			),
		);
		if (before) body.prepend(...rows);
		else body.append(...rows);
	};
	add(items);
	return { element, body, add };
}

export function emptyState(text, ...actions) {
	return h("div", { class: "panel empty" }, h("p", { class: "muted" }, text), actions);
}

// path and query name the list; empty is shown if it has no items. Reads the first page, and another one each time that
// the user asks.
export function list(api, { path, filter = {}, caption, columns, empty, limit = 50, signal }) {
	const place = h("div", {}, h("p", { class: "muted" }, "Loading…"));
	const shown = table(caption, columns, []);
	const more = h(
		"button",
		{ type: "button", class: "more", on: { click: () => busy(more, () => read(more.dataset.cursor)) } },
		"Show more",
	);

	async function read(cursor) {
		try {
			const page = await api.get(path + query({ ...filter, limit, cursor }), { signal });
			if (!cursor && page.items.length === 0 && !page.next_cursor) {
				place.replaceChildren(empty);
				return;
			}
			const first = page.items.length && cursor ? shown.body.children.length : -1;
			shown.add(page.items);
			more.dataset.cursor = page.next_cursor ?? "";
			more.hidden = !page.next_cursor;
			place.replaceChildren(shown.element, more);
			if (first >= 0) shown.body.children[first].querySelector("a, button")?.focus();
		} catch (error) {
			if (error.name !== "AbortError") place.replaceChildren(problem(error), shown.element, more);
		}
	}

	read();
	return place;
}

// All items of a short list, for choices.
export async function all(api, path, signal) {
	const items = [];
	let cursor;
	do {
		const page = await api.get(path + query({ limit: 1000, cursor }), { signal });
		items.push(...page.items);
		cursor = page.next_cursor;
	} while (cursor && items.length < 5000);
	return items;
}
