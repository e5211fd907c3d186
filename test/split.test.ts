/** A model with exits as stages: rows of a batch leave one by one, as the manifest says, with what each would have got alone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../src/backends/onnx/load.ts';
import { saveModel } from '../src/backends/onnx/save.ts';
import { openSession, type Value } from '../src/backends/ort/session.ts';
import { Fault } from '../src/diagnostic.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { splitModel, type Manifest, type Split } from '../src/tasks/split.ts';
import { buildOf } from './harness/exact.ts';
import { classifier, far, feedsOf, pooled, scoresOf } from './harness/exits.ts';
import { type Build } from './harness/model.ts';

const test = suite('split');

async function splitOf(
	model: Model,
	work: (done: Split, folder: string) => Promise<void> | void,
	options: { readonly limit?: number } = {},
): Promise<void> {
	const root = mkdtempSync(join(tmpdir(), 'prunec-split-'));
	try {
		saveModel(model, join(root, 'early.onnx'));
		const loaded = loadModel(join(root, 'early.onnx'));
		const out = join(root, 'stages');
		const done = await splitModel(loaded, { out, threads: 1, samples: 2, seed: 0, ...options });
		loaded.file.close();
		await work(done, out);
	} finally {
		rmSync(root, { recursive: true });
	}
}

/** The rows of a value along an axis. */
function rowsOf({ type, dims, data }: Value, axis: number, rows: readonly number[]): Value {
	const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
	const numbers = Array.from(data, Number);
	const blocks = numbers.length / (inner * dims[axis]!);
	const taken = Array.from({ length: blocks }, (_, block) =>
		rows.flatMap((row) => {
			const start = (block * dims[axis]! + row) * inner;
			return numbers.slice(start, start + inner);
		}),
	).flat();
	return {
		type,
		dims: dims.map((dim, at) => (at === axis ? rows.length : dim)),
		data: Float64Array.from(taken),
	};
}

/** What a server does: the scores of each row, and the stage it left after. */
async function served(
	folder: string,
	feeds: ReadonlyMap<string, Value>,
): Promise<readonly (readonly [number, readonly number[]])[]> {
	const { stages } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
	const found: (readonly [number, readonly number[]])[] = [];
	const batchOf = new Map(stages.flatMap(({ inputs }) => inputs.map(({ name, batch }) => [name, batch])));
	let pool = new Map(feeds);
	let left = Array.from({ length: feeds.get('x')!.dims[0]! }, (_, row) => row);
	for (const [at, { file, inputs, outputs, exit }] of stages.entries()) {
		const { model, file: opened } = loadModel(join(folder, file));
		const session = await openSession(model, { which: 'given', threads: 1 });
		const made = await session.run(new Map(inputs.map(({ name }) => [name, pool.get(name)!])));
		await session.release();
		opened.close();
		const scores = made.get(outputs[0]!.name)!;
		const leaves =
			exit === undefined ? left.map(() => true) : Array.from(made.get(exit.leaves)!.data, Boolean);
		leaves.forEach((leaving, place) => {
			if (leaving) found[left[place]!] = [at, Array.from(rowsOf(scores, 0, [place]).data)];
		});
		const stay = left.flatMap((_, place) => (leaves[place] === true ? [] : [place]));
		if (stay.length === 0) break;
		const known = [...new Map([...pool, ...made])].filter(([name]) => batchOf.has(name));
		pool = new Map(
			known.map(([name, value]) => {
				const batch = batchOf.get(name);
				return [name, batch === undefined ? value : rowsOf(value, batch, stay)];
			}),
		);
		left = stay.map((place) => left[place]!);
	}
	return found;
}

test('rows leave one by one, each with what the model says of it alone', async () => {
	const { model } = await buildOf(
		classifier({ layers: 4 }),
		'exit after layers [0, 2] when confidence > 0.5',
	);
	await splitOf(model, async ({ manifest, error }, folder) => {
		assert.is(error, 0);
		assert.equal(
			manifest.stages.map(({ file, exit }) => [file, exit?.layer]),
			[
				['stage_0.onnx', 0],
				['stage_1.onnx', 2],
				['stage_2.onnx', undefined],
			],
		);
		assert.equal(Object.keys(manifest.stages[1]!.thresholds), ['exit_after_2_when_confidence']);
		const feeds = feedsOf(3, 40);
		const found = await served(folder, feeds);
		const alone = Array.from({ length: 40 }, (_, row) => new Map([['x', rowsOf(feeds.get('x')!, 0, [row])]]));
		const expected = await scoresOf(model, alone);
		found.forEach(([, scores], row) => {
			assert.ok(far([scores], expected[row]!) < 1e-5, `row ${row}`);
		});
		assert.equal([...new Set(found.map(([stage]) => stage))].sort(), [0, 1, 2]);
	});
});

test('weights of stages that are too large for one file lie beside it', async () => {
	// The smallest that go outside have 1 KiB: a hidden layer of 64 times 8.
	const head = (b: Build, x: string): void => {
		const hidden = b.node('Tanh', [b.node('MatMul', [pooled(b, x), b.weight([8, 64])])]);
		b.output(b.node('MatMul', [hidden, b.weight([64, 5])]), ['batch', 5]);
	};
	const { model } = await buildOf(classifier({ head }), 'exit after layer 0 when confidence > 0.3');
	await splitOf(
		model,
		async ({ manifest }, folder) => {
			assert.equal(
				readdirSync(folder).filter((name) => name.endsWith('_data')),
				manifest.stages.map(({ file }) => `${file}_data`),
			);
			const feeds = feedsOf(5, 6);
			const found = await served(folder, feeds);
			const alone = found.map((_, row) => new Map([['x', rowsOf(feeds.get('x')!, 0, [row])]]));
			const whole = loadModel(join(folder, '..', 'early.onnx'));
			const expected = await scoresOf(whole.model, alone);
			whole.file.close();
			found.forEach(([, scores], row) => {
				assert.ok(far([scores], expected[row]!) < 1e-5, `row ${row}`);
			});
		},
		{ limit: 4000 },
	);
});

test('a model without exits is refused', async () => {
	try {
		await splitOf(classifier(), () => undefined);
	} catch (problem) {
		assert.instance(problem, Fault);
		assert.match((problem as Fault).message, /it has no exits/);
		return;
	}
	assert.unreachable();
});

test.run();
