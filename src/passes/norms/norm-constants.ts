/** Graphs with constants in the place of norms: what a decision of `prune norms with static` says, and the plain graph that means the same. */
import { present } from '../../diagnostic.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type Fresh } from '../exact/bias.ts';
import { refitEdits, type RefitDecision } from '../units/refit-edits.ts';
import { insert } from '../edits.ts';
import { blendEdits } from '../layers/blend-layers.ts';
import { type Lowered, type LowerTask } from '../technique.ts';

export type Static = {
	/** What the norm reads and what it puts out. */
	readonly input: ValueName;
	readonly output: ValueName;
	/** Products that read the input instead; none where constants stand in the norm's place. */
	readonly refits: readonly RefitDecision[];
	/** Names in the plan's tensors: scale, and the means of input and output by channel. */
	readonly affine?: { readonly scale: string; readonly from: string; readonly to: string };
};
export type Statics = { readonly statics: readonly Static[] };

/** Later norms first: one may read what another puts out. */
export function editsFor(
	model: Model,
	statics: readonly Static[],
	tensors: ReadonlyMap<string, Tensor>,
): Edit[] {
	const fresh = freshNames(model.graph);
	const refits = statics.flatMap((one) => one.refits);
	const put = statics.map((one) => standing(one, tensors, fresh, 'folded'));
	const rewires = statics.map(({ output }, at): Edit => ({
		kind: 'rewire',
		from: output,
		to: put[at]?.value ?? '',
	}));
	return [
		...refitEdits(model, refits, tensors, () => []),
		...put.flatMap(({ edits }) => edits),
		...rewires.reverse(),
	];
}

/** What stands in a norm's place: its input, or a scale and a shift; `plain` as scale · (x − from) + to. */
function standing(
	{ input, output, affine }: Static,
	tensors: ReadonlyMap<string, Tensor>,
	fresh: Fresh,
	how: 'folded' | 'plain',
): { readonly value: ValueName; readonly edits: readonly Edit[] } {
	if (affine === undefined) return { value: input, edits: [] };
	const edits: Edit[] = [];
	const constant = (part: string, tensor: Tensor): ValueName => {
		const name = fresh(`${output}_${part}`);
		edits.push({ kind: 'constant', tensor: { ...tensor, name } });
		return name;
	};
	const step = (op: string, value: ValueName, operand: ValueName): ValueName => {
		const result = fresh(`${output}_${op}`);
		edits.push(insert(op, [value, operand], result));
		return result;
	};
	const take = (name: string): Tensor => present(tensors.get(name), name);
	const [scale, from, to] = [take(affine.scale), take(affine.from), take(affine.to)];
	const start = how === 'plain' ? step('Sub', input, constant('from', from)) : input;
	const scaled = step('Mul', start, constant('scale', scale));
	const shift = how === 'plain' ? to : shiftOf(scale, from, to);
	return { value: step('Add', scaled, constant('shift', shift)), edits };
}

function shiftOf(scale: Tensor, from: Tensor, to: Tensor): Tensor {
	const [a, x] = [numbersOf(scale), numbersOf(from)];
	const shift = Array.from(numbersOf(to), (mean, at) => mean - (a[at] ?? 0) * (x[at] ?? 0));
	return tensorOf(to.name, to.type, to.dims, shift);
}

/**
 * Rewrite: products read the norm's input, or its readers a scale and a shift. Reference: the same products on constants + 0 · (norm −
 * constants), the constants as scale · (x − mean) + mean. Controls: norms gone and products as they were, and the model before.
 */
export function lowerStatic({
	net: { model, facts },
	decision: { statics },
	tensors,
	label,
}: LowerTask<Statics>): Lowered {
	const refits = statics.flatMap((one) => one.refits);
	const refitted = applyPatch(model, {
		label: 'refitted',
		edits: refitEdits(model, refits, tensors, () => []),
	});
	const reference = statics.toReversed().reduce((current, one) => {
		const fresh = freshNames(current.graph);
		const { value, edits } = standing(one, tensors, fresh, 'plain');
		const zero = fresh('zero');
		const none: Edit = {
			kind: 'constant',
			tensor: tensorOf(zero, facts.of(one.output)?.type ?? FLOAT, [], [0]),
		};
		const placed = applyPatch(current, { label: 'reference', edits: [none] });
		return applyPatch(placed, {
			label: 'reference',
			edits: [none, ...blendEdits(placed, fresh, one.output, value, zero), ...edits],
		});
	}, refitted);
	const bare = (): Model => {
		const gone = statics
			.map(({ output, input }): Edit => ({ kind: 'rewire', from: output, to: input }))
			.reverse();
		return applyPatch(model, { label: 'norms gone', edits: gone });
	};
	return {
		patch: { label, edits: editsFor(model, statics, tensors) },
		claims: [{ says: 'constants + 0 · (norm − constants)', reference, controls: [bare, () => model] }],
	};
}
