/** Layers that count by a factor: result = input + scale · (result − input). With 0 they are bypassed, with 1 nothing changes. */
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { insert } from '../edits.ts';
import { branchMuted, sumInNorm } from './skip-norms.ts';

/** What a layer puts out, what goes into it, and the value that scales their difference. */
export type Blend = {
	readonly from: ValueName;
	readonly to: ValueName;
	readonly scale: ValueName;
	/** Tensors to add: the scale, where it is a constant. */
	readonly constants: readonly Tensor[];
};

/** The last layer first: what others read is looked up by name. Where the sum stands inside a norm behind it, the branch is scaled. */
export function blended(model: Model, blends: readonly Blend[]): Model {
	const fresh = freshNames(model.graph);
	return blends.reduce((current, { from, to, scale, constants }) => {
		const norm = sumInNorm(model.graph, from, to);
		const edits = norm ? branchMuted(norm, to, scale, fresh) : blendEdits(current, fresh, from, to, scale);
		const added = constants.map((tensor): Edit => ({ kind: 'constant', tensor }));
		return applyPatch(current, { label: 'blended', edits: [...added, ...edits] });
	}, model);
}

/** Whoever reads `from`, model outputs included, reads `to` + scale · (`from` − `to`). */
export function blendEdits(
	model: Model,
	fresh: (base: string) => ValueName,
	from: ValueName,
	to: ValueName,
	scale: ValueName,
): Edit[] {
	const [difference, scaled, blended] = [
		fresh(`${from}_difference`),
		fresh(`${from}_scaled`),
		fresh(`${from}_blended`),
	];
	const readers = model.graph.nodes.filter((node) => node.inputs.includes(from));
	const isOutput = model.graph.outputs.some(({ name }) => name === from);
	const maker = model.graph.nodes.find((node) => node.outputs.includes(from));
	const original = isOutput ? fresh(`${from}_original`) : from;
	const moved: Edit[] =
		isOutput && maker
			? [
					{
						kind: 'node',
						node: { ...maker, outputs: maker.outputs.map((name) => (name === from ? original : name)) },
					},
				]
			: [];
	const result = isOutput ? from : blended;
	return [
		...moved,
		...readers
			.filter((node) => node.id !== maker?.id)
			.map((node): Edit => ({
				kind: 'node',
				node: { ...node, inputs: node.inputs.map((name) => (name === from ? result : name)) },
			})),
		insert('Sub', [original, to], difference),
		insert('Mul', [difference, scale], scaled),
		insert('Add', [to, scaled], result),
	];
}
