/** Graphs whose attentions ignore their input: what a decision of `prune softmax with mean` or `with constant` says, and the plain graph. */
import { present } from '../../diagnostic.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { ints, tensorOf } from '../../ir/graph/tensor.ts';
import { type Net } from '../../ir/axes/net.ts';
import { nodeAt, shiftEdits, shiftsBehind, type Changing } from './attention-changes.ts';
import { type Fresh } from '../exact/bias.ts';
import { insert } from '../edits.ts';
import { type Lowered, type LowerTask } from '../technique.ts';

export type Still = Changing & {
	/** The product of queries and keys. */
	readonly scores: number;
	/** Whether all positions see the same, so that one row of weights is enough; else each has its own. */
	readonly oneRow: boolean;
	/** Whether a mask stands before the softmax. */
	readonly masked: boolean;
	/** Name in the plan's tensors of the weights [1, heads, length, length]; absent for the mean. */
	readonly weights?: string;
};
export type Stills = { readonly still: readonly Still[] };

/** Zeros for scores, and one row of weights spread over all positions; or weights that are constants. */
export function editsFor(net: Net, still: readonly Still[], tensors: ReadonlyMap<string, Tensor>): Edit[] {
	const fresh = freshNames(net.model.graph);
	return still.flatMap((one): Edit[] => [
		...stillEdits(net, one, tensors, fresh),
		...shiftEdits(net, one, tensors, fresh),
	]);
}

function stillEdits(net: Net, one: Still, tensors: ReadonlyMap<string, Tensor>, fresh: Fresh): Edit[] {
	const [scores, values] = [nodeAt(net, one.scores).node, nodeAt(net, one.values).node];
	const [weights = '', value = ''] = values.inputs;
	if (one.weights !== undefined) {
		const name = fresh(`${weights}_constant`);
		const tensor = { ...present(tensors.get(one.weights), one.weights), name };
		return [
			{ kind: 'constant', tensor },
			{ kind: 'node', node: { ...values, inputs: [name, value] } },
		];
	}
	const [context = ''] = values.outputs;
	const [row, shape] = [fresh(`${context}_row`), fresh(`${context}_shape`)];
	const spread = [insert('Shape', [value], shape), insert('Expand', [row, shape], context)];
	if (!one.masked) return [...meanOver(net.model, values, row, fresh), ...spread];
	const type = net.facts.of(scores.outputs[0] ?? '')?.type ?? FLOAT;
	const none = fresh(`${scores.outputs[0] ?? ''}_none`);
	const edits: Edit[] = [
		{ kind: 'constant', tensor: tensorOf(none, type, [1, 1, 1, 1], [0]) },
		{ kind: 'rewire', from: scores.outputs[0] ?? '', to: none },
	];
	const product: Edit = { kind: 'node', node: { ...values, outputs: [row] } };
	return one.oneRow ? [...edits, product, ...spread] : edits;
}

/** The mean over positions in the place of a product with the values; its axes are an input from opset 18 on. */
function meanOver({ opsets }: Model, values: Node, row: ValueName, fresh: Fresh): Edit[] {
	const [, value = ''] = values.inputs;
	const mean = { ...values, op: 'ReduceMean', domain: '', outputs: [row] };
	if ((opsets.get('') ?? 1) < 18) {
		const attributes = new Map([['axes', { kind: 'ints' as const, value: [2] }]]);
		return [{ kind: 'node', node: { ...mean, inputs: [value], attributes } }];
	}
	const axes = fresh(`${row}_axes`);
	return [
		{ kind: 'constant', tensor: ints(axes, [1], [2]) },
		{ kind: 'node', node: { ...mean, inputs: [value, axes], attributes: new Map() } },
	];
}

/**
 * Rewrite: no queries and keys. Reference: 0 · scores before masks and softmax, or 0 · weights + the constants; what the bias takes up is
 * added behind the projection. Controls: nothing taken up, and the model before.
 */
export function lowerStill({ net, decision: { still }, tensors, label }: LowerTask<Stills>): Lowered {
	const { model } = net;
	const fresh = freshNames(model.graph);
	const plain = still.flatMap((one): Edit[] => [
		...muted(net, one, tensors, fresh),
		...shiftsBehind(net, one, tensors, fresh),
	]);
	const reference = applyPatch(model, { label: 'reference', edits: plain });
	const bare = still.map(({ shift: _, ...one }) => one);
	const control = (): Model =>
		applyPatch(model, { label: 'nothing taken up', edits: editsFor(net, bare, tensors) });
	return {
		patch: { label, edits: editsFor(net, still, tensors) },
		claims: [
			{ says: 'attentions whose scores are multiplied by zero', reference, controls: [control, () => model] },
		],
	};
}

function muted(net: Net, one: Still, tensors: ReadonlyMap<string, Tensor>, fresh: Fresh): Edit[] {
	const [scores, values] = [nodeAt(net, one.scores).node, nodeAt(net, one.values).node];
	const of = one.weights === undefined ? (scores.outputs[0] ?? '') : (values.inputs[0] ?? '');
	const [zero, none] = [fresh('zero'), fresh(`${of}_muted`)];
	const type = net.facts.of(of)?.type ?? FLOAT;
	const edits: Edit[] = [{ kind: 'constant', tensor: tensorOf(zero, type, [], [0]) }];
	if (one.weights === undefined) {
		const raw = fresh(`${of}_raw`);
		return [...edits, { kind: 'node', node: { ...scores, outputs: [raw] } }, insert('Mul', [raw, zero], of)];
	}
	const [name, sum] = [fresh(`${of}_constant`), fresh(`${of}_sum`)];
	const tensor = { ...present(tensors.get(one.weights), one.weights), name };
	const node = { ...values, inputs: [sum, values.inputs[1] ?? ''] };
	return [
		...edits,
		{ kind: 'constant', tensor },
		insert('Mul', [of, zero], none),
		insert('Add', [none, name], sum),
		{ kind: 'node', node },
	];
}
