/** Recipes on models built in code and on the trained recognizer: built, proven, written. */
import { createHash } from 'node:crypto';
import {
	chmodSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../src/backends/onnx/load.ts';
import { saveModel } from '../src/backends/onnx/save.ts';
import { openSession } from '../src/backends/ort/session.ts';
import { applyPlan, compile } from '../src/compile.ts';
import { countRight, readLines, recognizer } from '../examples/read-lines.ts';
import { encoder, modelBuilder } from './harness/model.ts';

const test = suite('compile');
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
const at = (name: string): string => join(folder, name);
test.after(() => {
	rmSync(folder, { recursive: true });
});

for (const [name, options, build] of [
	['norms before', { heads: 4, width: 8, hidden: 48 }, {}],
	['norms after', { heads: 4, width: 8, hidden: 48, post: true }, {}],
	['weights in Constant nodes, IR 3', { heads: 4, width: 8, hidden: 48 }, { constants: true, ir: 3 }],
] as const) {
	test(`prunes and proves every technique on an encoder with ${name}`, async () => {
		const model = at(`${name.replaceAll(' ', '-')}.onnx`);
		saveModel(encoder(3, options, build), model);
		for (const recipe of [
			'prune heads 50%',
			'prune ffn 50%',
			'prune layers [0]',
			'prune layers [1] only ffn',
			'factorize ffn rank 4',
			'factorize attention energy 60%',
			'prune heads 1 by wanda',
			'prune layers 1 by block_influence',
			'prune heads lowest 3 by l1 globally',
			'prune ffn where importance < 0.8',
		]) {
			const document = await compile({ recipe, model, threads: 1, samples: 4 });
			assert.equal(
				document.diagnostics.filter(({ severity }) => severity === 'error'),
				[],
				recipe,
			);
			assert.ok(document.steps[0]!.selected > 0, recipe);
			assert.ok(document.proof?.ok && !document.proof.weak, recipe);
			assert.ok(document.output!.params! < document.model!.params, recipe);
		}
	});
}

test('numbers go on meaning what they meant in the model as given', async () => {
	const model = at('numbers.onnx');
	saveModel(encoder(3, { heads: 4, width: 8, hidden: 48 }), model);
	const document = await compile({
		recipe: 'prune layers [0]; prune heads [1] in layers [2]; prune heads [2] in layers [2]',
		model,
		threads: 1,
		samples: 2,
	});
	assert.equal(
		document.steps.map(({ removed }) => removed),
		[[{ layer: 0, units: [] }], [{ layer: 2, units: [1] }], [{ layer: 2, units: [2] }]],
	);
});

test('touches nothing of a model that the recipe is not for, and does not look at its data either', async () => {
	const [model, out] = [at('small.onnx'), at('none.onnx')];
	saveModel(encoder(2, { heads: 4, width: 8, hidden: 48 }), model);
	const recipe = 'require transformer with layers >= 6\ncalibrate with "missing.npz"\nprune heads 25%';
	const document = await compile({ recipe, model, out });
	assert.equal(
		document.diagnostics.map(({ code }) => code),
		['plan/unmet-requirement'],
	);
	assert.not(document.ok);
	assert.not(existsSync(out));
});

test('an empty recipe gives back the same bytes', async () => {
	const out = at('same.onnx');
	const document = await compile({ recipe: '', model: recognizer, out, verify: false });
	assert.ok(document.ok);
	assert.is(Buffer.compare(readFileSync(out), readFileSync(recognizer)), 0);
	const sha256 = createHash('sha256').update(readFileSync(out)).digest('hex');
	assert.equal([document.model?.sha256, document.output?.sha256], [sha256, sha256]);
});

test('a copy of a file that nobody may write is a file of our own', async () => {
	const [model, out] = [at('locked.onnx'), at('copy.onnx')];
	copyFileSync(recognizer, model);
	chmodSync(model, 0o400);
	assert.ok((await compile({ recipe: '', model, out, verify: false })).ok);
	writeFileSync(at('new'), '');
	assert.is(statSync(out).mode, statSync(at('new')).mode);
});

test('a link is the model that it leads to, as in the cache of the Hugging Face Hub', async () => {
	mkdirSync(at('blobs'));
	mkdirSync(at('snapshots'));
	saveModel(encoder(1, { heads: 4, width: 8, hidden: 48 }), at('blobs/5f3a'));
	symlinkSync('../blobs/5f3a', at('snapshots/model.onnx'));
	const model = at('snapshots/model.onnx');
	const document = await compile({ recipe: 'prune heads 50%', model, threads: 1, samples: 1 });
	assert.equal([document.ok, document.proof?.ok], [true, true]);
});

test('a plan applied gives the bytes of the build', async () => {
	const recipe = 'prune heads 25%; factorize ffn rank 24';
	const [built, applied, plan] = [at('built.onnx'), at('applied.onnx'), at('plan.json')];
	const document = await compile({ recipe, model: recognizer, out: built, planPath: plan, verify: false });
	assert.ok(document.ok);
	const again = await applyPlan(plan, { model: recognizer, out: applied, verify: false });
	assert.ok(again.ok);
	assert.is(Buffer.compare(readFileSync(built), readFileSync(applied)), 0);
	const other = await applyPlan(plan, { model: built, out: at('other.onnx') });
	assert.is(other.diagnostics[0]?.code, 'plan/other-model');
});

test('a plan that is missing, of another kind or changed is not carried out', async () => {
	const plan = at('reviewed.json');
	const codes = async (): Promise<string[]> =>
		(await applyPlan(plan, { model: recognizer, out: at('none.onnx') })).diagnostics.map(({ code }) => code);
	assert.equal(await codes(), ['cli/unreadable']);
	await compile({ recipe: 'prune heads 25%', model: recognizer, planPath: plan, verify: false });
	const written = readFileSync(plan, 'utf8');
	for (const text of ['', 'null', '{}', written.replace(/"selected": \d+/, '"selected": 3')]) {
		writeFileSync(plan, text);
		assert.equal(await codes(), ['plan/file'], text.slice(0, 20));
	}
	assert.is(existsSync(at('none.onnx')), false);
});

test('a frozen output stops heads with its name', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 8]);
	const hidden = b.node('Relu', [b.node('MatMul', [x, b.weight([8, 24])])]);
	b.output(hidden, ['batch', 'seq', 24]);
	b.output(b.node('Add', [x, b.node('MatMul', [hidden, b.weight([24, 8])])]), ['batch', 'seq', 8]);
	saveModel(b.build(), at('frozen.onnx'));
	const document = await compile({
		recipe: 'prune ffn 50%',
		model: at('frozen.onnx'),
		threads: 1,
		samples: 2,
	});
	assert.is(document.steps[0]?.selected, 0);
	assert.match(document.diagnostics[0]!.message, /graph output 'Relu_\d+' is frozen/);
});

