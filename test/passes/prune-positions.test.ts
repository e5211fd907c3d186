/** Tables of positions without the rows that nothing reads. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { constantsOf } from '../../src/ir/graph/constants.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { classifier } from '../fixtures/text/text.ts';
import { buildOf, reasons } from '../harness/exact.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune positions');
const int64 = 7;

/** Sizes of the constant that the first node of an operator reads. */
function tableOf({ graph }: Model, op: string): readonly number[] {
	const node = graph.nodes.find((one) => one.op === op && constantsOf(graph).has(one.inputs[0]!))!;
	return constantsOf(graph).get(node.inputs[0]!)!.dims;
}

/** Words and positions summed, then something of it. */
function embedded(length: number | string, positions: (b: Build, ids: string) => string): Model {
	const b = modelBuilder({ opset: 13 });
	const ids = b.input('ids', ['batch', length], int64);
	const words = b.node('Gather', [b.weight([50, 6]), ids]);
	const sum = b.node('Add', [words, positions(b, ids)]);
	b.output(b.node('MatMul', [sum, b.weight([6, 4])]), ['batch', length, 4]);
	return b.build();
}
const counted = (b: Build, ids: string): string => {
	const length = b.node('Gather', [b.node('Shape', [ids]), b.ints([1], [])]);
	return b.node('Range', [b.ints([0], []), length, b.ints([1], [])]);
};
const byRange = (b: Build, ids: string): string => b.node('Gather', [b.weight([32, 6]), counted(b, ids)]);
const bySlice = (b: Build, ids: string): string => {
	const length = b.node('Gather', [b.node('Shape', [ids]), b.ints([1])]);
	return b.node('Slice', [b.weight([1, 32, 6]), b.ints([0]), length, b.ints([1])]);
};

test('with a length given, the rows behind it go and shorter inputs give the same to the bit', async () => {
	for (const [positions, op, dims] of [
		[byRange, 'Gather', [8, 6]],
		[bySlice, 'Slice', [1, 8, 6]],
	] as const) {
		const { document, model, same } = await buildOf(
			embedded('sequence', positions),
			'prune positions keep 8',
			{
				again: true,
			},
		);
		const { proof } = document;
		assert.ok(proof?.ok === true && !proof.weak && proof.maxAbs === 0 && same === true, op);
		const reading = model.graph.nodes.filter((node) => node.op === op).at(-1)!;
		const table = [...reading.inputs].map((name) => constantsOf(model.graph).get(name)).find(Boolean)!;
		assert.equal(op === 'Slice' ? tableOf(model, op) : table.dims, dims);
		assert.match(reasons(document).join(), 'inputs of more than 8 positions are out of range');
	}
});

test('bare, rows go that a model of fixed length never reads, and tables of open length stay with the reason', async () => {
	const { document } = await buildOf(embedded(7, byRange), 'prune positions');
	assert.equal([document.steps[0]!.selected, document.proof?.weak], [1, false]);
	assert.is(document.model!.params - document.output!.params!, 25 * 6);
	const { document: open } = await buildOf(embedded('sequence', byRange), 'prune positions');
	assert.is(open.steps[0]!.selected, 0);
	assert.match(reasons(open).join(), 'how far it is read depends on the input');
});

test('a table of words is none of positions, and no run may lose what it reads', async () => {
	const words = embedded('sequence', (b, ids) => b.node('Gather', [b.weight([40, 6]), ids]));
	const { document } = await buildOf(words, 'prune positions keep 8');
	assert.is(document.steps[0]!.of, 0);
	let refusal = '';
	await buildOf(embedded(7, byRange), 'prune positions keep 4').catch((problem: unknown) => {
		refusal = String(problem);
	});
	assert.match(refusal, 'plan/positions-needed');
});

test('the trained classifier loses half of its table', async () => {
	const { model, file } = loadModel(classifier.model);
	const { document } = await buildOf(model, 'prune positions keep 48');
	file.close();
	assert.is(document.model!.params - document.output!.params!, 48 * 64);
	assert.is(document.proof?.maxAbs, 0);
});

test.run();
