/* Graphile Worker, with the settings that its documents' page on performance reached its figures with. */
process.env.NO_LOG_SUCCESS = "1"; // as its own measurements do
const { Logger, makeWorkerUtils, run } = await import("graphile-worker");

const TASK = "nothing";
const logger = new Logger(() => (level, message) => level === "error" && console.error(message));

export async function open(connectionString) {
	const utils = await makeWorkerUtils({ connectionString, logger });
	const left = "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs) AS left";

	await utils.migrate();
	return {
		insert: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload }))),
		empty: async () => !(await utils.withPgClient((client) => client.query(left))).rows[0].left,
	};
}

export async function work(connectionString, worked) {
	const worker = {
		connectionString,
		concurrentJobs: 24,
		maxPoolSize: 25,
		localQueue: { size: 500, refetchDelay: { durationMs: 10, threshold: 0 } },
		completeJobBatchDelay: 0,
		failJobBatchDelay: 0,
	};

	await run({ preset: { worker }, logger, taskList: { [TASK]: () => worked(1) } });
}
