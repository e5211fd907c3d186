/** Shares of outputs that a place of a kernel reads something for, against a convolution over ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSession } from '../../src/backends/ort/session.ts';
import { buildNet } from '../../src/ir/axes/net.ts';
import { FLOAT } from '../../src/ir/graph/dtype.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { insideShares } from '../../src/passes/units/borders.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('borders');

type Attributes = Parameters<ReturnType<typeof modelBuilder>['node']>[2];

/** One output for each place of the kernel, which reads that place alone; their means over an input of ones. */
async function shares(
	kernel: readonly [number, number],
	attributes: Attributes,
): Promise<{ readonly told: number[]; readonly seen: number[] }> {
	const b = modelBuilder();
	const places = kernel[0] * kernel[1];
	const eye = Array.from({ length: places ** 2 }, (_, at) => (at % (places + 1) === 0 ? 1 : 0));
	const x = b.input('x', [1, 1, 7, 10]);
	const y = b.node('Conv', [x, b.floats(eye, [places, 1, ...kernel])], attributes);
	b.output(y, [1, places, 'h', 'w']);
	const model = b.build();
	const session = await openSession(model, { which: 'test' });
	const feeds = new Map([['x', { type: FLOAT, dims: [1, 1, 7, 10], data: new Float32Array(70).fill(1) }]]);
	const { data } = (await session.run(feeds)).get(y)!;
	await session.release();
	const size = data.length / places;
	const seen = Array.from({ length: places }, (_, place) =>
		Array.from(data)
			.slice(place * size, (place + 1) * size)
			.reduce((sum, one) => sum + one / size, 0),
	);
	const net = buildNet(model, inferFacts(model));
	return { told: [...insideShares(net.nodes[0]!, places)], seen };
}

const rounded = (values: readonly number[]): number[] => values.map((value) => Number(value.toFixed(5)));

test('a place counts as often as it lies inside', async () => {
	const cases: readonly (readonly [readonly [number, number], Attributes])[] = [
		[[3, 3], { pads: [1, 1, 1, 1] }],
		[[3, 5], { pads: [0, 2, 1, 3], strides: [2, 1] }],
		[[3, 3], { pads: [2, 2, 2, 2], dilations: [2, 2] }],
		[[2, 3], { auto_pad: 'SAME_UPPER', strides: [2, 2] }],
		[[2, 2], { auto_pad: 'SAME_LOWER' }],
		[[3, 3], {}],
	];
	for (const [kernel, attributes] of cases) {
		const { told, seen } = await shares(kernel, attributes);
		assert.equal(rounded(told), rounded(seen), JSON.stringify(attributes));
	}
});

test.run();
