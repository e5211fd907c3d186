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

/** Positions as families number them, and the rows of 32 that 8 positions need. */
const numbered: Record<string, readonly [(b: Build, ids: string) => string, number]> = {
	'from 2 on, as BART does': [(b, ids) => b.node('Add', [counted(b, ids), b.ints([2], [])]), 10],
	'the first of stored numbers': [
		(b, ids) => {
			const length = b.node('Gather', [b.node('Shape', [ids]), b.ints([1])]);
			const stored = b.ints(Array.from({ length: 32 }, (_, at) => at));
			return b.node('Slice', [stored, b.ints([0]), length, b.ints([0])]);
		},
		8,
	],
	'the first of stored numbers, no more than there are': [
		(b, ids) => {
			const length = b.node('Gather', [b.node('Shape', [ids]), b.ints([1])]);
			const stored = b.ints(Array.from({ length: 32 }, (_, at) => at));
			return b.node('Slice', [stored, b.ints([0]), b.node('Min', [length, b.ints([32])]), b.ints([0])]);
		},
		8,
	],
	'along what is no padding, as RoBERTa does': [
		(b, ids) => {
			const mask = b.node('Cast', [b.node('Not', [b.node('Equal', [ids, b.ints([1], [])])])], { to: int64 });
			const places = b.node('Mul', [b.node('CumSum', [mask, b.ints([1], [])]), mask]);
			return b.node('Add', [places, b.ints([1], [])]);
		},
		10,
	],
	'along a mask that is an input, as OPT does': [
		(b) => {
			const mask = b.input('attention_mask', ['batch', 'sequence'], int64);
			const places = b.node('Mul', [b.node('CumSum', [mask, b.ints([1], [])]), mask]);
			return b.node('Add', [b.node('Sub', [places, b.ints([1], [])]), b.ints([2], [])]);
		},
		10,
	],
};

for (const [how, [numbers, rows]] of Object.entries(numbered)) {
	test(`positions numbered ${how} keep the rows that they need`, async () => {
		const given = embedded('sequence', (b, ids) => b.node('Gather', [b.weight([32, 6]), numbers(b, ids)]));
		const { document, model } = await buildOf(given, 'prune positions keep 8');
		assert.equal([document.proof?.ok, document.proof?.weak], [true, false]);
		assert.ok([...constantsOf(model.graph).values()].some(({ dims }) => dims.join() === `${rows},6`));
		assert.match(reasons(document).join(), `${32 - (rows - 8)} were possible before`);
	});
}

test('a table that distances or one constant row pick is no longer cut by a length', async () => {
	const distances = embedded('sequence', (b, ids) => {
		const places = b.node('Abs', [b.node('Sub', [counted(b, ids), b.ints([5], [])])]);
		return b.node('Gather', [b.weight([32, 6]), places]);
	});
	const { document } = await buildOf(distances, 'prune positions keep 8');
	assert.is(document.steps[0]!.selected, 0);
	assert.match(reasons(document).join(), 'cannot be told from the number of positions');
	const types = embedded('sequence', (b, ids) => {
		const zeros = b.node('ConstantOfShape', [b.node('Shape', [ids])]);
		return b.node('Gather', [b.weight([2, 6]), b.node('Cast', [zeros], { to: int64 })]);
	});
	const { document: bare } = await buildOf(types, 'prune positions');
	assert.is(bare.steps[0]!.selected, 1, 'one row is read');
});

test('the trained classifier loses half of its table', async () => {
	const { model, file } = loadModel(classifier.model);
	const { document } = await buildOf(model, 'prune positions keep 48');
	file.close();
	assert.is(document.model!.params - document.output!.params!, 48 * 64);
	assert.is(document.proof?.maxAbs, 0);
});

test.run();
