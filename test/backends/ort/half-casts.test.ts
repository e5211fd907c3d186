/** Half precision that is cast to itself, as converters of whole models leave it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FLOAT16 } from '../../../src/ir/graph/dtype.ts';
import { buildOf } from '../../harness/exact.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('casts of half precision to itself');

test('such a model is pruned and proven', async () => {
	const b = modelBuilder();
	const half = (value: string): string => b.node('Cast', [value], { to: FLOAT16 });
	const hidden = b.node('MatMul', [half(b.input('x', ['batch', 4])), half(b.weight([4, 8]))]);
	// The inner of the two casts is none.
	const again = half(b.node('Relu', [hidden]));
	const scores = b.node('MatMul', [again, half(b.weight([8, 3]))]);
	b.output(b.node('Cast', [scores], { to: 1 }), ['batch', 3]);
	const { document } = await buildOf(b.build(), 'prune channels 2');
	assert.equal([document.proof?.ok, document.proof?.weak], [true, false]);
});

test.run();
