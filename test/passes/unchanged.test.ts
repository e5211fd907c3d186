/** Statements that take nothing: no proof is run, and none is claimed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { buildReport } from '../../src/report/build.ts';
import { htmlReport } from '../../src/report/html.ts';
import { encoder } from '../harness/model.ts';

const test = suite('steps that change nothing');
const folder = mkdtempSync(join(tmpdir(), 'prunec-unchanged-'));
const model = join(folder, 'model.onnx');
test.before(() => {
	saveModel(encoder(2, { heads: 4, width: 8, hidden: 64 }), model);
});
test.after(() => {
	rmSync(folder, { recursive: true });
});

const build = (recipe: string): ReturnType<typeof compile> =>
	compile({ recipe, model, samples: 2, threads: 1 });
const nothing = 'nothing to prove: no node and no tensor changed';

test('a condition that nothing meets has nothing to prove, and the model no drift', async () => {
	const document = await build('prune heads where importance < 0');
	const [step] = document.steps;
	assert.equal(
		[document.ok, step?.unchanged, step?.proof, document.proof],
		[true, true, undefined, undefined],
	);
	assert.is(document.drift, undefined);
	assert.match(buildReport(document), nothing);
	assert.match(htmlReport(document, ''), 'There is nothing to prove');
	assert.is(
		document.diagnostics.some(({ code }) => code === 'verify/weak-proof'),
		false,
	);
});

test('of the same statement twice only the first is proven, and promises are measured on a model that stays', async () => {
	const twice = await build('prune bias; prune bias');
	assert.equal(
		twice.steps.map(({ proof, unchanged }) => [proof?.ok, proof?.weak, unchanged]),
		[
			[true, false, undefined],
			[undefined, undefined, true],
		],
	);
	assert.is(buildReport(twice).split(nothing).length, 2);
	const promised = await build('prune heads where importance < 0; expect cosine >= 0.99');
	assert.equal([promised.ok, promised.drift?.cosine], [true, 1]);
});

test.run();
