/** Times of small graphs on this machine, remembered between processes. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../files/cache.ts';
import { generate } from '../../data/generate.ts';
import { Fault, present } from '../../diagnostic.ts';
import { type Part } from '../../ir/graph/part.ts';
import { hasRuntime, openSession, runtimeVersion } from './session.ts';

/** Milliseconds, null for a part that does not run by itself; by hash. */
type Table = Record<string, number | null>;

/** As long as it takes for the fastest of the runs to be one that nothing disturbed. */
const [enoughMs, fewest, most] = [60, 7, 200] as const;

/**
 * The fastest of many runs of each part, all optimizations on. Parts of the same key are measured once on a machine; the table
 * lies in the user's cache folder, by processor, threads and version of onnxruntime. Times of a machine that has more to do than it has
 * processors are used and not kept. Without onnxruntime there are none.
 */
export async function timeParts(parts: readonly Part[], threads: number): Promise<(number | undefined)[]> {
	if (!(await hasRuntime())) return parts.map(() => undefined);
	const path = tablePath();
	const table = readTable(path);
	const isQuiet = (loadavg()[0] ?? 0) <= cpus().length;
	const where = `${cpus()[0]?.model ?? ''}|${threads}|${await runtimeVersion()}`;
	const hashes = parts.map(({ key }) =>
		createHash('sha256').update(`${where}|${key}`).digest('hex').slice(0, 32),
	);
	const fresh = new Map(
		parts.flatMap((part, at) => {
			const hash = present(hashes[at], 'a hash');
			return table[hash] === undefined ? [[hash, part] as const] : [];
		}),
	);
	for (const [hash, part] of fresh) table[hash] = (await timePart(part, threads)) ?? null;
	if (fresh.size > 0 && isQuiet) writeTable(path, table);
	return hashes.map((hash) => table[hash] ?? undefined);
}

async function timePart({ model }: Part, threads: number): Promise<number | undefined> {
	const shapes = new Map(model.graph.inputs.map(({ name, dims }) => [name, (dims ?? []).map(Number)]));
	try {
		const session = await openSession(model, { which: 'measured', optimize: 'all', threads });
		try {
			const feeds = generate(model, shapes, 1);
			return await fastest(() => session.run(feeds));
		} finally {
			await session.release();
		}
	} catch (problem) {
		if (problem instanceof Fault) return undefined;
		throw problem;
	}
}

async function fastest(run: () => Promise<unknown>): Promise<number> {
	let [best, spent, runs] = [Infinity, 0, -1];
	while (runs < fewest || (spent < enoughMs && runs < most)) {
		const start = performance.now();
		await run();
		const time = performance.now() - start;
		// The first run allocates.
		if (runs++ < 0) continue;
		spent += time;
		best = Math.min(best, time);
	}
	return best;
}

function tablePath(): string {
	return join(cacheFolder('times'), 'parts.json');
}

/** An unreadable table is one that holds nothing: it is a cache. */
function readTable(path: string): Table {
	try {
		return JSON.parse(readFileSync(path, 'utf8')) as Table;
	} catch {
		return {};
	}
}

/** Under another name first, so that who reads meanwhile finds a whole table. Where nothing can be written, times are measured again. */
function writeTable(path: string, table: Table): void {
	try {
		mkdirSync(dirname(path), { recursive: true });
		const draft = `${path}.${process.pid}`;
		writeFileSync(draft, JSON.stringify(table));
		renameSync(draft, path);
	} catch {
		return;
	}
}
