/** Rotary pairs that hardly turn are no longer turned. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { constantsOf } from '../../src/ir/graph/constants.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { buildOf, operators, reasons, type Built } from '../harness/exact.ts';
import { groupedQueries, network } from '../harness/rotary.ts';

const test = suite('prune positions where frequency');

/** Numbers of the constant that the first node of an operator reads. */
function read(model: Model, op: string, slot: number): readonly number[] {
	const node = model.graph.nodes.find((one) => one.op === op)!;
	return [...numbersOf(constantsOf(model.graph).get(node.inputs[slot]!)!)];
}

function isProven({ document }: Built, selected: number, of: number): void {
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [selected, of]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
}

test('slow pairs are cut out of a rotation in single operators and pass beside the others, the same from the plan file', async () => {
	const built = await buildOf(network([{}, {}]), 'prune positions where frequency * 3 < 0.4', {
		again: true,
	});
	isProven(built, 2, 4);
	assert.is(built.same, true);
	assert.match(built.document.steps[0]!.unit, /they pass beside the others/);
	// Of width 8 two pairs turn: four products of two numbers for two of eight. The model makes cosines and sines for each rotation.
	const before = operators(network([{}, {}]));
	const after = operators(built.model);
	assert.equal([before['Neg'], after['Neg'], after['Sub']], [4, undefined, 4]);
	assert.equal([before['Split'], after['Split']], [4, 12]);
});

test('when all pairs go nothing is turned at all', async () => {
	const built = await buildOf(network([{}]), 'prune positions where frequency < 2');
	isProven(built, 4, 4);
	assert.equal([operators(built.model)['Cos'], operators(built.model)['Neg']], [undefined, undefined]);
});

test('fast pairs that go leave the others turning by angles of their own: the frequencies become zero', async () => {
	const built = await buildOf(network([{}, {}]), 'prune positions where frequency > 0.5');
	isProven(built, 1, 4);
	assert.match(built.document.steps[0]!.unit, /shapes and time stay/);
	const angles = built.model.graph.nodes.find(({ op }) => op === 'Cos')!.inputs[0]!;
	const product = built.model.graph.nodes.find(({ outputs }) => outputs[0] === angles)!;
	const stored = numbersOf(constantsOf(built.model.graph).get(product.inputs[1]!)!);
	assert.equal(
		[...stored].map((value) => Number(value.toFixed(3))),
		[0, 0.3, 0.1, 0.03, 0, 0.3, 0.1, 0.03],
	);
});

test("tables of onnxruntime's rotation have cosines of one and sines of zero for slow pairs", async () => {
	const built = await buildOf(
		network([{ fused: true }]),
		'prune positions where frequency < 0.05 and index >= 1',
	);
	// Speeds are 1, 0.316, 0.1 and 0.0316; queries and keys have tables of their own.
	isProven(built, 2, 8);
	const [cosines, sines] = [2, 3].map((slot) => read(built.model, 'RotaryEmbedding', slot));
	const column = (table: readonly number[], at: number): number[] => table.filter((_, one) => one % 4 === at);
	assert.equal(new Set(column(cosines!, 3)), new Set([1]));
	assert.equal(new Set(column(sines!, 3)), new Set([0]));
	assert.ok(column(sines!, 2).some((value) => value > 0.5));
});

test('a grouped attention takes new tables, scaled ones keep their radius', async () => {
	const model = groupedQueries((f, at) => 1.5 * f(Math.floor(at / 8) * 2 ** -(at % 8)));
	const built = await buildOf(model, 'prune positions where frequency < 0.2');
	isProven(built, 5, 8);
	assert.equal(
		read(built.model, 'GroupQueryAttention', 7)
			.slice(8, 16)
			.map((value) => Number(value.toFixed(3))),
		[1, 2, 4].map((by) => Number((1.5 * Math.cos(1 / by)).toFixed(3))).concat([1.5, 1.5, 1.5, 1.5, 1.5]),
	);
});

test('angles that layers outside the scope read stay, with who reads them', async () => {
	const { document } = await buildOf(
		network([{}, {}]),
		'prune positions where frequency < 0.2 in layers [1]',
	);
	assert.is(document.steps[0]!.selected, 0);
	assert.match(reasons(document).join(), /reads its angles too/);
});

test('a condition that no pair meets, fields that pairs do not have, and `with none` beside it are told', async () => {
	const none = await buildOf(network([{}]), 'prune positions where frequency < 0.001');
	assert.match(
		reasons(none.document).join(),
		/no rotary pair meets the condition; the slowest has frequency 0\.03/,
	);
	const failing = (recipe: string): Promise<string> => buildOf(network([{}]), recipe).then(() => '', String);
	assert.match(await failing('prune positions where importance < 0.1'), /check\/unknown-field/);
	assert.match(
		await failing('prune positions where frequency < 0.1 with none'),
		/a condition beside `with none`/,
	);
});

test.run();