test('sizes that are given for the runs do not bind the result where the author left them open', async () => {
	saveModel(encoder(1, { heads: 4, width: 8, hidden: 48 }), at('open.onnx'));
	const [recipe, out] = ['prune heads 50%', at('free.onnx')];
	const document = await compile({
		recipe,
		model: at('open.onnx'),
		out,
		shapes: new Map([['x', [1, 16, 32]]]),
	});
	assert.ok(document.ok && document.proof?.ok);
	const { model, file } = loadModel(out);
	const session = await openSession(model, { which: 'pruned', threads: 1 });
	const data = new Float32Array(2 * 7 * 32);
	const [result] = (await session.run(new Map([['x', { type: 1, dims: [2, 7, 32], data }]]))).values();
	assert.equal(result!.dims.slice(0, 2), [2, 7]);
	await session.release();
	file.close();
});

test('mistakes of the user come back as diagnostics', async () => {
	const codes = async (recipe: string, model = recognizer): Promise<string[]> =>
		(await compile({ recipe, model, verify: false })).diagnostics.map(({ code }) => code);
	assert.equal(await codes('prune heads 25% in layers 6..12'), ['plan/empty-range']);
	assert.equal(await codes('prune heds 25%; prnue ffn 30%'), ['check/unknown-target', 'check/unknown-verb']);
	assert.equal(await codes('prune heads 25%', at('absent.onnx')), ['model/not-found']);
	assert.equal(await codes('expect params <= 1%'), ['verify/expectation']);
});

test('the shipped recipe takes a quarter of the transformer blocks and the lines are still read', async () => {
	const out = at('rec.onnx');
	const document = await compile({
		recipe: readFileSync('recipes/ocr-lite.prune', 'utf8'),
		model: recognizer,
		out,
		data: 'test/fixtures/lines/calibration',
		samples: 4,
	});
	assert.equal(
		document.diagnostics.filter(({ severity }) => severity === 'error'),
		[],
	);
	assert.ok(document.proof?.ok && !document.proof.weak);
	// The two blocks hold 2 · (4 · 120² + 2 · 120 · 240) weights in matrices.
	assert.ok(document.model!.params - document.output!.params! >= 0.25 * 2 * (4 * 120 ** 2 + 2 * 120 * 240));
	const [before, after] = [countRight(await readLines(recognizer)), countRight(await readLines(out))];
	assert.ok(before >= 57, `the original reads ${before} of 60 lines`);
	assert.ok(after >= 0.95 * before, `the pruned model reads ${after} of the ${before}`);
});

test.run();
