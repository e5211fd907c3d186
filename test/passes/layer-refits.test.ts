/** Layers that go while a matrix before them takes up what they did, and width that goes while its readers do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { applyPlan, compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { testFolder } from '../harness/folder.ts';

const test = suite('layers that are taken up');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

const rows = 'calibrate with "rows" take 24';

function lossOf({ drift }: BuildDocument): number {
	return 1 - drift!.cosine;
}

test('on trained models with norms before and after the sums less is lost than without, in several gaps too', async () => {
	for (const [fixture, statement, takers] of [
		[lm, 'prune layers [1, 2]', [0]],
		[classifier, 'prune layers [1, 3]', [0, 2]],
	] as const) {
		const place = { model: fixture.model, out: folder.at('out.onnx'), data: fixture.calibration };
		const taken = await proven(`${rows}; ${statement}`, place);
		const bare = await proven(`${rows}; ${statement} without compensation`, place);
		const told = taken.steps[0]!.compensated!;
		assert.equal(
			told.map(({ layer, choice }) => [layer, choice]),
			takers.map((layer) => [layer, 'affine']),
		);
		for (const { heldOut } of told) assert.ok(heldOut.affine < heldOut.none, JSON.stringify(heldOut));
		assert.ok(lossOf(taken) < 0.75 * lossOf(bare), `${statement}: ${lossOf(taken)}, ${lossOf(bare)} without`);
		assert.is(bare.steps[0]!.compensated, undefined);
		assert.equal(taken.output!.macs, bare.output!.macs);
	}
});

test('where new numbers do not help behind the norms a bias is tried alone, and nothing is taken that is not better there', async () => {
	const recipe = 'calibrate with "rows" take 8; prune layers [2]';
	const document = await compile({
		recipe,
		model: classifier.model,
		data: classifier.calibration,
		threads: 1,
	});
	const [told] = document.steps[0]!.compensated!;
	const { affine, bias, none } = told!.heldOut;
	assert.is(told!.choice, 'none');
	assert.ok(affine > none && bias > none, JSON.stringify(told));
	const bare = await compile({
		...{ recipe: `${recipe} without compensation`, model: classifier.model, data: classifier.calibration },
		threads: 1,
	});
	assert.equal(document.drift, bare.drift);
});

test('the readers of a narrower stream are refitted: less is lost than without', async () => {
	const place = { model: lm.model, out: folder.at('narrow.onnx'), data: lm.calibration };
	const refitted = await proven(`${rows}; prune hidden 25%`, place);
	const bare = await proven(`${rows}; prune hidden 25% by wanda without compensation`, place);
	const told = refitted.steps[0]!.compensated!;
	// Two matrices in each of four layers, queries, keys and values in one, and the last one.
	assert.is(told.length, 9);
	assert.ok(told.every(({ choice }) => choice === 'affine'));
	assert.ok(lossOf(refitted) < 0.5 * lossOf(bare), `${lossOf(refitted)}, ${lossOf(bare)} without`);
});

test('plans carry what was taken up: the same bytes again', async () => {
	const place = { model: lm.model, threads: 1 };
	const planPath = folder.at('plan.json');
	const [first, second] = [folder.at('first.onnx'), folder.at('second.onnx')];
	const recipe = `${rows}; prune layers [2]`;
	const made = await compile({ ...place, recipe, data: lm.calibration, out: first, planPath });
	const again = await applyPlan(planPath, { ...place, out: second });
	assert.ok(made.ok && again.ok);
	assert.is(again.output!.sha256, made.output!.sha256);
});

test('a note names a layer that nothing takes up', async () => {
	const document = await compile({
		...{ recipe: `${rows}; prune layers [0]`, model: lm.model, data: lm.calibration, threads: 1 },
	});
	assert.equal(
		document.diagnostics.map(({ code, severity }) => [code, severity]),
		[['plan/not-taken-up', 'note']],
	);
	assert.ok(document.proof!.ok && !document.proof!.weak);
});

test.run();
