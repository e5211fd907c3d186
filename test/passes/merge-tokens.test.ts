/** Tokens that become one: the means, who joins whom, and all rows back. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { present } from '../../src/diagnostic.ts';
import { buildOf } from '../harness/exact.ts';
import {
	chosenBy,
	classes,
	d,
	encoderOf,
	feeds,
	first,
	longest,
	pooled,
	proves,
	real,
	rows,
	valueOf,
	type Options,
} from '../harness/tokens.ts';

const test = suite('merge tokens');

test('tokens that are alike become one, that counts in attention as often, and all their rows come back', async () => {
	const rowed: Options['head'] = (b, x) => classes(b, x);
	await proves(encoderOf({ head: rowed }), 'merge tokens 30% after layer 0');
	await proves(encoderOf({ head: pooled, ids: true }), 'merge tokens 2 after layer 0 by states except "#3"');
	const twice = await buildOf(
		encoderOf({ head: first, layers: 3 }),
		'merge tokens keep [80%, 60%] after layers [0, 1]',
	);
	assert.ok(twice.document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
});

test('a merged token is the mean of what is in it, and every one joins the most similar of odd position', async () => {
	const before = encoderOf({ head: first });
	const { model, kept } = await chosenBy(before, 'merge tokens 3 after layer 0 by states');
	const stage = present(
		model.graph.nodes.find(
			({ op, inputs: [shares, x] }) =>
				op === 'MatMul' && shares?.startsWith('tokens_') === true && x?.startsWith('tokens_') === false,
		),
		'averages',
	);
	const [shares = '', states = ''] = stage.inputs;
	const [x, means] = [
		await valueOf(model, states, 1, feeds),
		await valueOf(model, stage.outputs[0] ?? '', 1, feeds),
	];
	assert.ok(shares !== '');
	const at = (row: number, token: number): number[] =>
		x.slice((row * longest + token) * d, (row * longest + token + 1) * d);
	const cosine = (a: number[], b: number[]): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
	for (let row = 0; row < rows; row++) {
		const isReal = (token: number): boolean => real[row * longest + token] === 1;
		const odd = Array.from({ length: longest }, (_, token) => token).filter(
			(one) => one % 2 === 1 && isReal(one),
		);
		const members = new Map<number, number[]>();
		const stays = present(kept[0]?.[row], 'kept');
		for (let token = 0; token < longest; token++) {
			if (stays.includes(token)) members.set(token, [...(members.get(token) ?? []), token]);
			else if (isReal(token)) {
				const best =
					odd.toSorted(
						(a, b) => cosine(at(row, token), at(row, b)) - cosine(at(row, token), at(row, a)),
					)[0] ?? 0;
				members.set(best, [...(members.get(best) ?? []), token]);
			}
		}
		for (const [place, token] of stays.entries()) {
			const own = present(members.get(token), 'members');
			const expected = Array.from(
				{ length: d },
				(_, axis) => own.reduce((sum, one) => sum + (at(row, one)[axis] ?? 0), 0) / own.length,
			);
			const found = means.slice((row * stays.length + place) * d, (row * stays.length + place + 1) * d);
			// Sums of a few float32 numbers of about 1.
			assert.ok(
				expected.every((value, axis) => Math.abs(value - (found[axis] ?? NaN)) < 1e-5),
				`${row} ${token}`,
			);
		}
	}
});

const dot = (a: readonly number[], b: readonly number[]): number =>
	a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

test('one token can carry what left', async () => {
	await proves(encoderOf({ head: pooled }), 'prune tokens keep 40% after layer 0 with fused');
});

test.run();
