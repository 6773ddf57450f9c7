// The audit log: changes and their authors.
import { query } from "./api.js";
import { h, head, json, time } from "./dom.js";
import { field, filters } from "./forms.js";
import { emptyState, list } from "./lists.js";

const columns = [
	{ title: "When", cell: (one) => time(one.created_at) },
	{ title: "Key", cell: (one) => one.key_name || one.key_id || "the service" },
	{ title: "Action", cell: (one) => one.action },
	{ title: "Object", cell: (one) => [one.object_kind, " ", h("span", { class: "mono" }, one.object_id)] },
	{
		title: "Change",
		cell: (one) =>
			h(
				"details",
				{},
				h("summary", {}, "before and after"),
				json(one.before ?? "nothing before", "Before"),
				json(one.after ?? "nothing after", "After"),
			),
	},
];

export function audit({ api, query: asked, signal }) {
	const place = h("div", {});
	const names = ["action", "object_kind", "object_id", "key_id", "from_ms", "to_ms"];
	const given = Object.fromEntries(names.map((name) => [name, asked.get(name)]));
	const fields = [
		field("action", "Action", "text", { value: given.action, placeholder: "endpoint.update" }),
		field("object_kind", "Kind of object", "text", { value: given.object_kind, placeholder: "endpoint" }),
		field("object_id", "Object's id", "text", { value: given.object_id }),
		field("from_ms", "From", "time", { value: given.from_ms }),
		field("to_ms", "To", "time", { value: given.to_ms }),
	];
	const search = (filter) => {
		history.replaceState(null, "", `#/audit${query(filter)}`);
		place.replaceChildren(
			list(api, {
				path: "/v1/admin/audit",
				filter,
				signal,
				caption: "Changes, the newest first",
				columns,
				empty: emptyState(
					"No change here. Whatever is made, changed and deleted by the API stands here.",
				),
			}),
		);
	};
	search(given);
	return [head("Audit log"), filters(fields, search), place];
}
