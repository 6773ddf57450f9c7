// Reads the text of GET /metrics/prometheus.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export class Metrics {
	constructor(text) {
		this.families = new Map();
		for (const line of text.split("\n")) {
			const match = line.startsWith("#") ? null : LINE.exec(line);
			if (!match) continue;
			const labels = {};
			for (const [, name, value] of (match[2] ?? "").matchAll(LABEL))
				labels[name] = value.replace(/\\(.)/g, (_all, one) => (one === "n" ? "\n" : one));
			const samples = this.families.get(match[1]) ?? [];
			samples.push({ labels, value: match[3] === "+Inf" ? Infinity : Number(match[3]) });
			this.families.set(match[1], samples);
		}
	}

	samples(name) {
		return this.families.get(name) ?? [];
	}

	// The sum of the samples with these labels, or undefined without any.
	sum(name, labels = {}) {
		const found = this.samples(name).filter((sample) =>
			Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
		);
		return found.length ? found.reduce((sum, sample) => sum + sample.value, 0) : undefined;
	}

	// The counts of a histogram by upper bound, summed over all labels.
	buckets(name) {
		const counts = new Map();
		for (const { labels, value } of this.samples(`${name}_bucket`)) {
			const end = labels.le === "+Inf" ? Infinity : Number(labels.le);
			counts.set(end, (counts.get(end) ?? 0) + value);
		}
		return counts;
	}
}

// The quantile of a histogram's increase between two readings, interpolated within its bucket. undefined: no increase.
export function quantile(q, before, now) {
	const ends = [...now.keys()].sort((a, b) => a - b);
	const counts = ends.map((end) => now.get(end) - (before.get(end) ?? 0));
	const total = counts.at(-1);
	if (!(total > 0)) return undefined;
	const at = counts.findIndex((count) => count >= q * total);
	const low = at > 0 ? ends[at - 1] : 0,
		below = at > 0 ? counts[at - 1] : 0;
	return ends[at] === Infinity ? low : low + (ends[at] - low) * ((q * total - below) / (counts[at] - below || 1));
}
