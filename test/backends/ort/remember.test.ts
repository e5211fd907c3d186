/** Statistics from disk: the same question is not measured twice, another one is, and a spoiled file is no answer. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../../src/backends/onnx/save.ts';
import { labOf } from '../../../src/backends/ort/lab.ts';
import { StatisticsMemory } from '../../../src/backends/ort/remember.ts';
import { statisticsStore } from '../../../src/backends/ort/statistics-store.ts';
import { compile } from '../../../src/compile.ts';
import { type BuildDocument, type CompileOptions } from '../../../src/document.ts';
import { type Lab } from '../../../src/ir/lab.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { encoder, modelBuilder } from '../../harness/model.ts';

const test = suite('remembered statistics');
const folder = mkdtempSync(join(tmpdir(), 'prunec-remember-'));
const at = (name: string): string => join(folder, name);
test.after(() => {
	rmSync(folder, { recursive: true });
});

const feedsOf = (
	seed: number,
	samples = 5,
): Map<string, { type: number; dims: number[]; data: Float32Array }>[] =>
	Array.from({ length: samples }, (_, sample) => {
		const data = Float32Array.from({ length: 12 }, (_, one) => Math.sin(seed + 7 * sample + one));
		return new Map([['x', { type: 1, dims: [1, 3, 4], data }]]);
	});
const examplesOf = (seed: number): { feeds: ReturnType<typeof feedsOf>[number]; at: string }[] =>
	feedsOf(seed).map((feeds, sample) => ({ feeds, at: `${sample}` }));

function layer(seed: number): { model: Model; hidden: string; out: string } {
	const b = modelBuilder({ seed });
	const x = b.input('x', ['batch', 'seq', 4]);
	const hidden = b.node('Relu', [b.node('MatMul', [x, b.weight([4, 6])])]);
	const out = b.node('MatMul', [hidden, b.weight([6, 3])]);
	b.output(out, ['batch', 'seq', 3]);
	return { model: b.build(), hidden, out };
}

/** All statistics that are remembered, of one layer. */
async function asked(lab: Lab, { model, hidden, out }: ReturnType<typeof layer>): Promise<unknown[]> {
	const rows = { value: hidden, rank: 3, axis: 2, size: 6 };
	const wanted = { value: out, rank: 3, axis: 2, size: 3 };
	const along = [{ value: hidden, axis: 2 }];
	return [
		await lab.grams(model, [rows, { ...rows, against: wanted }, { ...rows, size: 2, only: [1, 4] }]),
		await lab.walk(model).grams(model, [{ ...rows, size: 1, only: [3] }]),
		await lab.moments(model, along),
		await lab.histograms(model, along, 8),
		await lab.similarity(model, [[hidden, hidden]]),
		await lab.averages(model, [hidden]),
		await lab.halves()[1].moments(model, along),
		Array.from(
			await lab.changes(model, {
				outputs: [out],
				neutral: new Map(),
				settings: [feedsOf(90, 1)[0]!, feedsOf(91, 1)[0]!],
			}),
		),
	];
}

type Told = { answers: unknown[]; counts: StatisticsMemory['counts'] };
async function toldBy(name: string, { data = 1, weights = 1, threads = 1 } = {}): Promise<Told> {
	const memory = new StatisticsMemory(statisticsStore(at(name)));
	const lab = labOf(examplesOf(data), 'test', true, threads, new Map(), memory);
	return { answers: await asked(lab, layer(weights)), counts: memory.counts };
}
const questions = 10;

test('another run over the same model and data measures nothing, and has the same answers to the last bit', async () => {
	const plain = await asked(labOf(examplesOf(1), 'test', true, 1), layer(1));
	const [first, second] = [await toldBy('same'), await toldBy('same')];
	assert.equal(
		[first.counts, second.counts],
		[
			{ fromCache: 0, measured: questions },
			{ fromCache: questions, measured: 0 },
		],
	);
	assert.equal([first.answers, second.answers], [plain, plain]);
});

test('other data, other weights and other threads are measured anew', async () => {
	await toldBy('other');
	for (const change of [{ data: 2 }, { weights: 2 }, { threads: 2 }])
		assert.equal((await toldBy('other', change)).counts, { fromCache: 0, measured: questions });
	assert.equal((await toldBy('other')).counts, { fromCache: questions, measured: 0 });
});

test('a question that was asked among others is known', async () => {
	const { model, hidden } = layer(1);
	const memory = new StatisticsMemory(statisticsStore(at('single')));
	const lab = labOf(examplesOf(1), 'test', true, 1, new Map(), memory);
	const whole = { value: hidden, rank: 3, axis: 2, size: 6 };
	const few = { ...whole, size: 2, only: [0, 5] };
	await lab.grams(model, [whole]);
	const [, half] = await lab.grams(model, [whole, few]);
	assert.equal(memory.counts, { fromCache: 1, measured: 2 });
	assert.equal([half], await lab.grams(model, [few]));
});

