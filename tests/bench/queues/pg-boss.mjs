/* pg-boss, with a table of the queue's own and large batches; after a full one the next is fetched without delay. */
import { PgBoss } from "pg-boss";

const QUEUE = "nothing";

async function start(connectionString) {
	const boss = new PgBoss({ connectionString });

	boss.on("error", console.error);
	await boss.start();
	return boss;
}

export async function open(connectionString) {
	const boss = await start(connectionString);
	const left = "SELECT EXISTS (SELECT FROM pgboss.job WHERE state < 'completed') AS left";

	await boss.createQueue(QUEUE, { partition: true });
	return {
		insert: (payloads) => boss.insert(QUEUE, payloads.map((data) => ({ data }))),
		empty: async () => !(await boss.getDb().executeSql(left, [])).rows[0].left,
	};
}

export async function work(connectionString, worked) {
	const boss = await start(connectionString);
	const options = { batchSize: 2000, localConcurrency: 2, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 };

	await boss.work(QUEUE, options, async (jobs) => worked(jobs.length));
}
