// Server-sent events by fetch(), so that the key is sent in a header. Resumes a stream where it ended.
import { ApiError } from "./api.js";

const LEAST_WAIT_MS = 1000,
	MOST_WAIT_MS = 30000;

// Cuts text that comes in pieces into frames {event, data, id, retry}. Drops frames that are only comments.
export class Frames {
	constructor() {
		this.rest = "";
	}

	add(piece) {
		this.rest += piece;
		const blocks = this.rest.split(/\r\n\r\n|\n\n|\r\r/);
		this.rest = blocks.pop();
		return blocks.map(readFrame).filter((frame) => "data" in frame || "retry" in frame || "id" in frame);
	}
}

function readFrame(block) {
	const frame = {};
	for (const line of block.split(/\r\n|\n|\r/)) {
		const at = line.indexOf(":");
		const name = at < 0 ? line : line.slice(0, at),
			value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
		if (name === "data") frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`;
		else if (name !== "") frame[name] = value;
	}
	return frame;
}

// Calls take(frame) for each frame and state(text) for changes of the connection, until signal aborts. Throws the API's
// error if it refuses the stream (4xx).
export async function follow(api, path, { take, state, signal }) {
	let id,
		retry = LEAST_WAIT_MS,
		wait = LEAST_WAIT_MS;
	while (!signal.aborted) {
		try {
			const headers = {
				Accept: "text/event-stream",
				...(id === undefined ? {} : { "Last-Event-ID": id }),
			};
			const response = await api.fetch("GET", path, { headers, signal });
			state("connected");
			const frames = new Frames();
			for await (const piece of pieces(response.body.pipeThrough(new TextDecoderStream())))
				for (const frame of frames.add(piece)) {
					id = frame.id ?? id;
					wait = retry = Number(frame.retry) || retry;
					if (frame.data !== undefined) take(frame);
				}
			state("ended, connecting again");
		} catch (error) {
			if (signal.aborted) return;
			const status = error instanceof ApiError ? error.status : 500;
			if (status === 410 && id !== undefined) id = undefined; // events may be missing
			else if (status < 500 && status !== 429) throw error;
			state(`${error.message}, connecting again`);
		}
		await new Promise((done) => setTimeout(done, wait));
		wait = Math.min(2 * wait, MOST_WAIT_MS);
	}
}

async function* pieces(stream) {
	const reader = stream.getReader();
	for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
}