test('a file with any byte changed, cut short or of another layout is no answer', async () => {
	const store = statisticsStore(at('store'));
	const numbers = [Float64Array.of(1, 2, 3), new Float64Array(), Float64Array.of(-Infinity)];
	store.write('one', numbers);
	assert.equal(store.read('one'), numbers);
	const path = at('store/one.statistics');
	const whole = readFileSync(path);
	const flipped = Array.from(whole, (byte, place) => Buffer.from(whole).fill(byte ^ 1, place, place + 1));
	const cut = [0, 3, 16, whole.length - 8].map((length) => whole.subarray(0, length));
	for (const spoiled of [...flipped, ...cut]) {
		writeFileSync(path, spoiled);
		assert.is(store.read('one'), undefined);
	}
	const { answers } = await toldBy('spoiled');
	for (const name of readdirSync(at('spoiled'))) writeFileSync(at(`spoiled/${name}`), 'nothing');
	assert.equal(await toldBy('spoiled'), { answers, counts: { fromCache: 0, measured: questions } });
});

test('the store forgets what was not read for longest, and keeps nothing that would fill a quarter of it', () => {
	const store = statisticsStore(at('small'), 10_000);
	const numbers = (value: number, length: number): Float64Array[] => [new Float64Array(length).fill(value)];
	store.write('large', numbers(0, 400));
	assert.is(store.read('large'), undefined);
	for (let one = 0; one < 4; one++) {
		store.write(`k${one}`, numbers(one, 250));
		utimesSync(at(`small/k${one}.statistics`), one, one);
	}
	assert.equal(store.read('k0'), numbers(0, 250));
	store.write('k4', numbers(4, 250));
	assert.equal(
		[0, 1, 2, 3, 4].map((one) => store.read(`k${one}`)?.[0]?.[0]),
		[0, undefined, 2, 3, 4],
	);
	const kept = readdirSync(at('small')).map((name) => statSync(at(`small/${name}`)).size);
	assert.ok(kept.reduce((sum, size) => sum + size) <= 10_000);
});

test('where nothing can be written, statistics are measured', async () => {
	writeFileSync(at('a-file'), '');
	for (let turn = 0; turn < 2; turn++)
		assert.equal((await toldBy('a-file/below')).counts, { fromCache: 0, measured: questions });
});

/** Builds with a cache folder of the test's own. */
async function built(options: Partial<CompileOptions> = {}): Promise<BuildDocument> {
	const { PRUNEC_NO_CACHE: off, XDG_CACHE_HOME: home } = process.env;
	delete process.env['PRUNEC_NO_CACHE'];
	process.env['XDG_CACHE_HOME'] = at('cache');
	try {
		const recipe = 'prune heads 50%; prune ffn 50%; factorize ffn rank 4';
		const given = { recipe, model: at('m.onnx'), out: at('out.onnx'), data: at('x.npy'), threads: 1 };
		return await compile({ ...given, force: true, ...options });
	} finally {
		process.env['PRUNEC_NO_CACHE'] = off;
		if (home === undefined) delete process.env['XDG_CACHE_HOME'];
		else process.env['XDG_CACHE_HOME'] = home;
	}
}

test('a second build takes all statistics from the cache, refits too, and writes the same bytes', async () => {
	saveModel(encoder(2, { heads: 4, width: 8, hidden: 48 }), at('m.onnx'));
	const data = Float32Array.from({ length: 40 * 6 * 32 }, (_, one) => Math.sin(one * one));
	writeFileSync(at('x.npy'), npy([40, 6, 32], data));
	const first = await built({ data: at('x.npy') });
	assert.equal(first.diagnostics, []);
	assert.is(first.statistics, undefined);
	const second = await built();
	assert.is(second.statistics?.measured, 0);
	assert.ok(second.statistics!.fromCache > 0);
	assert.equal({ ...second, statistics: undefined }, { ...first, statistics: undefined });
	assert.is((await built({ cache: false })).statistics, undefined);
	// Heads are ranked before anything differs; what stands behind them is not what it was.
	const other = await built({ recipe: 'prune heads 25%; prune ffn 50%' });
	assert.ok(other.statistics!.fromCache > 0 && other.statistics!.measured > 0);
});

function npy(sizes: readonly number[], values: Float32Array): Buffer {
	const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes.join(', ')}), }`;
	const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0]);
	return Buffer.concat([head, Buffer.from(`${text.padEnd(117)}\n`), Buffer.from(values.buffer)]);
}

test.run();
