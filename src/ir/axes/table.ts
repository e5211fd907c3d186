/** Every operator that axes can run through: one line a family. */
import { type Node } from '../graph/graph.ts';
import { type Operator } from './operator.ts';
import { convRows } from './rows-conv.ts';
import { elementwiseRows } from './rows-elementwise.ts';
import { attentionRows } from './rows-attention.ts';
import { qlinearRows } from './rows-qlinear.ts';
import { recurrentRows } from './rows-recurrent.ts';
import { standardAttentionRows } from './rows-standard-attention.ts';
import { flowRows } from './rows-flow.ts';
import { fusedRows } from './rows-fused.ts';
import { gatherRows } from './rows-gather.ts';
import { indexRows } from './rows-index.ts';
import { layoutRows } from './rows-layout.ts';
import { linear } from './rows-linear.ts';
import { pinnedRows } from './rows-pinned.ts';
import { packedRows } from './rows-packed.ts';
import { poolRows } from './rows-pool.ts';
import { quantizedRows } from './rows-quantized.ts';
import { mixtureRows } from './rows-mixture.ts';
import { normalizeRows } from './rows-normalize.ts';
import { reduceRows } from './rows-reduce.ts';
import { repeatRows } from './rows-repeat.ts';
import { shapeRows } from './rows-shape.ts';
import { specialRows } from './rows-special.ts';
import { sliceRows } from './rows-slice.ts';
import { reshapeRows } from './rows-reshape.ts';

/** The standard's operators and onnxruntime's. */
const standard: readonly Operator[] = [
	...linear,
	...elementwiseRows,
	...convRows,
	...poolRows,
	...quantizedRows,
	...normalizeRows,
	...reduceRows,
	...reshapeRows,
	...layoutRows,
	...repeatRows,
	...sliceRows,
	...gatherRows,
	...indexRows,
	...shapeRows,
	...attentionRows,
	...standardAttentionRows,
	...packedRows,
	...recurrentRows,
	...fusedRows,
	...specialRows,
	...qlinearRows,
	...mixtureRows,
	...pinnedRows,
];

/** Operators that onnxruntime had before the standard did, and how many examples, from the first on, its older form takes. */
const adopted: Readonly<Record<string, number>> = {
	...{ GatherND: 1, GridSample: 1, Pad: 1, Range: 2, Trilu: 1, Unique: 0 },
};

export const operators: readonly Operator[] = [
	...standard,
	...standard.flatMap((entry) => {
		const count = entry.domain === '' ? adopted[entry.ops[0] ?? ''] : undefined;
		if (count === undefined) return [];
		return [{ ...entry, domain: 'com.microsoft', examples: entry.examples.slice(0, count) }];
	}),
];

const byDomain = new Map<string, Map<string, Operator>>();
for (const entry of [...operators, ...flowRows]) {
	const names = byDomain.get(entry.domain) ?? new Map<string, Operator>();
	byDomain.set(entry.domain, names);
	for (const op of entry.ops) names.set(op, entry);
}

/** The entry of a node's operator, or undefined: then it pins everything it touches, and is named. */
export function operatorOf(node: Pick<Node, 'domain' | 'op'>): Operator | undefined {
	return byDomain.get(node.domain === 'ai.onnx' ? '' : node.domain)?.get(node.op);
}
