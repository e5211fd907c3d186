/** Tables of embeddings, and heads, as products of two. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Model } from '../../src/ir/graph/graph.ts';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('factorize embeddings');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

/** A table of 40 rows of 12 and what becomes of them. */
function model(head: (b: Build, x: string, table: string) => string): Model {
	const b = modelBuilder();
	const table = b.weight([40, 12]);
	const x = b.node('Gather', [table, b.input('ids', ['batch', 'seq'], 7)]);
	const mixed = b.node('Tanh', [b.node('MatMul', [x, b.weight([12, 12])])]);
	b.output(head(b, mixed, table), ['batch', 'seq', null]);
	return b.build();
}
const forms: Readonly<Record<string, readonly [(b: Build, x: string, table: string) => string, number]>> = {
	'a table alone': [(b, x) => b.node('MatMul', [x, b.weight([12, 6])]), 1],
	'a head tied by a Transpose': [
		(b, x, table) => b.node('MatMul', [x, b.node('Transpose', [table], { perm: [1, 0] })]),
		2,
	],
	'a head tied by Gemm': [
		(b, x, table) =>
			b.node('Gemm', [b.node('Reshape', [x, b.ints([-1, 12])]), table, b.weight([40])], { transB: 1 }),
		2,
	],
};

for (const [name, [head, added]] of Object.entries(forms))
	test(`${name} becomes a narrow table and a product, certified and proven`, async () => {
		const given = model(head);
		const {
			document,
			model: made,
			same,
		} = await buildOf(given, 'factorize embeddings rank 4', { again: true });
		const [step] = document.steps;
		assert.equal([step!.selected, step!.params[0] - step!.params[1]], [1, 40 * 12 - 4 * 52]);
		assert.equal(
			step!.certificates!.map(({ says }) => says),
			['variance of rows', 'rows as stored'],
		);
		assert.ok(document.proof!.ok && !document.proof!.weak && same);
		assert.is(operators(made)['MatMul']! - operators(given)['MatMul']!, added);
	});

test('a table that is looked up in a fused operator stays, with the reason', async () => {
	const b = modelBuilder();
	const ids = b.input('ids', ['batch', 'seq'], 6);
	const [words, rows] = [b.weight([40, 12]), b.weight([64, 12])];
	const inputs = [ids, '', words, rows, '', b.positive(12), b.weight([12])];
	const x = b.node('EmbedLayerNormalization', inputs, {}, 'com.microsoft', 2);
	b.output(b.node('MatMul', [x, b.weight([12, 6])]), ['batch', 'seq', 6]);
	const { document } = await buildOf(b.build(), 'factorize embeddings rank 4');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [0, 1]);
	const said = /EmbedLayerNormalization .* sums and normalizes what it looks up/;
	assert.ok(reasons(document).some((text) => said.test(text)));
});

test('a table that something else reads stays, with the reason; a rank that saves nothing is refused', async () => {
	const summed = model((b, x, table) =>
		b.node('Add', [b.node('ReduceSum', [x, b.ints([-1])]), b.node('ReduceSum', [table])]),
	);
	const { document } = await buildOf(summed, 'factorize embeddings rank 4');
	assert.match(reasons(document).join(), /the table 'w0' cannot be pruned: ReduceSum '.*' reads it too/);
	const whole = await buildOf(model(forms['a table alone']![0]), 'factorize embeddings rank 10');
	assert.match(reasons(whole.document).join(), /rank 10 saves nothing for w0/);
});

test('on trained models: tables weighted by the ids of the data, tied heads, and heads by what they read', async () => {
	const out = folder.at('out.onnx');
	const rows = 'calibrate with "rows" take 16';
	const data = classifier.calibration;
	const table = await proven(`${rows}; factorize embeddings rank 32`, { model: classifier.model, out, data });
	assert.ok(table.drift!.cosine > 0.95, String(table.drift!.cosine));
	const tied = await proven('factorize embeddings rank 24', { model: lm.model, out });
	assert.ok(tied.output!.params! < tied.model!.params);
	const head = await proven(`${rows}; factorize head rank 6`, { model: classifier.model, out, data });
	assert.equal([head.steps[0]!.selected, head.steps[0]!.certificates!.length], [1, 1]);
});

test.run();
