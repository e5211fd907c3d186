/** What statements that change whole attentions have in common: which of them change least, and what their output projections take up. */
import { bug, Fault, present } from '../../diagnostic.ts';
import { isActivationProduct, linearOf, type Linear } from '../../ir/anatomy/parts.ts';
import { residualAfter } from '../../ir/anatomy/layers.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { type Lab } from '../../ir/lab.ts';
import { countToRemove } from '../../ir/recipe/amounts.ts';
import { needsData } from '../../messages/plan.ts';
import { addBehind, addToBias, type Fresh } from '../exact/bias.ts';
import { type PlanRequest } from '../technique.ts';

/** One attention that changes. */
export type Changing = {
	/** The product with the values. */
	readonly values: number;
	/** The output projection, and what its bias takes up; absent where there is none or nothing was measured. */
	readonly shift?: { readonly node: number; readonly tensor: string };
};

/** What a decision about some attentions does to the graph. */
export type EditsOf<One> = (some: readonly One[]) => readonly Edit[];

export const nodeAt = (net: Net, id: number): NetNode =>
	net.byNode.get(id) ?? bug('a plan names a node that is not there', { id });

/** All, or with an amount those after whose change, each alone, the outputs drift least. */
export async function chooseAttentions<One>(
	all: readonly One[],
	editsOf: EditsOf<One>,
	{ step, net, lab }: PlanRequest,
): Promise<readonly One[]> {
	if (step.amount === undefined) return all;
	if (lab?.calibrated !== true)
		throw new Fault(needsData({ metric: 'drift', fitted: true }, { span: step.spans.amount ?? step.span }));
	const harm: number[] = [];
	for (const one of all) {
		const changed = applyPatch(net.model, { label: 'tried', edits: editsOf([one]) });
		const { kl, relativeL2 } = await lab.drift(net.model, changed);
		harm.push(kl ?? relativeL2);
	}
	const { remove } = countToRemove(step.amount, all.length, { align: 1, min: 0 });
	const order = harm.map((_, at) => at).sort((a, b) => (harm[a] ?? 0) - (harm[b] ?? 0) || a - b);
	const gone = new Set(order.slice(0, remove));
	return all.filter((_, at) => gone.has(at));
}

/** With what the output projection puts out less in the mean, for its bias. */
export async function compensated<One extends Changing>(
	one: One,
	editsOf: EditsOf<One>,
	{ net, lab }: PlanRequest,
	tensors: Map<string, Tensor>,
): Promise<One> {
	const product = outputProjection(nodeAt(net, one.values));
	const output = product?.node.outputs[0];
	if (lab?.calibrated !== true || product === undefined || output === undefined) return one;
	const axis = output.sizes.length - 1;
	const meanIn = async (model: Model): Promise<Float64Array> => meanAt(lab, model, output.name, axis);
	const before = await meanIn(net.model);
	const after = await meanIn(applyPatch(net.model, { label: 'tried', edits: editsOf([one]) }));
	const tensor = `${output.name}.shift`;
	tensors.set(
		tensor,
		tensorOf(
			tensor,
			product.weight.constant?.type ?? FLOAT,
			[before.length],
			before.map((mean, at) => mean - (after[at] ?? 0)),
		),
	);
	return { ...one, shift: { node: product.node.node.id, tensor } };
}

async function meanAt(lab: Lab, model: Model, value: ValueName, axis: number): Promise<Float64Array> {
	const [moments] = await lab.moments(model, [{ value, axis }]);
	const { sum, count } = present(moments, 'moments');
	return sum.map((one) => one / Math.max(1, count));
}

/** The first matrix behind the product with the values, on the way to the residual sum. */
export function outputProjection(start: NetNode): Linear | undefined {
	if (residualAfter(start) === undefined) return undefined;
	let value = start.outputs[0];
	for (let steps = 0; steps < 6 && value?.consumers.length === 1; steps++) {
		const [next] = value.consumers;
		const linear = next && linearOf(next);
		if (linear !== undefined) return linear;
		value = next?.outputs[0];
	}
	return undefined;
}

/** Operators that hand weights on as they are, but for their type. */
const handing: ReadonlySet<string> = new Set(['Cast', 'Identity', 'Dropout']);

/** Whether somebody multiplies values with what a softmax puts out. */
export function weighsValues({ outputs: [output] }: NetNode): boolean {
	return (output?.consumers ?? []).some(
		(one) => isActivationProduct(one) || (handing.has(one.node.op) && weighsValues(one)),
	);
}

/** The product with the values that alone reads a softmax; or who else does. */
export function soleProduct({ outputs: [output] }: NetNode): NetNode | string {
	const [reader, ...others] = output?.consumers ?? [];
	const isAlone = others.length === 0 && output?.io.length === 0 && reader?.inputs[0] === output;
	if (reader !== undefined && isAlone && handing.has(reader.node.op)) return soleProduct(reader);
	return reader === undefined || !isAlone || !isActivationProduct(reader)
		? 'more than the product with the values reads its weights'
		: reader;
}

type Shifts = (net: Net, changing: Changing, tensors: ReadonlyMap<string, Tensor>, fresh: Fresh) => Edit[];

/** What an output projection takes up, added to it in one way or another. */
const shiftsBy =
	(add: typeof addToBias): Shifts =>
	(net, { shift }, tensors, fresh) => {
		if (shift === undefined) return [];
		const { node, edits } = add(
			nodeAt(net, shift.node),
			present(tensors.get(shift.tensor), shift.tensor),
			fresh,
		);
		return [{ kind: 'node', node }, ...edits];
	};

/** In its bias. */
export const shiftEdits = shiftsBy(addToBias);

/** Behind it. */
export const shiftsBehind = shiftsBy(({ node }, shift, fresh) => addBehind(node, shift, fresh));
