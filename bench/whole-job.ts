/**
 * A whole job: read 128 calibration samples, score, prune half of the heads and of the neurons, refit, write, prove.
 *
 *     npm run build && node --import tsx bench/whole-job.ts             # the blocks of BERT-base, 128 samples of 128 positions
 *     node --import tsx bench/whole-job.ts <model.onnx> <texts>         # a model of one's own, its tokenizer beside it
 *
 * Seconds depend on the machine and on who else works there, so the job is also told in runs of the model over the data, measured
 * before and behind it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadModel } from '../src/backends/onnx/load.ts';
import { saveModel } from '../src/backends/onnx/save.ts';
import { openSession } from '../src/backends/ort/session.ts';
import { readInputs } from '../src/data/calibration.ts';
import { stream } from '../src/data/generate.ts';
import { measure, processorSeconds } from './harness.ts';
import { base, largeEncoder } from './models.ts';

const [samples, length, threads] = [128, 128, 2];
const program = fileURLToPath(new URL('../dist/prunec.cjs', import.meta.url));
const recipeOn = (data: string): string =>
	`calibrate with ${JSON.stringify(data)} take ${samples}; prune heads 50%; prune ffn 50%`;

type Job = { readonly model: string; readonly data: string };
type Spent = { readonly clock: number; readonly processor: number };

async function spentOn(work: () => Promise<void>): Promise<Spent> {
	const [clock, processor] = [performance.now(), processorSeconds()];
	await work();
	return { clock: (performance.now() - clock) / 1000, processor: processorSeconds() - processor };
}

/** One run of the model over all samples, one after the other, as `calibrate` reads them. */
async function runOver({ model: path, data }: Job): Promise<Spent> {
	const { model, file } = loadModel(path);
	const reading = { shapes: new Map(), seed: 0, samples: 8, modelPath: path };
	const { calibration, heldOut } = await readInputs(model, {
		...reading,
		data: { path: data, take: samples },
	});
	const session = await openSession(model, { which: 'original', optimize: 'all', threads });
	const feeds = [...calibration.map((example) => example.feeds), ...heldOut];
	const spent = await spentOn(async () => {
		for (const one of feeds) await session.run(one);
	});
	await session.release();
	file.close();
	return spent;
}

/** The blocks of BERT-base, and what they read: normal numbers, as behind a norm. */
function baseIn(folder: string): Job {
	const job = { model: join(folder, 'base.onnx'), data: join(folder, 'x.npy') };
	saveModel(largeEncoder(12), job.model);
	const [width, next] = [base.heads * base.width, stream(1)];
	const values = Float32Array.from({ length: samples * length * width }, () => {
		const spread = Math.sqrt(-2 * Math.log(1 - next()));
		return spread * Math.cos(2 * Math.PI * next());
	});
	writeFileSync(job.data, Buffer.concat([npyHead([samples, length, width]), Buffer.from(values.buffer)]));
	return job;
}

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0. */
function npyHead(sizes: readonly number[]): Buffer {
	const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes.join(', ')}), }`;
	const head = Buffer.from(text.padEnd(128 - 10 - 1) + '\n');
	return Buffer.concat([
		Buffer.from([0x93]),
		Buffer.from('NUMPY'),
		Buffer.from([1, 0, head.length, 0]),
		head,
	]);
}

/** The command as people run it, in a process of its own. Throws with what it said when it fails. */
function build({ model, data }: Job, out: string): Spent {
	const argv = ['build', '-e', recipeOn(data), model, '-o', out, '--no-cache', '--threads', String(threads)];
	const measured = measure({ name: 'prunec build', argv: [process.execPath, program, ...argv] });
	return { clock: measured.ms / 1000, processor: measured.cpuMs / 1000 };
}

async function main(): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-whole-job-'));
	try {
		const [, , model, data] = process.argv;
		const job = model !== undefined && data !== undefined ? { model, data } : baseIn(folder);
		const before = await runOver(job);
		const whole = build(job, join(folder, 'out.onnx'));
		const behind = await runOver(job);
		const run = (kind: keyof Spent): number => (before[kind] + behind[kind]) / 2;
		for (const kind of ['clock', 'processor'] as const) {
			const [spread, all] = [Math.abs(before[kind] - behind[kind]) / run(kind), whole[kind]];
			console.log(
				`${kind}: ${all.toFixed(1)} s, ${(all / run(kind)).toFixed(1)} runs over the data of ${run(kind).toFixed(2)} s (before and behind differ by ${(100 * spread).toFixed(0)} %)`,
			);
		}
		console.log(`others on the machine: load ${loadavg()[0]?.toFixed(1) ?? ''}`);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

await main();
