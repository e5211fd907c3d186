/** The residual width by its other name, on a trained model. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readFileSync } from 'node:fs';
import { compile } from '../../src/compile.ts';
import { classifier } from '../fixtures/text/text.ts';
import { testFolder } from '../harness/folder.ts';

const test = suite('prune embeddings dims');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

test('a quarter of the width of the trained classifier goes, through tables, projections and norms', async () => {
	const out = folder.at('out.onnx');
	const build = { model: classifier.model, threads: 1, samples: 2, out };
	const document = await compile({ ...build, recipe: 'prune embeddings dims 25%' });
	const [step] = document.steps;
	assert.ok(document.ok && document.proof!.ok && !document.proof!.weak);
	assert.equal([step!.technique, step!.selected * 4], ['prune-hidden', step!.of]);
	assert.ok(step!.params[1] < 0.8 * step!.params[0]);
	const again = folder.at('again.onnx');
	await compile({ ...build, out: again, recipe: 'prune hidden 25%', verify: false });
	const names = [out, again].map((path) => readFileSync(path).length);
	assert.ok(Math.abs(names[0]! - names[1]!) < 100, 'but for the recipe in its metadata it is `prune hidden`');
});

test.run();
