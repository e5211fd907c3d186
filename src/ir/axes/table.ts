/** Every operator that axes can run through: one line a family. */
import { type Node } from '../graph/graph.ts';
import { linear } from './rows-linear.ts';
import { type Operator } from './operator.ts';

export const operators: readonly Operator[] = [...linear];

const key = (domain: string, op: string): string => `${domain}:${op}`;
const byName = new Map(operators.flatMap((entry) => entry.ops.map((op) => [key(entry.domain, op), entry])));

/** The entry of a node's operator, or undefined: then it pins everything it touches, and is named. */
export function operatorOf(node: Pick<Node, 'domain' | 'op'>): Operator | undefined {
	return byName.get(key(node.domain === 'ai.onnx' ? '' : node.domain, node.op));
}
