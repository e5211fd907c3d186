/** Rows that are added to all positions go into the table of positions. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Model } from '../../src/ir/graph/graph.ts';
import { ints } from '../../src/ir/graph/tensor.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune positions with sums');

/** Words, positions counted along the input, and what else is given, summed. */
function embedded(
	others: (b: Build, ids: string, sum: string) => string,
	positions = (b: Build): string => b.weight([32, 6]),
): Model {
	const b = modelBuilder();
	const ids = b.input('ids', ['batch', 'seq'], 7);
	const length = b.node('Gather', [b.node('Shape', [ids]), b.ints([1], [])]);
	const counted = b.node('Range', [b.ints([0], []), length, b.ints([1], [])]);
	const words = b.node('Gather', [b.weight([50, 6]), ids]);
	const sum = b.node('Add', [b.node('Gather', [positions(b), counted]), others(b, ids, words)]);
	b.output(b.node('MatMul', [sum, b.weight([6, 4])]), ['batch', 'seq', 4]);
	return b.build();
}

/** The row of the first type, for as many words as there are. */
const typed = (b: Build, ids: string, words: string): string => {
	const zeros = b.node('ConstantOfShape', [b.node('Shape', [ids])], {
		value: { kind: 'tensor', value: ints('', [1], [0]) },
	});
	return b.node('Add', [b.node('Add', [words, b.node('Gather', [b.weight([2, 6]), zeros])]), b.weight([6])]);
};

test('the row of the only token type and a bias go into the table', async () => {
	const { document, model, same } = await buildOf(embedded(typed), 'prune positions with sums', {
		again: true,
	});
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [1, 1]);
	assert.ok(document.proof!.ok && !document.proof!.weak && same === true);
	const { Add, Gather } = operators(model);
	assert.equal([Add, Gather], [1, 3], 'words, positions and the length are looked up');
});

test('a table that is asked for one row is no table of positions', async () => {
	const b = modelBuilder();
	const ids = b.input('ids', ['batch', 'seq'], 7);
	const words = b.node('Gather', [b.weight([50, 6]), ids]);
	b.output(b.node('MatMul', [typed(b, ids, words), b.weight([6, 4])]), ['batch', 'seq', 4]);
	const { document } = await buildOf(b.build(), 'prune positions with sums');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of, document.ok], [0, 0, true]);
});

test('what keeps a table as it is is said', async () => {
	const alone = await buildOf(
		embedded((_b, _ids, words) => words),
		'prune positions with sums',
	);
	assert.match(reasons(alone.document).join(), /nothing that is the same for all positions/);
	let table = '';
	const read = embedded(
		(b, _ids, words) =>
			b.node('Add', [
				b.node('Add', [words, b.weight([6])]),
				b.node('Slice', [table, b.ints([0]), b.ints([1]), b.ints([0])]),
			]),
		(b) => (table = b.weight([32, 6])),
	);
	assert.match(
		reasons((await buildOf(read, 'prune positions with sums')).document).join(),
		/Slice .* reads its table/,
	);
	const message = await buildOf(embedded(typed), 'prune positions keep 8 with sums').then(() => '', String);
	assert.match(message, /check\/unsupported-amount/);
});

test.run();
