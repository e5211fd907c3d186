/** Times at typical sizes, or at the longest that a model takes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { timeModels } from '../../../src/backends/ort/latency.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { INT64 } from '../../../src/ir/graph/dtype.ts';
import { Fault } from '../../../src/diagnostic.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('latency');

/** A row of a table of `rows` positions for each of the `x [batch, seq, 4]`. */
function withPositions(rows: number): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 4]);
	const length = b.node('Gather', [b.node('Shape', [x]), b.ints([1], [])]);
	const one = (value: number): string => b.constant({ type: INT64, dims: [], data: [value] });
	const positions = b.node('Range', [one(0), length, one(1)]);
	b.output(b.node('Add', [x, b.node('Gather', [b.weight([rows, 4]), positions])]), ['batch', 'seq', 4]);
	return b.build();
}

test('a model whose table of positions is shorter than a typical input is timed on shorter ones', async () => {
	const [times] = await timeModels([withPositions(40)], new Map(), 1, 3);
	assert.is(times!.runs, 3);
	assert.ok(times!.medianMs > 0);
});

test('short runs are taken as often as a given time allows, within bounds', async () => {
	const [often] = await timeModels([withPositions(40)], new Map(), 1, 3, 1e9);
	const [seldom] = await timeModels([withPositions(40)], new Map(), 1, 3, 1e-9);
	assert.equal([often!.runs, seldom!.runs], [400, 3]);
});

test('sizes that are given are kept, whether or not they run', async () => {
	const sizes = new Map([['x', [1, 64, 4]]]);
	try {
		await timeModels([withPositions(40)], sizes, 1, 3);
		assert.unreachable();
	} catch (problem) {
		assert.instance(problem, Fault);
	}
});

test.run();
