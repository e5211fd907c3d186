/** Every operator that axes can run through: one line a family. */
import { type Node } from '../graph/graph.ts';
import { type Operator } from './operator.ts';
import { convRows } from './rows-conv.ts';
import { elementwiseRows } from './rows-elementwise.ts';
import { attentionRows } from './rows-attention.ts';
import { recurrentRows } from './rows-recurrent.ts';
import { standardAttentionRows } from './rows-standard-attention.ts';
import { fusedRows } from './rows-fused.ts';
import { indexRows } from './rows-index.ts';
import { layoutRows } from './rows-layout.ts';
import { linear } from './rows-linear.ts';
import { pinnedRows } from './rows-pinned.ts';
import { poolRows } from './rows-pool.ts';
import { quantizedRows } from './rows-quantized.ts';
import { normalizeRows } from './rows-normalize.ts';
import { reduceRows } from './rows-reduce.ts';
import { repeatRows } from './rows-repeat.ts';
import { shapeRows } from './rows-shape.ts';
import { specialRows } from './rows-special.ts';
import { sliceRows } from './rows-slice.ts';
import { reshapeRows } from './rows-reshape.ts';

export const operators: readonly Operator[] = [
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
	...indexRows,
	...shapeRows,
	...attentionRows,
	...standardAttentionRows,
	...recurrentRows,
	...fusedRows,
	...specialRows,
	...pinnedRows,
];

const key = (domain: string, op: string): string => `${domain}:${op}`;
const byName = new Map(operators.flatMap((entry) => entry.ops.map((op) => [key(entry.domain, op), entry])));

/** The entry of a node's operator, or undefined: then it pins everything it touches, and is named. */
export function operatorOf(node: Pick<Node, 'domain' | 'op'>): Operator | undefined {
	return byName.get(key(node.domain === 'ai.onnx' ? '' : node.domain, node.op));
}
