/**
 * Residual sums inside a norm: onnxruntime's SkipLayerNormalization adds a branch to what it skips, puts out the norm of the sum, and
 * the sum itself as its fourth output. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
import { present } from '../../diagnostic.ts';
import { type Graph, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { attributeInt, insert } from '../edits.ts';
import { inPlaceOf } from './byte-values.ts';

/** The norm alone, by its operator with a sum. */
const alone: ReadonlyMap<string, string> = new Map([
	['SkipLayerNormalization', 'LayerNormalization'],
	['SkipSimplifiedLayerNormalization', 'SimplifiedLayerNormalization'],
]);

/**
 * The node whose sum a branch ends in, where the norm belongs to what comes behind: `to` is no norm's result, as in networks that
 * norm before their branches.
 */
export function sumInNorm({ nodes }: Graph, from: ValueName, to: ValueName): Node | undefined {
	const node = nodes.find(({ outputs }) => outputs.includes(from));
	if (node === undefined || !alone.has(node.op) || !node.inputs.slice(0, 2).includes(to)) return undefined;
	const skipped = nodes.find(({ outputs }) => outputs.includes(to));
	const isNormed = skipped === undefined || (skipped.op.includes('Norm') && skipped.outputs[0] === to);
	return from === node.outputs[3] || !isNormed ? node : undefined;
}

/** The norm of what was skipped, and nothing added to it. */
export function normAlone(node: Node, to: ValueName): Edit[] {
	const [norm = '', , , sum = ''] = node.outputs;
	const [, , scale = '', shift = ''] = node.inputs;
	const op = present(alone.get(node.op), 'a norm');
	const inputs = [to, scale, ...(op === 'LayerNormalization' && shift !== '' ? [shift] : [])];
	const attributes = new Map([...node.attributes, ...attributeInt('axis', -1)]);
	return [
		{ kind: 'node', node: { ...node, op, domain: '', inputs, outputs: [norm], attributes } },
		...(sum === '' ? [] : [{ kind: 'rewire', from: sum, to } as const]),
	];
}

/** The same node with zeros in place of the branch and of the bias that is added with it. */
export function branchMuted(
	node: Node,
	to: ValueName,
	zero: ValueName,
	fresh: (base: string) => ValueName,
): Edit[] {
	const branch = node.inputs[0] === to ? 1 : 0;
	const value = node.inputs[branch] ?? '';
	const muted = fresh(`${value}_muted`);
	const inputs = node.inputs.slice(0, 4).map((name, slot) => (slot === branch ? muted : name));
	return [insert('Mul', [value, zero], muted), { kind: 'node', node: { ...node, inputs } }];
}

/** Who reads `from` reads `to`. */
export type Bypass = { readonly from: ValueName; readonly to: ValueName };

/**
 * Readers of what branches put out read what went in, the last branch first; where a sum stands inside a norm, the norm of what went in.
 * Bytes go by what they stand for.
 */
export function bypassEdits(graph: Graph, bypasses: readonly Bypass[]): Edit[] {
	const fresh = freshNames(graph);
	return bypasses.flatMap(({ from, to }): Edit[] => {
		const norm = sumInNorm(graph, from, to);
		if (norm !== undefined) return normAlone(norm, to);
		const { name, edits } = inPlaceOf(graph, from, to, fresh);
		return [...edits, { kind: 'rewire', from, to: name }];
	});
}
