// A line chart of the last readings. Each chart has its value beside it as a number, for people who cannot see it.
import { svg } from "./dom.js";

const READINGS = 90,
	WIDTH = 100,
	HEIGHT = 30;

export class Chart {
	constructor() {
		this.values = [];
		this.path = svg("path", {});
		this.element = svg(
			"svg",
			{
				class: "chart",
				viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
				preserveAspectRatio: "none",
				"aria-hidden": "true",
			},
			this.path,
		);
	}

	add(value) {
		this.values.push(Number.isFinite(value) ? value : 0);
		if (this.values.length > READINGS) this.values.shift();
		const most = Math.max(...this.values, 1e-9);
		const x = (i) => ((READINGS - this.values.length + i) * WIDTH) / (READINGS - 1);
		const y = (one) => HEIGHT - 1 - (one / most) * (HEIGHT - 2);
		const points = this.values.map((one, i) => `${x(i).toFixed(2)} ${y(one).toFixed(2)}`);
		this.path.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
	}
}
