/** Loops of a known number of turns, and the sequences that they build. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BOOL, INT64 } from '../../src/ir/graph/dtype.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { loop, splitInLoop } from '../harness/loops.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('unroll loops');

test('puts the turns in the place of a loop, and values in that of the sequence that holds them', async () => {
	const { document, model, same } = await buildOf(splitInLoop(), 'unroll loops; prune channels 50%', {
		again: true,
	});
	assert.equal(
		document.steps.map(({ selected, of, proof }) => [selected, of, proof?.ok, proof?.weak]),
		[
			[4, 4, true, false],
			[16, 37, true, false],
		],
	);
	const { Loop, SequenceAt, SequenceInsert, Slice } = operators(model);
	assert.equal([Loop, SequenceAt, SequenceInsert, Slice, same], [undefined, undefined, undefined, 3, true]);
});

test('is what a model is told to try where sizes are lost behind a sequence', async () => {
	const b = modelBuilder();
	const x = b.node('MatMul', [b.input('x', ['batch', 6]), b.weight([6, 32])]);
	const list = b.node('SequenceInsert', [b.node('SequenceEmpty', []), b.node('Relu', [x])]);
	const taken = b.node('Neg', [b.node('SequenceAt', [list, b.ints([0], [])])]);
	b.output(b.node('MatMul', [b.node('Add', [x, taken]), b.weight([32, 5])]));
	const stays = await buildOf(b.build(), 'prune channels 50%');
	assert.match(
		reasons(stays.document).join(' '),
		/sizes at Add 'Add_\d+' cannot be told, from SequenceAt 'SequenceAt_\d+' on \(`unroll loops` may help\)/,
	);
	const { document } = await buildOf(b.build(), 'unroll loops; prune channels 50%');
	assert.equal(
		document.steps.map(({ selected, proof }) => [selected, proof?.ok, proof?.weak]),
		[
			[1, true, false],
			[16, true, false],
		],
	);
});

test('hands states on from turn to turn', async () => {
	const b = modelBuilder();
	const yes = b.constant({ type: BOOL, dims: [], data: [1] });
	const start = b.node('MatMul', [b.input('x', ['batch', 6]), b.weight([6, 8])]);
	const weight = b.weight([8, 8]);
	const end = loop(b, b.ints([3], []), [[start, 1, ['batch', 8]]], (inner, turn, [state = '']) => {
		const shift = inner.node('Cast', [turn], { to: 1 });
		const next = inner.node('Tanh', [inner.node('Add', [inner.node('MatMul', [state, weight]), shift])]);
		return [inner.node('Identity', [yes]), next];
	});
	b.output(b.node('MatMul', [end, b.weight([8, 3])]), ['batch', 3]);
	const { document, model } = await buildOf(b.build(), 'unroll loops');
	assert.equal([document.steps[0]!.selected, document.proof?.ok, document.proof?.weak], [1, true, false]);
	assert.is(operators(model)['Tanh'], 3);
});

test('makes a sequence of what turns have built where somebody goes on reading it', async () => {
	const b = modelBuilder();
	const yes = b.constant({ type: BOOL, dims: [], data: [1] });
	const x = b.node('MatMul', [b.input('x', ['batch', 6]), b.weight([6, 32])]);
	const built = loop(b, b.ints([3], []), [[b.node('SequenceEmpty', []), 0]], (inner, _, [sequence = '']) => [
		inner.node('Identity', [yes]),
		inner.node('SequenceInsert', [sequence, x]),
	]);
	const joined = b.node('ConcatFromSequence', [built], { axis: 1 });
	b.output(b.node('MatMul', [joined, b.weight([96, 3])]), ['batch', 3]);
	const { document, model } = await buildOf(b.build(), 'unroll loops');
	assert.equal([document.steps[0]!.selected, document.proof?.ok, document.proof?.weak], [1, true, false]);
	const { Loop, SequenceConstruct, ConcatFromSequence } = operators(model);
	assert.equal([Loop, SequenceConstruct, ConcatFromSequence], [undefined, 1, 1]);
});

test('leaves a loop whose turns the input counts, and says so', async () => {
	const { document } = await buildOf(splitInLoop({ at: 'input' }), 'unroll loops');
	assert.is(document.steps[0]!.selected, 0);
	assert.match(reasons(document).join(' '), /how often it turns comes from the input/);
});

test('names what is taken out of sequences that nobody knows, in turns of an unrolled loop and by numbers of the input', async () => {
	const b = modelBuilder();
	const yes = b.constant({ type: BOOL, dims: [], data: [1] });
	const x = b.node('MatMul', [b.input('x', ['batch', 6]), b.weight([6, 8])]);
	const parts = b.node('SplitToSequence', [x, b.ints([4], [])], { axis: 1 });
	const sum = loop(b, b.ints([2], []), [[b.weight([1, 4]), 1, [1, 4]]], (inner, turn, [state = '']) => [
		inner.node('Identity', [yes]),
		inner.node('Add', [
			state,
			inner.node('ReduceMean', [inner.node('SequenceAt', [parts, turn])], { axes: [0] }),
		]),
	]);
	const list = b.node('SequenceConstruct', [x, b.node('Relu', [x])]);
	const chosen = b.node('SequenceAt', [list, b.input('which', [], INT64)]);
	b.output(sum, [1, 4]);
	b.output(chosen, ['batch', 8]);
	const { document } = await buildOf(b.build(), 'unroll loops');
	const [step] = document.steps;
	assert.equal([step!.selected, step!.of, step!.proof?.ok, step!.proof?.weak], [1, 3, true, false]);
	assert.match(
		reasons(document).join(' '),
		/SequenceAt '\S+' stays: what its sequence holds, made by SplitToSequence, is not known.* stays: which value it takes comes from the input/s,
	);
});

test.run();
