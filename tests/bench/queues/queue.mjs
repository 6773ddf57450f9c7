/*
 * A job queue on PostgreSQL whose handler does nothing, for the benchmark to compare with: puts jobs in, in bulk, and has
 * them worked on by processes of their own. docs/performance.md has the settings.
 *
 *   node queue.mjs graphile-worker|pg-boss DATABASE_URL WORKERS
 *
 * Says {} when it is ready. Reads commands, one a line, and answers each with a line of JSON when it is done, {jobs, seconds}:
 *   fill JOBS        so many jobs are put in, before the workers are let go
 *   drain            the workers are let go, until no job is left
 *   sustain SECONDS  the same, and jobs are put in for so long, of which at most BACKLOG wait
 */
import { fork } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const BULK = 1000; // jobs put in by one statement
const INSERTS = 2; // such statements at a time
const BACKLOG = 20_000;
const TELL_MS = 10; // how often a worker says how many jobs it has worked on
const POLL_MS = 5;
const PAYLOAD_BYTES = 500;

const [library, url, count] = process.argv.slice(2);
const { open, work } = await import(`./${library}.mjs`);

const news = new EventEmitter(); // "worked": a worker has said how many
const workers = [];
let put = 0;
let worked = 0;

/* As tests/bench/load makes them. */
function payload() {
	const sent = String(process.hrtime.bigint()).padStart(20, "0");

	return { sent, output: "x".repeat(PAYLOAD_BYTES - JSON.stringify({ sent, output: "" }).length) };
}

async function insert(queue) {
	put += BULK;
	await queue.insert(Array.from({ length: BULK }, payload));
}

/* Calls step() again and again, as often at a time as statements may run. */
async function repeat(step, wanted) {
	const loop = async () => {
		while (wanted())
			await step();
	};

	await Promise.all(Array.from({ length: INSERTS }, loop));
}

async function finish(queue) {
	while (worked < put)
		await once(news, "worked");
	while (!(await queue.empty()))
		await setTimeout(POLL_MS);
}

function letGo() {
	for (const worker of workers)
		worker.send("go");
}

const commands = {
	async fill(queue, jobs) {
		await repeat(() => insert(queue), () => put < jobs);
		return put;
	},

	async drain(queue) {
		letGo();
		await finish(queue);
		return put;
	},

	async sustain(queue, seconds) {
		const end = performance.now() + 1000 * seconds;

		letGo();
		await repeat(
			() => (put - worked < BACKLOG ? insert(queue) : once(news, "worked")),
			() => performance.now() < end);
		await finish(queue);
		return put;
	},
};

async function lead() {
	const queue = await open(url);

	for (let i = 0; i < Number(count); i++) {
		const worker = fork(import.meta.filename, [library, url, "work"]);

		worker.on("exit", () => process.exit(1));
		await once(worker, "message");
		worker.on("message", (jobs) => {
			worked += jobs;
			news.emit("worked");
		});
		workers.push(worker);
	}
	console.log("{}");
	for await (const line of createInterface({ input: process.stdin })) {
		const [command, argument] = line.split(" ");
		const started = performance.now();
		const jobs = await commands[command](queue, Number(argument));

		console.log(JSON.stringify({ jobs, seconds: (performance.now() - started) / 1000 }));
	}
	process.exit(0); // the workers see their channel close
}

async function follow() {
	let jobs = 0;

	process.on("disconnect", () => process.exit(0));
	process.send("ready");
	await once(process, "message");
	await work(url, (more) => (jobs += more));
	setInterval(() => {
		if (jobs > 0)
			process.send(jobs);
		jobs = 0;
	}, TELL_MS);
}

await (count === "work" ? follow() : lead());
